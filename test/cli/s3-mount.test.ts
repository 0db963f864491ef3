import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { describeSettings, resolveSettings } from '../../src/cli/settings.ts';
import { silentLog } from '../../src/common/log.ts';
import { credentials } from '../gateway/memory-node.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { rootKey as root } from './one-node.ts';
import { say } from './say.ts';

const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
const Bucket = 'front';

let folder: string;
let below: S3UnderTest;
let node: RunningNode;
let client: S3Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-s3-mount-'));
  below = await startS3();
  const environment = { FOREBAY_DATA: folder, FOREBAY_S3_PORT: '0', FOREBAY_ADMIN_PORT: '0' };
  const { settings } = resolveSettings({ flags: new Map(), environment });
  node = await startNode(settings, { root, encryptionKey: Buffer.alloc(32, 7) }, quiet);
  client = new S3Client({
    endpoint: node.s3Url,
    region: 'us-east-1',
    credentials: root,
    forcePathStyle: true,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client.destroy();
  await node.close();
  await below.close();
  await rm(folder, { recursive: true });
});

function forebay(line: string, secret = credentials.secretAccessKey) {
  return say(node, line, secret);
}

function mountAt(name: string, more = '', uri = 's3://under/team/') {
  const where = `--endpoint http://127.0.0.1:${below.proxy.port} --path-style`;
  const key = `--access-key-id ${credentials.accessKeyId} --secret-access-key-env SECRET`;
  return `mount add ${name} ${uri} ${where} ${key} ${more}`.trim();
}

async function get(Key: string, more: { Range?: string; PartNumber?: number } = {}, bucket = Bucket) {
  let cache: string | undefined;
  const command = new GetObjectCommand({ Bucket: bucket, Key, ...more });
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      cache = (result.response as { headers: Record<string, string> }).headers['x-forebay-cache'];
      return result;
    },
    { step: 'deserialize' },
  );
  const output = await client.send(command);
  const bytes = Buffer.from((await output.Body?.transformToByteArray()) ?? []);
  return { output, bytes, cache };
}

/** At the backend, not through the node. */
function putBelow(key: string, Body: Buffer | string, folder = 'team') {
  return below.gateway.client.send(new PutObjectCommand({ Bucket: 'under', Key: `${folder}/${key}`, Body }));
}

