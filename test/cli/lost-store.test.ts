import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { startNode } from '../../src/cli/node.ts';
import { prepareSecrets } from '../../src/cli/node-secrets.ts';
import { run } from '../../src/cli/run.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemRandom } from '../../src/common/random.ts';

let data: string;
let node: RunningNode | undefined;
let lines: string[];
let environment: Record<string, string>;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'forebay-lost-'));
  environment = { FOREBAY_DATA: data, FOREBAY_S3_PORT: '0', FOREBAY_ADMIN_PORT: '0' };
});
afterEach(async () => {
  await node?.close();
  node = undefined;
  await rm(data, { recursive: true });
});

async function start(): Promise<RunningNode> {
  const { settings } = resolveSettings({ flags: new Map(), environment });
  const { secrets } = await prepareSecrets(settings, systemRandom);
  lines = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  node = await startNode(settings, secrets, { log, lines: { write: () => {} }, droppedLines: () => 0 });
  return node;
}

async function createUser(name: string, policy: string): Promise<S3Client> {
  let printed = '';
  const exitCode = await run(['user', 'create', name, '--policy', policy, '--json'], {
    environment: { ...environment, FOREBAY_ADMIN_URL: node?.adminUrl ?? '' },
    print: (text) => {
      printed += text;
    },
    printError: () => {},
  });
  expect(exitCode).toBe(0);
  return new S3Client({
    endpoint: node?.s3Url,
    region: 'us-east-1',
    credentials: JSON.parse(printed),
    forcePathStyle: true,
    maxAttempts: 1,
  });
}

test('a node that has lost its coordination store names the buckets it finds, and gives them to no user but an admin', async () => {
  await start();
  const alice = await createUser('alice', 'readwrite');
  const Bucket = 'secret';
  await alice.send(new CreateBucketCommand({ Bucket }));
  await alice.send(new PutObjectCommand({ Bucket, Key: 's', Body: 'private' }));
  await node?.close();
  expect(lines).toEqual([]);

  await truncate(join(data, 'coord.sqlite'), 0);
  await start();
  while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(lines.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ buckets: [Bucket] })]);
  const eve = await createUser('eve', 'readwrite');
  await expect(eve.send(new CreateBucketCommand({ Bucket }))).rejects.toMatchObject({
    name: 'BucketAlreadyExists',
  });
  expect((await eve.send(new ListBucketsCommand({}))).Buckets ?? []).toEqual([]);
  const admin = await createUser('boss', 'admin');
  await admin.send(new CreateBucketCommand({ Bucket }));
  const { Body } = await admin.send(new GetObjectCommand({ Bucket, Key: 's' }));
  expect(await Body?.transformToString()).toBe('private');
  await expect(eve.send(new GetObjectCommand({ Bucket, Key: 's' }))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
});
