import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import { run } from '../../src/cli/run.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { silentLog } from '../../src/common/log.ts';
import { credentials } from '../gateway/memory-node.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { expectGolden } from './golden.ts';
import { rootKey as root } from './one-node.ts';

const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
const pageBytes = 4 * 1024 * 1024;
const patienceMs = 240_000;

let folder: string;
let below: S3UnderTest;
let outside: S3Client;
let node: RunningNode;
let client: S3Client;
let isAway = false;
let reader: { accessKeyId: string; secretAccessKey: string };
const said: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-outputs-'));
  below = await startS3();
  outside = new S3Client({
    endpoint: `http://127.0.0.1:${below.gateway.port}`,
    region: 'us-east-1',
    credentials,
    forcePathStyle: true,
    maxAttempts: 5,
  });
  below.proxy.rule = () => (isAway ? { kind: 'refuse', status: 503 } : undefined);
  const environment = {
    FOREBAY_DATA: join(folder, 'data'),
    FOREBAY_S3_PORT: '0',
    FOREBAY_ADMIN_PORT: '0',
    FOREBAY_CACHE_DISK: '1GiB',
    FOREBAY_CACHE_SCRUB: '0',
    FOREBAY_FRESHNESS_LEASE: '24h',
  };
  const { settings } = resolveSettings({ flags: new Map(), environment });
  node = await startNode(settings, { root, encryptionKey: Buffer.alloc(32, 7) }, quiet);
  const about = { endpoint: node.s3Url, region: 'us-east-1', credentials: root, maxAttempts: 1 };
  client = new S3Client({ ...about, forcePathStyle: true });
  const where = `--endpoint http://127.0.0.1:${below.proxy.port} --path-style`;
  const key = `--access-key-id ${credentials.accessKeyId} --secret-access-key-env SECRET`;
  expect(await silently(`mount add books s3://under/ ${where} ${key}`)).toBe(0);
  reader = { accessKeyId: 'AKIDOFAREADER0001', secretAccessKey: 'secret-of-a-reader-1' };
  const user = `--access-key-id ${reader.accessKeyId} --secret-access-key ${reader.secretAccessKey}`;
  expect(await silently(`user create reader ${user} --policy readwrite`)).toBe(0);
  for (let index = 0; index < 12; index++) await put(`set/${index}`, someBytes(1_000));
  await put('set/large', someBytes(3 * pageBytes + 5));
}, patienceMs);
afterAll(async () => {
  client.destroy();
  outside.destroy();
  await node.close();
  await below.close();
  await rm(folder, { recursive: true });
}, patienceMs);

/** Past the node. A connection may have been closed for having been idle: then it is tried again. */
function put(Key: string, Body: Buffer) {
  return outside.send(new PutObjectCommand({ Bucket: 'under', Key, Body }));
}

function surroundings(print: (text: string) => void, key = root, url = node.adminUrl) {
  return {
    environment: {
      FOREBAY_ADMIN_URL: url,
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      SECRET: credentials.secretAccessKey,
    },
    print,
    printError: (text: string) => print(text),
    // As in a terminal; what stands in the bar depends on the moment.
    bar: () => {},
  };
}

function silently(line: string): Promise<number> {
  return run(
    line.split(' '),
    surroundings(() => {}),
  );
}

/** Runs a command and writes down what it prints, but for what is different each time. */
async function shown(line: string, key = root, url = node.adminUrl): Promise<string> {
  const lines: string[] = [];
  const exitCode = await run(
    line.replaceAll('FOLDER', folder).split(' '),
    surroundings((text) => lines.push(text), key, url),
  );
  const text = lines
    .join('\n')
    .replaceAll(folder, 'FOLDER')
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, 'http://NODE')
    .replace(/\b[0-9a-f]{8}(-\d)?\b(?! of its| bytes)/g, 'ID$1')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'WHEN')
    .replace(/(time +)[\d.]+ s/g, '$1N s')
    .replace(/(room for) [\d.]+ [KMG]iB/, '$1 N GiB')
    .replace(/(expected time +)\S+ s \(.*\)/, '$1N s (HOW)');
  said.push(`$ forebay ${line}\n${text}\n→ ${exitCode}\n`);
  return text;
}

test(
  'commands that go right',
  async () => {
    await shown('load s3://books/set/ --plan');
    await shown('load s3://books/set/');
    await shown('load s3://books/set/');
    await shown('load s3://books/set/ --verify');
    await shown('free s3://books/set/1* --plan');
    await shown('free s3://books/set/1*');
    await writeFile(join(folder, 'some.txt'), 's3://books/set/11\ns3://books/set/1\n\ns3://books/set/2\n');
    await shown('load --manifest FOLDER/some.txt');
    await silently('free s3://books/set/large');
    await shown('load s3://books/set/large --partial 0-1KiB,-1KiB --plan');
    await shown('load s3://books/set/large --partial 0-1KiB,-1KiB --bandwidth 100MiB --priority high');
    const { Body } = await client.send(
      new GetObjectCommand({ Bucket: 'books', Key: 'set/large', Range: 'bytes=0-99' }),
    );
    expect((await Body?.transformToByteArray())?.length).toBe(100);
    await put('set/0', someBytes(2_000));
    await outside.send(new DeleteObjectCommand({ Bucket: 'under', Key: 'set/5' }));
    await shown('sync s3://books/set/ --plan');
    await shown('sync s3://books/set/');
    await shown('scrub --plan');
    await shown('scrub');
    const text = await shown('load s3://books/set/ --detach');
    expect(text).toContain('the job ID runs');
  },
  patienceMs,
);

test(
  'commands that go wrong',
  async () => {
    await shown('load');
    await shown('load books/set');
    await shown('load s3://nobody/set');
    await shown('load s3://books/nothing/');
    await shown('load s3://books/set/ --bandwidth fast');
    await shown('load s3://books/set/ --partial 5-3');
    await shown('load s3://books/set/ --priority urgent');
    await shown('load --manifest FOLDER/none.txt');
    await writeFile(join(folder, 'wrong.txt'), 's3://books/set/1\ns3://others/2\n');
    await shown('load --manifest FOLDER/wrong.txt');
    await writeFile(join(folder, 'missing.txt'), 's3://books/set/1\ns3://books/set/missing\n');
    await shown('load --manifest FOLDER/missing.txt');
    await shown('load s3://books/set/', reader);
    for (const line of ['free s3://books/set/', 'sync s3://books/set/', 'scrub', 'job list']) {
      await shown(line, reader);
    }
    await shown('load s3://books/set/', { ...root, secretAccessKey: 'another-secret' });
    await shown('load s3://books/set/', root, 'http://127.0.0.1:1');
    await shown('sync s3://nobody/');
    await shown('free s3://nobody/x');
    await shown('job show none');
    await shown('job pause none');
    await silently('free s3://books/set/large');
    await silently('policy set s3://books/set --quota 1MiB');
    await shown('load s3://books/set/large');
    await silently('policy set s3://books/set --quota none --cache never');
    await shown('load s3://books/set/large --plan');
    await shown('load s3://books/set/large');
    await silently('policy remove s3://books/set');
    isAway = true;
    await shown('load s3://books/set/');
    await shown('load s3://books/set/ --plan');
    await shown('free s3://books/set/');
    await shown('sync s3://books/set/');
    isAway = false;
  },
  patienceMs,
);

test('all of it is as it was', async () => {
  await expectGolden('jobs', said.join('\n').trimEnd());
});
