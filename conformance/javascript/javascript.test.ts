import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  S3Client,
  UploadPartCommand,
  waitUntilObjectExists,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeEach, expect } from '@jest/globals';
import { giveBack, takeBucket } from './buckets.ts';
import { eachRound, nodeTest, quickTest, test } from './cases.ts';
import { settings } from './settings.ts';

/** As a program makes it that sets what it must and nothing else: retries, checksums and streams are the SDK's defaults. */
const client = new S3Client(settings);
let Bucket = '';

beforeEach(async () => {
  Bucket = await takeBucket(client);
});
afterEach(() => giveBack(client, Bucket));
afterAll(() => client.destroy());

const put = (Key: string, Body: PutObjectCommandInput['Body'], more: Partial<PutObjectCommandInput> = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));

async function get(Key: string, more: { Range?: string; IfNoneMatch?: string; IfMatch?: string } = {}) {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await (answer.Body?.transformToByteArray() ?? []));
}

async function keys(): Promise<(string | undefined)[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key }) => Key);
}

quickTest('an object comes back as it was put, with its metadata', async () => {
  const body = randomBytes(100_000);
  const { ETag } = await put('dir/file', body, { ContentType: 'text/x-test', Metadata: { colour: 'green' } });
  expect((await get('dir/file')).equals(body)).toBe(true);
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'dir/file' }));
  expect(head).toMatchObject({ ETag, ContentLength: 100_000, ContentType: 'text/x-test' });
  expect(head.Metadata).toEqual({ colour: 'green' });
});

test('a body may be text, bytes, a stream of known length, or nothing', async () => {
  await put('text', 'täxt');
  await put('stream', Readable.from([Buffer.alloc(300_000, 'a'), Buffer.alloc(1, 'b')]), {
    ContentLength: 300_001,
  });
  await put('nothing', undefined);
  expect((await get('text')).toString()).toBe('täxt');
  expect((await get('stream')).length).toBe(300_001);
  expect((await get('nothing')).length).toBe(0);
});

quickTest('ranges are read, and an answer streams', async () => {
  const body = randomBytes(9_000_000);
  await put('large', body);
  const range = await get('large', { Range: 'bytes=5000000-5000999' });
  expect(range.equals(body.subarray(5_000_000, 5_001_000))).toBe(true);
  expect((await get('large', { Range: 'bytes=-10' })).equals(body.subarray(-10))).toBe(true);
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'large' }));
  expect((await buffer(Body as Readable)).equals(body)).toBe(true);
});

test('an answer that is broken off leaves the client usable', async () => {
  await put('large', randomBytes(9_000_000));
  const stop = new AbortController();
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'large' }), {
    abortSignal: stop.signal,
  });
  for await (const piece of Body as Readable) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  stop.abort();
  expect((await get('large', { Range: 'bytes=0-9' })).length).toBe(10);
});

quickTest('a list is paged through', async () => {
  const names = Array.from({ length: 25 }, (_, index) => `many/${String(index).padStart(2, '0')}`);
  await Promise.all(names.map((name) => put(name, 'x')));
  const found: (string | undefined)[] = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 10 }, { Bucket, Prefix: 'many/' })) {
    found.push(...(page.Contents ?? []).map(({ Key }) => Key));
  }
  expect(found).toEqual(names);
  const folded = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
  expect(folded.CommonPrefixes).toEqual([{ Prefix: 'many/' }]);
});

quickTest('an object is made of parts', async () => {
  const names = { Bucket, Key: 'parts' };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(names));
  const bodies = [randomBytes(5 << 20), randomBytes(1_000)];
  const Parts = await Promise.all(
    bodies.map(async (Body, index) => {
      const part = { ...names, UploadId, PartNumber: index + 1, Body };
      const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part));
      return { PartNumber: index + 1, ETag, ChecksumCRC32 };
    }),
  );
  const complete = { ...names, UploadId, MultipartUpload: { Parts } };
  const { ETag } = await client.send(new CompleteMultipartUploadCommand(complete));
  expect(ETag).toMatch(/-2"$/);
  expect((await get('parts')).equals(Buffer.concat(bodies))).toBe(true);
});

test('objects are copied and deleted, one by one and many at once', async () => {
  await put('one', 'body');
  await client.send(new CopyObjectCommand({ Bucket, Key: 'two', CopySource: `${Bucket}/one` }));
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'one' }));
  expect([await keys(), (await get('two')).toString()]).toEqual([['two'], 'body']);
  await put('three', 'body');
  const Objects = [{ Key: 'two' }, { Key: 'three' }, { Key: 'none' }];
  const { Deleted, Errors } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect([Deleted?.length, Errors, await keys()]).toEqual([3, undefined, []]);
});

