import { backendContract } from '../contracts/backend.ts';
import { startS3 } from './s3-under-test.ts';

backendContract('an S3 bucket, over a gateway of our own,', async () => {
  const { backend, close } = await startS3();
  return {
    backend,
    leftovers: async () => [],
    // S3's own limit (S3 User Guide, "Working with object metadata"): 2 KiB of names and values.
    greatestMetadata: { one: 'ÿ'.repeat(1_021), two: 'b'.repeat(1_021) },
    close,
  };
});
