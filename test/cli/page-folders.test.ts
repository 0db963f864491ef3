import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startNode } from '../../src/cli/node.ts';
import { prepareSecrets } from '../../src/cli/node-secrets.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { DiskPageStore } from '../../src/worker/disk-page-store.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';

let data: string;
let folder: string;
let node: RunningNode | undefined;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'forebay-folders-'));
  folder = join(data, 'disk');
});
afterEach(async () => {
  await node?.close();
  node = undefined;
  await rm(data, { recursive: true });
});

function settings() {
  const environment = {
    FOREBAY_DATA: join(data, 'node'),
    FOREBAY_S3_PORT: '0',
    FOREBAY_ADMIN_PORT: '0',
    FOREBAY_CACHE_FOLDERS: `${folder}=64MiB`,
  };
  return resolveSettings({ flags: new Map(), environment }).settings;
}

async function start(): Promise<RunningNode> {
  const { secrets } = await prepareSecrets(settings(), systemRandom);
  const log = silentLog();
  node = await startNode(settings(), secrets, { log, lines: { write: () => {} }, droppedLines: () => 0 });
  return node;
}

async function readiness(): Promise<{ status: number; json: Record<string, unknown> }> {
  const answer = await fetch(`${node?.adminUrl}/readyz`);
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

test('a page folder that cannot be used leaves the node ready, which says so and why', async () => {
  await writeFile(folder, 'in the way');
  await start();
  expect(await readiness()).toEqual({
    status: 200,
    json: {
      status: 'ready',
      pageFoldersPassedBy: [{ path: folder, reason: 'io', message: expect.stringContaining('ENOTDIR') }],
    },
  });
});

test('of page folders that are used nothing is said', async () => {
  await start();
  expect(await readiness()).toEqual({ status: 200, json: { status: 'ready' } });
});

const kept = pageKey({ incarnation: 'gone' });

async function openFolder(): Promise<DiskPageStore> {
  const settings = { directories: [{ path: folder, capacityBytes: 64 * 1024 * 1024 }] };
  return DiskPageStore.open(systemClock, new Metrics(), silentLog(), settings);
}

async function client(endpoint: string): Promise<S3Client> {
  const { secrets } = await prepareSecrets(settings(), systemRandom);
  return new S3Client({ endpoint, region: 'us-east-1', credentials: secrets.root, forcePathStyle: true });
}

test('at the start pages of what is no mount and no bucket any more are dropped, and others stay', async () => {
  const s3 = await client((await start()).s3Url);
  await s3.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'key', Body: 'some bytes' }));
  await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'key' }));
  await node?.close();
  const before = await openFolder();
  const ownPages = before.usage.pages;
  await before.write(kept, pageBytes(1000));
  await before.close();
  await start();
  await node?.close();
  node = undefined;
  const after = await openFolder();
  expect([ownPages, after.has(kept), after.usage.pages]).toEqual([1, false, 1]);
  await after.close();
});
