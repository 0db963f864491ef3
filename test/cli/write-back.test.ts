import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { getAll, kindOf } from '../contracts/backend.ts';
import { credentials } from '../gateway/memory-node.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { rootKey as root } from './one-node.ts';
import { say } from './say.ts';

const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };

let folder: string;
let below: S3UnderTest;
let node: RunningNode;
let client: S3Client;
/** Whether the storage behind answers. */
let isAway = false;

async function start(more: Record<string, string> = {}): Promise<void> {
  const environment = { FOREBAY_DATA: folder, FOREBAY_S3_PORT: '0', FOREBAY_ADMIN_PORT: '0', ...more };
  const { settings } = resolveSettings({ flags: new Map(), environment });
  node = await startNode(settings, { root, encryptionKey: Buffer.alloc(32, 7) }, quiet);
  const about = { endpoint: node.s3Url, region: 'us-east-1', credentials: root, maxAttempts: 1 };
  client = new S3Client({ ...about, forcePathStyle: true });
}

async function stop(): Promise<void> {
  client.destroy();
  await node.close();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-write-back-'));
  below = await startS3();
  below.proxy.rule = () => (isAway ? { kind: 'refuse', status: 503 } : undefined);
  await start();
});
afterAll(async () => {
  isAway = false;
  await stop();
  await below.close();
  await rm(folder, { recursive: true });
});

function forebay(line: string) {
  return say(node, line, credentials.secretAccessKey);
}

function mountAt(name: string, uri: string, more: string) {
  const where = `--endpoint http://127.0.0.1:${below.proxy.port} --path-style`;
  const key = `--access-key-id ${credentials.accessKeyId} --secret-access-key-env SECRET`;
  return forebay(`mount add ${name} ${uri} ${where} ${key} ${more}`.trim());
}

const put = (Bucket: string, Key: string, Body: Buffer | string) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body }));

