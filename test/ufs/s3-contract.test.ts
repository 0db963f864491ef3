import { PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { backendContract } from '../contracts/backend.ts';
import { everything, startS3 } from './s3-under-test.ts';

backendContract('an S3 bucket, over a gateway of our own,', async () => {
  const { backend, gateway, close } = await startS3({ abilities: { ...everything, versions: true } });
  const statuses = { enabled: 'Enabled', suspended: 'Suspended' } as const;
  return {
    backend,
    setVersioning: async (mode) => {
      const VersioningConfiguration = { Status: statuses[mode] };
      const command = new PutBucketVersioningCommand({ Bucket: 'under', VersioningConfiguration });
      await gateway.client.send(command);
    },
    leftovers: async () => [],
    // S3's own limit (S3 User Guide, "Working with object metadata"): 2 KiB of names and values.
    greatestMetadata: { one: 'ÿ'.repeat(1_021), two: 'b'.repeat(1_021) },
    close,
  };
});
