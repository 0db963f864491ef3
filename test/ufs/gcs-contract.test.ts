import { backendContract } from '../contracts/backend.ts';
import { holds, refusedKeys, startGcs } from './gcs-under-test.ts';

backendContract('a Cloud Storage bucket, over a strict stub,', async () => {
  const { backend, hidden, close } = await startGcs();
  return {
    backend,
    leftovers: hidden,
    refusedKeys,
    holds,
    // S3's own limit (S3 User Guide, "Working with object metadata"): 2 KiB of names and values.
    greatestMetadata: { one: 'ÿ'.repeat(1_021), two: 'b'.repeat(1_021) },
    close,
  };
});
