import {
  type ChecksumAlgorithm,
  type ChecksumType,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { credentials } from './credentials.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';

const Bucket = 'sums';
const Key = 'k';
const Body = 'hello world';

/** What S3 was seen to answer, value for value; a client that sends no checksum unless it is told to. */
describe('checksums over the wire', () => {
  let gateway: GatewayUnderTest;
  let client: S3Client;

  beforeAll(async () => {
    gateway = await startGateway(new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5 }));
    client = new S3Client({
      endpoint: `http://127.0.0.1:${gateway.port}`,
      region: 'us-east-1',
      credentials,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    await client.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(async () => {
    client.destroy();
    await gateway.close();
  });

  const begin = async (algorithm?: ChecksumAlgorithm, type?: ChecksumType) => {
    const about = { Bucket, Key, ChecksumAlgorithm: algorithm, ChecksumType: type };
    return client.send(new CreateMultipartUploadCommand(about));
  };
  const complete = (UploadId: string | undefined, more: Partial<CompleteMultipartUploadCommandInput>) =>
    client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, ...more }));

  test('CRC64NVME is there where the client sends none, and only for who asks', async () => {
    const expected = { ChecksumCRC64NVME: 'jSnVw/bqjr4=', ChecksumType: 'FULL_OBJECT' };
    expect(await client.send(new PutObjectCommand({ Bucket, Key, Body }))).toMatchObject(expected);
    const head = (more = {}) => client.send(new HeadObjectCommand({ Bucket, Key, ...more }));
    expect(await head({ ChecksumMode: 'ENABLED' })).toMatchObject(expected);
    expect((await head()).ChecksumCRC64NVME).toBeUndefined();
    const copy = await client.send(
      new CopyObjectCommand({ Bucket, Key: 'c', CopySource: `${Bucket}/${Key}`, ChecksumAlgorithm: 'SHA1' }),
    );
    expect(copy.CopyObjectResult?.ChecksumCRC64NVME).toBeUndefined();
    expect(copy.CopyObjectResult?.ChecksumSHA1).toBe('Kq5sNclPz7QV2+lfQIuc6R7oRu0=');
  });

  test('an upload without an algorithm says nothing of checksums until it is an object', async () => {
    const created = await begin();
    expect(created.ChecksumAlgorithm).toBeUndefined();
    const { UploadId } = created;
    const { ETag } = await client.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body, ChecksumAlgorithm: 'CRC32' }),
    );
    const listed = await client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    expect(listed.ChecksumAlgorithm).toBeUndefined();
    expect(listed.Parts?.[0]?.ChecksumCRC32).toBeUndefined();
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await expect(complete(UploadId, { MultipartUpload, ChecksumType: 'COMPOSITE' })).rejects.toMatchObject({
      name: 'InvalidRequest',
      message:
        'The upload was created using the null checksum mode. The complete request must use the same checksum mode.',
    });
    await expect(complete(UploadId, { MultipartUpload, MpuObjectSize: 5 })).rejects.toMatchObject({
      name: 'InvalidRequest',
      message: "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 11",
    });
    expect(await complete(UploadId, { MultipartUpload, MpuObjectSize: 11 })).toMatchObject({
      ChecksumCRC64NVME: 'jSnVw/bqjr4=',
      ChecksumType: 'FULL_OBJECT',
    });
  });

  test('a composite checksum names what is wrong with a part, and is told part by part', async () => {
    const { UploadId, ChecksumType: type } = await begin('CRC32');
    expect(type).toBe('COMPOSITE');
    const { ETag, ChecksumCRC32 } = await client.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }),
    );
    expect(ChecksumCRC32).toBe('DUoRhQ==');
    const wrong = (part: object) => complete(UploadId, { MultipartUpload: { Parts: [part] } });
    await expect(wrong({ PartNumber: 1, ETag })).rejects.toMatchObject({
      name: 'InvalidRequest',
      message:
        'The upload was created using a crc32 checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request.',
    });
    await expect(wrong({ PartNumber: 1, ETag, ChecksumCRC32: 'AAAAAA==' })).rejects.toMatchObject({
      name: 'InvalidPart',
      PartNumber: '1',
      ETag: ETag?.replaceAll('"', ''),
      UploadId,
    });
    const Parts = [{ PartNumber: 1, ETag, ChecksumCRC32 }];
    const made = await complete(UploadId, { MultipartUpload: { Parts } });
    expect(made.ChecksumCRC32).toMatch(/-1$/);
    const part = await client.send(
      new GetObjectCommand({ Bucket, Key, PartNumber: 1, ChecksumMode: 'ENABLED' }),
    );
    expect(part).toMatchObject({ ChecksumCRC32, ChecksumType: 'COMPOSITE', ContentRange: 'bytes 0-10/11' });
  });

  test('a part too small is named with what it has and what it should have', async () => {
    const { UploadId } = await begin();
    const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const PartNumber of [1, 2]) {
      const { ETag } = await client.send(
        new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: 'abcd' }),
      );
      Parts.push({ PartNumber, ETag });
    }
    await expect(complete(UploadId, { MultipartUpload: { Parts } })).rejects.toMatchObject({
      name: 'EntityTooSmall',
      ProposedSize: '4',
      MinSizeAllowed: '5',
      PartNumber: '1',
      ETag: 'e2fc714c4727ee9395f324cd2e7f331f',
    });
    const turned = complete(UploadId, { MultipartUpload: { Parts: Parts.toReversed() } });
    await expect(turned).rejects.toMatchObject({ name: 'InvalidPartOrder', UploadId });
    await expect(complete('other', { MultipartUpload: { Parts } })).rejects.toMatchObject({
      name: 'NoSuchUpload',
      UploadId: 'other',
    });
  });
});
