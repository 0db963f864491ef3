import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { openS3Backend, type S3Backend } from '../../src/ufs/s3.ts';
import type { S3BackendSettings } from '../../src/ufs/s3-settings.ts';
import { credentials, type GatewayUnderTest, startGateway } from '../gateway/memory-node.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

export const everything = {
  conditionalCreate: true,
  conditionalPut: true,
  conditionalCompleteCreate: true,
  conditionalComplete: true,
  conditionalCopy: true,
  conditionalDelete: true,
  checksumTrailers: true,
  signedChunks: true,
  metadataOnGet: true,
  tagging: true,
};

/** An S3 backend over a proxy that makes faults, over a gateway, over a backend in memory. */
export interface S3UnderTest {
  readonly backend: S3Backend;
  readonly proxy: FaultProxy;
  readonly gateway: GatewayUnderTest;
  /** What holds the objects in the end: keys are `under/` and the key. */
  readonly storage: Backend;
  /** One more backend over the same. */
  open(settings?: Partial<S3BackendSettings>): S3Backend;
  close(): Promise<void>;
}

export async function startS3(
  settings: Partial<S3BackendSettings> = {},
  storage: Backend = new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5 }),
): Promise<S3UnderTest> {
  const gateway = await startGateway(storage);
  await gateway.client.send(new CreateBucketCommand({ Bucket: 'under' }));
  const proxy = await FaultProxy.start(gateway.port);
  const opened: S3Backend[] = [];
  const open = (more: Partial<S3BackendSettings> = {}) => {
    const one = openS3Backend(systemClock, systemRandom, {
      uri: 's3://under/',
      endpoint: `http://127.0.0.1:${proxy.port}`,
      credentials,
      abilities: everything,
      ...settings,
      ...more,
    });
    opened.push(one);
    return one;
  };
  return {
    backend: open(),
    proxy,
    gateway,
    storage,
    open,
    close: async () => {
      for (const one of opened) await one.close();
      await proxy.close();
      await gateway.close();
    },
  };
}