async function get(Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function keysOf(Bucket: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  return Contents.map(({ Key = '' }) => Key);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${node.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} ([0-9.e+-]+)$`, 'm').exec(text)?.[1]);
}

describe('a mount with write mode back', () => {
  test('is refused where its storage could not keep what it promises', async () => {
    const tree = await mkdtemp(join(tmpdir(), 'forebay-tree-'));
    const refused = await forebay(`mount add tree file://${tree} --write-mode back`);
    expect(refused).toEqual({ exitCode: 1, said: expect.stringContaining('cannot have write mode back') });
    const readOnly = await mountAt('readonly', 's3://under/ro/', '--write-mode back --read-only');
    expect(readOnly.said).toContain('nothing is written to a mount that is read-only');
    await rm(tree, { recursive: true });
  });

  test('acknowledges what its storage does not have, and shows it at once', async () => {
    const mounted = await mountAt('front', 's3://under/team/', '--write-mode back');
    expect(mounted).toEqual({ exitCode: 0, said: expect.any(String) });
    isAway = true;
    for (const [key, bytes] of [
      ['a', someBytes(4_096)],
      ['b/c', someBytes(300_000, 2)],
    ] as const) {
      await put('front', key, bytes);
      expect((await get('front', key)).equals(bytes)).toBe(true);
      const head = await client.send(new HeadObjectCommand({ Bucket: 'front', Key: key }));
      expect([head.ContentLength, head.Metadata]).toEqual([bytes.length, {}]);
    }
    await put('front', 'gone', 'x');
    await client.send(new DeleteObjectCommand({ Bucket: 'front', Key: 'gone' }));
    await expect(get('front', 'gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect(await metric('forebay_pending_entries')).toBe(3);
    expect(await metric('forebay_pending_bytes')).toBe(304_096);
    const shown = await forebay('pending show front/b');
    expect([shown.exitCode, shown.said]).toEqual([0, expect.stringMatching(/^b\/c +put +300000/m)]);
    expect((await forebay('pending list')).said).toMatch(/^front +s3:\/\/under\/team\/.* 3 +304096/m);
    const untilMs = Date.now() + 60_000;
    while ((await metric('forebay_pending_failing')) === 0 && Date.now() < untilMs)
      await systemClock.sleep(20);
    const failing = /^front .* [1-3] +[a-z-]+: /m;
    expect((await forebay('pending list')).said).toMatch(failing);
    const refused = await forebay('mount remove front');
    expect(refused).toEqual({
      exitCode: 1,
      said: expect.stringContaining('3 writes to front with 304096 bytes'),
    });
    isAway = false;
    expect(await forebay('pending flush front')).toEqual({ exitCode: 0, said: 'nothing is pending' });
    expect(await keysOf('front')).toEqual(['a', 'b/c']);
    expect((await getAll(below.storage, 'under/team/a')).equals(someBytes(4_096))).toBe(true);
    expect((await getAll(below.storage, 'under/team/b/c')).equals(someBytes(300_000, 2))).toBe(true);
    expect(await kindOf(below.storage.head('under/team/gone'))).toBe('not-found');
  }, 120_000);

  test('goes on after a restart where it stopped', async () => {
    isAway = true;
    await put('front', 'later', 'before the restart');
    await put('front', 'a', 'changed');
    await stop();
    await start();
    expect((await get('front', 'later')).toString()).toBe('before the restart');
    expect((await get('front', 'a')).toString()).toBe('changed');
    isAway = false;
    expect(await forebay('pending flush front')).toMatchObject({ exitCode: 0 });
    expect((await getAll(below.storage, 'under/team/later')).toString()).toBe('before the restart');
    expect((await getAll(below.storage, 'under/team/a')).toString()).toBe('changed');
  });

  test('changes its mode while it runs, and what is pending comes first', async () => {
    isAway = true;
    await put('front', 'k', 'pending');
    expect(await forebay('mount set-write-mode front through')).toMatchObject({ exitCode: 0 });
    expect((await get('front', 'k')).toString()).toBe('pending');
    await expect(put('front', 'other', 'through')).rejects.toMatchObject({ name: 'SlowDown' });
    const behind = put('front', 'k', 'through');
    isAway = false;
    await behind;
    expect((await getAll(below.storage, 'under/team/k')).toString()).toBe('through');
    expect((await get('front', 'k')).toString()).toBe('through');
    expect(await forebay('mount set-write-mode front back')).toMatchObject({ exitCode: 0 });
    isAway = true;
    await put('front', 'k', 'back again');
    isAway = false;
    expect(await forebay('pending flush front/k')).toMatchObject({ exitCode: 0 });
  });

  test.each(['through', 'slow-down'])(
    'with two copies on one node goes %s, never with one',
    async (whenFull) => {
      await stop();
      await start({ FOREBAY_WRITE_BACK_COPIES: '2', FOREBAY_WRITE_BACK_WHEN_FULL: whenFull });
      isAway = true;
      const seenBefore = below.proxy.seen.length;
      await expect(put('front', 'k', 'x')).rejects.toMatchObject({ name: 'SlowDown' });
      const wasAsked = below.proxy.seen.length > seenBefore;
      isAway = false;
      expect(wasAsked).toBe(whenFull === 'through');
      expect(await metric('forebay_pending_entries')).toBe(0);
      if (whenFull === 'through') await put('front', 'k', 'x');
      await stop();
      await start();
    },
  );

  test('is removed by force with what is pending, which is told', async () => {
    isAway = true;
    await put('front', 'lost', someBytes(1_000));
    const removed = await forebay('mount remove front --force');
    expect(removed.said).toContain('lost 1 pending writes with 1000 bytes');
    isAway = false;
    expect(await metric('forebay_pending_entries')).toBe(0);
    expect(await kindOf(below.storage.head('under/team/lost'))).toBe('not-found');
  });
});