test('errors have the classes that the SDK gives them', async () => {
  await expect(get('none')).rejects.toBeInstanceOf(NoSuchKey);
  await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'none' }))).rejects.toBeInstanceOf(NotFound);
  const elsewhere = new ListObjectsV2Command({ Bucket: 'no-such-bucket-anywhere' });
  await expect(client.send(elsewhere)).rejects.toMatchObject({ name: 'NoSuchBucket' });
});

test('reads may have conditions', async () => {
  const { ETag = '' } = await put('file', 'body');
  expect((await get('file', { IfMatch: ETag })).toString()).toBe('body');
  await expect(get('file', { IfMatch: '"0"' })).rejects.toMatchObject({ name: 'PreconditionFailed' });
  const unchanged = await get('file', { IfNoneMatch: ETag }).catch((error) => error);
  expect(unchanged.$metadata.httpStatusCode).toBe(304);
});

test('a put can ask that nothing is there', async () => {
  await put('file', 'first', { IfNoneMatch: '*' });
  const again = put('file', 'second', { IfNoneMatch: '*' });
  await expect(again).rejects.toMatchObject({ name: 'PreconditionFailed' });
  expect((await get('file')).toString()).toBe('first');
});

async function count(): Promise<void> {
  await put('counter', '0');
  const add = async (): Promise<void> => {
    const { ETag, Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'counter' }));
    const next = String(Number(await Body?.transformToString()) + 1);
    const done = await put('counter', next, { IfMatch: ETag }).catch((error) => {
      if (error.name !== 'PreconditionFailed') throw error;
    });
    return done ? undefined : add();
  };
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let count = 0; count < 12; count++) await add();
    }),
  );
  expect((await get('counter')).toString()).toBe('96');
}

test('a put can ask for the version it replaces, and a counter loses no count', async () => {
  const { ETag } = await put('file', 'first');
  await put('file', 'second', { IfMatch: ETag });
  await expect(put('file', 'third', { IfMatch: ETag })).rejects.toMatchObject({ name: 'PreconditionFailed' });
  expect((await get('file')).toString()).toBe('second');
  await eachRound(count);
});

test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)(
  'a %s is computed, kept and compared',
  async (ChecksumAlgorithm) => {
    const made = await put('file', randomBytes(50_000), { ChecksumAlgorithm });
    const name = `Checksum${ChecksumAlgorithm}` as const;
    expect(made[name]).toBeDefined();
    const read = await client.send(new GetObjectCommand({ Bucket, Key: 'file', ChecksumMode: 'ENABLED' }));
    expect((await read.Body?.transformToByteArray())?.length).toBe(50_000);
    expect(read[name]).toBe(made[name]);
  },
);

test.each(['sp ace', 'plus+', 'per%cent', 'ünï/日本', 'a=b&c', "quo'te", 'a:b@c', '~(x)!*'])(
  'the key %s is found',
  async (Key) => {
    await put(Key, Key);
    expect([await keys(), (await get(Key)).toString()]).toEqual([[Key], Key]);
    await client.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'copy',
        CopySource: encodeURI(`${Bucket}/${Key}`).replaceAll('+', '%2B'),
      }),
    );
    expect((await get('copy')).toString()).toBe(Key);
  },
);

test('an overwritten object is the new one', async () => {
  for (const body of ['first', 'second'.repeat(100_000), '3']) {
    await put('file', body);
    expect((await get('file')).toString()).toBe(body);
  }
});

test('an object is waited for', async () => {
  setTimeout(() => void put('late', 'x'), 300);
  const { state } = await waitUntilObjectExists(
    { client, maxWaitTime: 10, minDelay: 1 },
    { Bucket, Key: 'late' },
  );
  expect(state).toBe('SUCCESS');
});

nodeTest('a client that was given another region finds the one of the node', async () => {
  await put('file', 'body');
  const stray = new S3Client({ ...settings, region: 'eu-west-1', followRegionRedirects: true });
  try {
    const { BucketRegion } = await stray.send(new HeadBucketCommand({ Bucket }));
    expect(BucketRegion).toBe('us-east-1');
  } finally {
    stray.destroy();
  }
});

nodeTest('a client that was given another region and follows nothing is told', async () => {
  const stray = new S3Client({ ...settings, region: 'eu-west-1' });
  try {
    const answer = stray.send(new ListObjectsV2Command({ Bucket }));
    await expect(answer).rejects.toMatchObject({ name: 'AuthorizationHeaderMalformed', Region: 'us-east-1' });
  } finally {
    stray.destroy();
  }
});
