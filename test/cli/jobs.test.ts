import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { silentLog } from '../../src/common/log.ts';
import { credentials } from '../gateway/memory-node.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { rootKey as root } from './one-node.ts';
import { say } from './say.ts';

const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
const small = 40;
const pageBytes = 4 * 1024 * 1024;
const largeBytes = 3 * pageBytes + 5;

let folder: string;
let below: S3UnderTest;
let node: RunningNode;
let client: S3Client;
/** GETs that the storage behind was sent. */
let gets = 0;
/** What the storage refuses to give. */
let refused = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-jobs-'));
  below = await startS3();
  below.proxy.rule = ({ method, url }) => {
    if (method === 'GET' && !url.includes('list-type')) gets++;
    return refused !== '' && url.includes(refused) ? { kind: 'refuse', status: 403 } : undefined;
  };
  const environment = { FOREBAY_DATA: folder, FOREBAY_S3_PORT: '0', FOREBAY_ADMIN_PORT: '0' };
  const { settings } = resolveSettings({ flags: new Map(), environment });
  node = await startNode(settings, { root, encryptionKey: Buffer.alloc(32, 7) }, quiet);
  const about = { endpoint: node.s3Url, region: 'us-east-1', credentials: root, maxAttempts: 1 };
  client = new S3Client({ ...about, forcePathStyle: true });
  const where = `--endpoint http://127.0.0.1:${below.proxy.port} --path-style`;
  const key = `--access-key-id ${credentials.accessKeyId} --secret-access-key-env SECRET`;
  await forebay(`mount add books s3://under/ ${where} ${key}`);
  await Promise.all(
    Array.from({ length: small }, (_, index) => put(`set/${index}`, someBytes(1_000 + index))),
  );
  await put('set/large', someBytes(largeBytes));
  gets = 0;
}, 120_000);
afterAll(async () => {
  client.destroy();
  await node.close();
  await below.close();
  await rm(folder, { recursive: true });
});

/** Past the node. */
function put(Key: string, Body: Buffer) {
  return below.gateway.client.send(new PutObjectCommand({ Bucket: 'under', Key, Body }));
}

async function forebay(line: string) {
  const { exitCode, said } = await say(node, line, credentials.secretAccessKey);
  return { exitCode, said, last: said.split('\n').at(-1) as string };
}

test('what was loaded is read without asking the storage for a byte; a plan says the same before', async () => {
  const smallBytes = (small * (small - 1)) / 2 + small * 1_000;
  const expected = {
    listed: { complete: true, objects: small + 1, bytes: smallBytes + largeBytes },
    objects: { loaded: small + 1, cached: 0, failed: 0, gone: 0 },
    bytes: { loaded: smallBytes + largeBytes, cached: 0 },
  };
  const plan = await forebay('load s3://books/set/ --plan');
  expect(JSON.parse(plan.last)).toMatchObject({ ...expected, plan: true, state: 'succeeded' });
  expect(gets).toBe(0);
  const load = await forebay('load s3://books/set/');
  expect(load.exitCode).toBe(0);
  expect(JSON.parse(load.last)).toMatchObject({ ...expected, plan: false, state: 'succeeded' });
  // The large one's pages come out of one read.
  expect(gets).toBe(small + 1);
  for (const key of ['set/0', 'set/17', 'set/large']) {
    const answer = await client.send(new GetObjectCommand({ Bucket: 'books', Key: key }));
    await answer.Body?.transformToByteArray();
  }
  expect(gets).toBe(small + 1);
  const again = JSON.parse((await forebay('load s3://books/set/')).last);
  expect(again).toMatchObject({ state: 'succeeded', objects: { loaded: 0, cached: small + 1 } });
}, 120_000);

test('what was freed is asked of the storage again', async () => {
  const plan = JSON.parse((await forebay('free s3://books/set/large --plan')).last);
  expect(plan).toMatchObject({ objects: { freed: 1 }, bytes: { freed: largeBytes } });
  const free = JSON.parse((await forebay('free s3://books/set/large')).last);
  expect(free).toMatchObject({ state: 'succeeded', objects: { freed: 1 }, bytes: { freed: largeBytes } });
  const load = JSON.parse((await forebay('load s3://books/set/large')).last);
  expect(load).toMatchObject({ objects: { loaded: 1 }, bytes: { loaded: largeBytes } });
}, 120_000);

test('a load that fails names the objects, and ends with 1', async () => {
  await forebay('free s3://books/set/3');
  refused = 'set/33';
  await forebay('free s3://books/set/33');
  const load = await forebay('load s3://books/set/3');
  refused = '';
  expect(load.exitCode).toBe(1);
  const job = JSON.parse(load.last);
  expect(job).toMatchObject({ state: 'failed', objects: { failed: 1 } });
  expect(job.failures).toEqual([{ key: 'set/33', reason: expect.any(String) }]);
  const shown = await forebay(`job show ${job.id}`);
  expect(shown).toMatchObject({ exitCode: 1, said: expect.stringContaining('set/33: ') });
  expect((await forebay('job list')).said).toContain(job.id);
}, 120_000);

test('what goes wrong is said', async () => {
  expect(await forebay('load s3://nobody/x')).toMatchObject({
    exitCode: 1,
    said: 'forebay: there is no bucket "nobody"',
  });
  expect(await forebay('load books/set')).toMatchObject({
    exitCode: 2,
    said: expect.stringContaining('what is meant is written as s3://BUCKET[/PREFIX], not "books/set"'),
  });
  expect(await forebay('load s3://books/set/ --bandwidth fast')).toMatchObject({ exitCode: 2 });
  expect(await forebay('job show none')).toMatchObject({
    exitCode: 1,
    said: 'forebay: there is no job none',
  });
  const nothing = await forebay('load s3://books/nothing/');
  expect(nothing.exitCode).toBe(1);
  expect(JSON.parse(nothing.last)).toMatchObject({ state: 'failed', reason: 'no object was found there' });
}, 120_000);
