import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend, BackendCapabilities } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { type GatewayUnderTest, startGateway } from '../gateway/memory-node.ts';
import { mountOf } from '../gateway/mount-of.ts';

const Bucket = 'cautious';
const Key = 'far/k';

/** Storage of which a probe has shown nothing. */
export interface Unprobed {
  readonly backend: Backend;
  /** Keys and ETags of what lies there in the end. */
  stored(): Promise<readonly (readonly [key: string, etag: string])[]>;
  close(): Promise<void>;
}

/** What a storage does not say that it does is refused, though the storage would do something all the same. */
export function undeclaredCapabilities(name: string, start: () => Promise<Unprobed>): void {
  describe(`what ${name} was not seen to do`, () => {
    let storage: Unprobed;
    let gateway: GatewayUnderTest;
    let etag: string | undefined;

    beforeAll(async () => {
      storage = await start();
      const mounts = [{ mount: mountOf(Bucket, 'far/'), backend: storage.backend }];
      gateway = await startGateway(new MemoryBackend(systemClock, systemRandom), mounts);
      await gateway.client.send(new CreateBucketCommand({ Bucket }));
      etag = (await put({})).ETag;
    });
    afterAll(async () => {
      await gateway.close();
      await storage.close();
    });

    const put = (more: object) =>
      gateway.client.send(new PutObjectCommand({ Bucket, Key, Body: 'there', ...more }));
    const complete = async (more: object) => {
      const { UploadId } = await gateway.client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      const part = { Bucket, Key, UploadId, PartNumber: 1 };
      const { ETag } = await gateway.client.send(new UploadPartCommand({ ...part, Body: 'other' }));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
      return gateway.client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload, ...more }),
      );
    };
    const copy = (more: object) =>
      gateway.client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${Key}`, ...more }));

    /** For each capability that a client could ask for and the storage could lack, requests that ask for it. */
    const requests: Readonly<Record<keyof BackendCapabilities, readonly (() => Promise<unknown>)[]>> = {
      conditionalCreate: [() => put({ Key: 'far/new', IfNoneMatch: '*' })],
      conditionalPut: [() => put({ IfMatch: etag })],
      conditionalCompleteCreate: [() => complete({ IfNoneMatch: '*' })],
      conditionalComplete: [() => complete({ IfMatch: etag })],
      conditionalCopy: [
        () => copy({ Key: 'far/c', IfNoneMatch: '*' }),
        () => copy({ Key: 'far/c', IfMatch: etag }),
      ],
      conditionalDelete: [() => gateway.client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: etag }))],
      tagging: [
        () => put({ Tagging: 'a=b' }),
        () => gateway.client.send(new GetObjectTaggingCommand({ Bucket, Key })),
        () => copy({ Key: 'far/c', TaggingDirective: 'REPLACE', Tagging: 'a=b' }),
      ],
      objectAcls: [() => put({ ACL: 'public-read' })],
      versions: [
        () => gateway.client.send(new HeadObjectCommand({ Bucket, Key, VersionId: 'f'.repeat(32) })),
      ],
      // Every S3 has these, or they are no matter of the client's.
      multipart: [],
      versioning: [],
      serverSideCopy: [],
      exclusive: [],
      anyKey: [],
      stamps: [],
      uploadStamps: [],
    };
    const rows = Object.entries(requests).flatMap(([name, calls]) =>
      calls.map((call) => [name, call] as const),
    );

    test.each(rows)('%s is refused, and changes nothing', async (name, call) => {
      const refused = call().then(
        () => undefined,
        (error: { name: string; $metadata: { httpStatusCode?: number } }) => error.$metadata.httpStatusCode,
      );
      // HEAD of a version that nobody keeps finds none; the rest is not implemented.
      expect(await refused).toBe(name === 'versions' ? 404 : 501);
      expect(await storage.stored()).toEqual([['k', etag?.replaceAll('"', '')]]);
    });
  });
}