async function backendBytes(mount: string): Promise<number> {
  const text = await (await fetch(`${node.adminUrl}/metrics`)).text();
  const line = new RegExp(`^forebay_backend_bytes_total\\{mount="${mount}",direction="read"\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

const readsBelow = () =>
  below.proxy.seen.filter((one) => one.method === 'GET' && !one.url.includes('list-type'));

describe('a bucket of another S3', () => {
  test('that cannot be used is not mounted, and why is said in plain words', async () => {
    const wrong = await forebay(mountAt('wrong'), 'not-the-secret');
    expect([wrong.exitCode, wrong.said]).toEqual([1, expect.stringContaining('check the secret')]);
    const none = await forebay(mountAt('none', '', 's3://no-such-bucket/'));
    expect([none.exitCode, none.said]).toEqual([1, expect.stringContaining('has no bucket of this name')]);
    const both = await forebay(`${mountAt('both')} --virtual-host`);
    expect([both.exitCode, both.said]).toEqual([1, expect.stringContaining('mean the opposite')]);
    const named = mountAt('host').replace(/127[.0-9:]+/, 'no.such.host.invalid');
    expect((await forebay(named)).said).toContain('the name no.such.host.invalid has no address');
    const inHost = await forebay(named.replace('--path-style', '--virtual-host'));
    expect(inHost.said).toContain('the name under.no.such.host.invalid has no address');
    expect((await forebay(named.replace(' --path-style', ''))).said).toContain(
      'the name no.such.host.invalid has',
    );
    expect((await forebay('mount list --json')).said).toBe('[]');
    expect(wrong.said + none.said).not.toContain(credentials.secretAccessKey);
  });

  test('is mounted and checked, and its secret is never shown', async () => {
    expect(await forebay(mountAt(Bucket))).toEqual({
      exitCode: 0,
      said: `mounted s3://under/team/ at ${Bucket}`,
    });
    const { exitCode, said } = await forebay(`mount check ${Bucket} --json`);
    const { steps } = JSON.parse(said);
    expect(exitCode).toBe(0);
    expect(steps.map(({ name, result }: { name: string; result: string }) => `${name} ${result}`)).toEqual([
      'open ok', 'credentials ok', 'connect ok', 'signature ok', 'bucket ok', 'list ok', 'head skipped', 'read skipped',
      'write ok', 'delete ok', 'conditions ok',
    ]); // biome-ignore format: a list
    expect(steps.at(-1).detail).toBe(
      'the storage decides the conditions of put with If-None-Match, put with If-Match, complete multipart upload with If-None-Match, complete multipart upload with If-Match, copy, delete',
    );
    const all = said + (await forebay(`mount show ${Bucket} --json`)).said;
    expect(all).not.toContain(credentials.secretAccessKey);
    expect(all).not.toContain('sealed');
  });

  test('is read once: the second read is a hit and asks the backend for no byte', async () => {
    const bytes = someBytes(9_000_000);
    await putBelow('big', bytes);
    const cold = await get('big');
    expect([cold.bytes.equals(bytes), cold.cache]).toEqual([true, 'miss']);
    const before = [await backendBytes(Bucket), readsBelow().length];
    expect(before[0]).toBe(bytes.length);
    const warm = await get('big');
    expect([warm.bytes.equals(bytes), warm.cache]).toEqual([true, 'hit']);
    expect(
      (await get('big', { Range: 'bytes=4000000-5000000' })).bytes.equals(
        bytes.subarray(4_000_000, 5_000_001),
      ),
    ).toBe(true);
    expect([await backendBytes(Bucket), readsBelow().length]).toEqual(before);
  });

  test('is filled only with the version that is wanted', async () => {
    const bytes = someBytes(9_000_000);
    await putBelow('pages', bytes);
    const before = readsBelow().length;
    for (const start of [0, 8_500_000, 4_500_000]) {
      const { bytes: got } = await get('pages', { Range: `bytes=${start}-${start + 99}` });
      expect(got.equals(bytes.subarray(start, start + 100))).toBe(true);
    }
    const [first, ...fills] = readsBelow().slice(before);
    // The first also tells which version there is.
    expect([first?.headers['if-match'], fills.length]).toEqual([undefined, 2]);
    for (const { headers } of fills) expect(headers['if-match']).toMatch(/^"[0-9a-f]{32}"$/);
  });

  test('takes objects as they are', async () => {
    const Body = someBytes(700_000);
    const about = {
      ContentType: 'text/x',
      CacheControl: 'no-cache',
      Metadata: { a: '', b: 'c' },
      ChecksumAlgorithm: 'SHA256',
    } as const;
    const ChecksumSHA256 = createHash('sha256').update(Body).digest('base64');
    const made = await client.send(new PutObjectCommand({ Bucket, Key: 'mine', Body, ...about }));
    const head = await below.gateway.client.send(
      new HeadObjectCommand({ Bucket: 'under', Key: 'team/mine', ChecksumMode: 'ENABLED' }),
    );
    expect(head).toMatchObject({
      ETag: made.ETag,
      ChecksumSHA256,
      ContentType: 'text/x',
      CacheControl: 'no-cache',
      Metadata: { a: '', b: 'c' },
    });
    expect((await get('mine')).bytes.equals(Body)).toBe(true);
    const again = new PutObjectCommand({ Bucket, Key: 'mine', Body: 'x', IfNoneMatch: '*' });
    await expect(client.send(again)).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await client.send(new PutObjectCommand({ Bucket, Key: 'mine', Body: 'x', IfMatch: made.ETag }));
    expect((await get('mine')).bytes.toString()).toBe('x');
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'mine' }));
    await expect(get('mine')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('makes objects of parts, which can be read part by part', async () => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    const bodies = [someBytes(5_300_000, 1), someBytes(40_000, 2)];
    const Parts = [];
    for (const [index, Body] of bodies.entries()) {
      const PartNumber = index * 2 + 3;
      const part = { Bucket, Key: 'parts', UploadId, PartNumber, Body };
      Parts.push({ PartNumber, ETag: (await client.send(new UploadPartCommand(part))).ETag });
    }
    const complete = { Bucket, Key: 'parts', UploadId, MultipartUpload: { Parts } };
    const { ETag } = await client.send(new CompleteMultipartUploadCommand(complete));
    expect((await client.send(new CompleteMultipartUploadCommand(complete))).ETag).toBe(ETag);
    expect((await get('parts')).bytes.equals(Buffer.concat(bodies))).toBe(true);
    for (const [index, body] of bodies.entries()) {
      const { bytes, output } = await get('parts', { PartNumber: index + 1 });
      expect([bytes.equals(body), output.PartsCount]).toEqual([true, 2]);
    }
    await expect(get('parts', { PartNumber: 3 })).rejects.toMatchObject({ name: 'InvalidPartNumber' });
  });
});

