import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { openS3Backend } from '../../src/ufs/s3.ts';
import { backendContract } from '../contracts/backend.ts';
import { credentials, startGateway } from '../gateway/memory-node.ts';

const all = {
  conditionalPut: true,
  conditionalComplete: true,
  conditionalCopy: true,
  conditionalDelete: true,
};

backendContract('an S3 bucket, over a gateway of our own,', async () => {
  const gateway = await startGateway(new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5 }));
  await gateway.client.send(new CreateBucketCommand({ Bucket: 'under' }));
  const backend = openS3Backend(systemClock, systemRandom, {
    uri: 's3://under/',
    endpoint: `http://127.0.0.1:${gateway.port}`,
    credentials,
    conditions: all,
  });
  return {
    backend,
    leftovers: async () => [],
    // S3's own limit (S3 User Guide, "Working with object metadata"): 2 KiB of names and values.
    greatestMetadata: { one: 'ÿ'.repeat(1_021), two: 'b'.repeat(1_021) },
    close: async () => {
      await backend.close();
      await gateway.close();
    },
  };
});