test('certificates that cannot be read keep a node from starting, and a proxy is not shown', async () => {
  const load = (environment: Record<string, string>) =>
    resolveSettings({
      flags: new Map(),
      environment: { FOREBAY_DATA: join(folder, 'other'), ...environment },
    });
  for (const [path, words] of [
    [join(folder, 'none.pem'), /ENOENT/],
    [import.meta.filename, /holds no certificate in PEM form/],
  ] as const) {
    const { settings } = load({
      FOREBAY_BACKEND_CA_FILE: path,
      FOREBAY_S3_PORT: '0',
      FOREBAY_ADMIN_PORT: '0',
    });
    const started = startNode(settings, { root, encryptionKey: Buffer.alloc(32, 7) }, quiet);
    await expect(started).rejects.toThrow(words);
  }
  const proxied = load({
    FOREBAY_BACKEND_PROXY: 'http://me:unheard-of@proxy:3128',
    FOREBAY_BACKEND_NO_PROXY: 'a,.b',
  });
  expect(proxied.settings['backend.noProxy']).toEqual(['a', '.b']);
  expect(JSON.stringify(describeSettings(proxied))).not.toContain('unheard-of');
  expect(() => load({ FOREBAY_BACKEND_PROXY: 'socks://proxy' })).toThrow(/http:\/\/proxy/);
});

describe('with freshness always', () => {
  const versionBytes = 5_000_000;
  /** Each 512 bytes tell which version they are of. */
  const versionOf = (id: number) =>
    Buffer.alloc(versionBytes, Buffer.from(`version ${id} `.padEnd(512, '.')));
  const idOf = (bytes: Buffer, at = 0) =>
    Number(/^version (\d+) /.exec(bytes.toString('latin1', at, at + 20))?.[1]);

  beforeAll(async () => {
    const { exitCode, said } = await forebay(mountAt('fresh', '--freshness always', 's3://under/fresh/'));
    expect([exitCode, said]).toEqual([0, 'mounted s3://under/fresh/ at fresh']);
  });

  test('what was changed, deleted or made at the backend shows at once', async () => {
    await expect(get('now', {}, 'fresh')).rejects.toMatchObject({ name: 'NoSuchKey' });
    for (const text of ['one', 'two', 'two', 'three']) {
      await putBelow('now', text, 'fresh');
      expect((await get('now', {}, 'fresh')).bytes.toString()).toBe(text);
    }
    await below.gateway.client.send(new DeleteObjectCommand({ Bucket: 'under', Key: 'fresh/now' }));
    await expect(get('now', {}, 'fresh')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('readers of an object that is overwritten all the time get one version each, and none that is older than the last', async () => {
    let written = 0;
    let done = false;
    await putBelow('torn', versionOf(written), 'fresh');
    const writer = (async () => {
      for (let id = 1; id <= 12; id++) {
        await putBelow('torn', versionOf(id), 'fresh');
        written = id;
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      done = true;
    })();
    let whole = 0;
    const seen = new Set<number>();
    const reader = async () => {
      while (!done) {
        const oldest = written;
        try {
          const { bytes } = await get('torn', {}, 'fresh');
          const id = idOf(bytes);
          expect(bytes.equals(versionOf(id))).toBe(true);
          expect(id).toBeGreaterThanOrEqual(oldest);
          seen.add(id);
          whole++;
        } catch (error) {
          // A version that goes while it is read ends the answer; what it never does is go on with another.
          const { name, code, message } = error as { name?: string; code?: string; message?: string };
          expect([name, code, message].join()).toMatch(
            /ServiceUnavailable|ECONNRESET|aborted|socket hang up/,
          );
        }
      }
    };
    await Promise.all([writer, reader(), reader(), reader()]);
    expect(whole).toBeGreaterThan(0);
    expect(seen.size).toBeGreaterThan(1);
    expect((await get('torn', {}, 'fresh')).bytes.equals(versionOf(12))).toBe(true);
  });
});
