import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { OneNode } from './one-node.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const diskBytes = 16 * MiB;
/** Room is made by so much at once. */
const regionBytes = diskBytes / 32;
/** For what is carried, and for the log of removals, old and new. */
const keptFreeBytes = regionBytes + (2 * diskBytes) / 64;
const patienceMs = 120_000;

let node: OneNode;

beforeEach(async () => {
  node = await OneNode.start({
    FOREBAY_PAGE_SIZE: '64KiB',
    FOREBAY_CACHE_MEMORY: '0',
    FOREBAY_CACHE_DISK: String(diskBytes),
    FOREBAY_CACHE_MIN_FREE: '0',
    FOREBAY_CACHE_SCRUB: '0',
  });
  await mkdir(join(node.folder, 'lake'));
  await forebay(`mount add lake file://${join(node.folder, 'lake')} --freshness lease:1h`);
}, patienceMs);
afterEach(() => node?.close(), patienceMs);

async function forebay(line: string): Promise<void> {
  const { exitCode, err } = await node.forebay(line);
  expect([exitCode, err]).toEqual([0, '']);
}

const nameOf = (folder: string, index: number) => `${folder}/object-${String(index).padStart(2, '0')}`;

/** Objects of 1 MiB each, past the node. */
async function put(folder: string, count: number): Promise<void> {
  await mkdir(join(node.folder, 'lake', folder), { recursive: true });
  for (let i = 0; i < count; i++) {
    await writeFile(join(node.folder, 'lake', nameOf(folder, i)), Buffer.alloc(MiB, i + 1));
  }
}

async function read(folder: string, count: number): Promise<void> {
  const client = node.client();
  for (let i = 0; i < count; i++) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'lake', Key: nameOf(folder, i) }));
    await Body?.transformToByteArray();
  }
  client.destroy();
}

/** How a job ended. */
async function job(line: string) {
  const { out, exitCode } = await node.forebay(line);
  const { state, objects, bytes, forecast, failures } = JSON.parse(out.split('\n').at(-1) as string);
  return { exitCode, state, objects, bytes, forecast, failures };
}

async function heldBytes(prefix = ''): Promise<number> {
  return JSON.parse((await node.forebay(`du --cached s3://lake/${prefix} --json`)).out).bytes;
}

test(
  'a load evicts nothing that is pinned or read again and again, and names what it could not keep',
  async () => {
    await forebay('policy set s3://lake/pinned --pin yes --quota 6MiB');
    await put('pinned', 6);
    await put('hot', 3);
    await put('cold', 12);
    expect(await job('load s3://lake/pinned/')).toMatchObject({ exitCode: 0, objects: { loaded: 6 } });
    for (let times = 0; times < 4; times++) await read('hot', 3);
    const verified = await job('load s3://lake/cold/ --verify');
    expect([await heldBytes('pinned'), await heldBytes('hot')]).toEqual([6 * MiB, 3 * MiB]);
    expect(verified).toMatchObject({ exitCode: 1, state: 'failed' });
    const { loaded, cached, failed } = verified.objects;
    expect([loaded, cached + failed, failed > 0]).toEqual([0, 12, true]);
    expect(verified.failures).toHaveLength(failed);
    for (const { key, reason } of verified.failures) {
      expect(key).toMatch(/^cold\/object-\d\d$/);
      expect(reason).toMatch(
        /^\d+ of its 1048576 bytes had gone once more: is there room for all that is loaded\?$/,
      );
    }
    expect(await job('load s3://lake/pinned/')).toMatchObject({ objects: { loaded: 0, cached: 6 } });
  },
  patienceMs,
);

test(
  'a load of what counts for a quota that pinned pages fill keeps none of it, and names each object',
  async () => {
    await forebay('policy set s3://lake/team --quota 5MiB');
    await forebay('policy set s3://lake/team/pinned --pin yes --quota 5MiB');
    await put('team/pinned', 5);
    await put('team/more', 2);
    expect(await job('load s3://lake/team/pinned/')).toMatchObject({ exitCode: 0, objects: { loaded: 5 } });
    const { exitCode, failures } = await job('load s3://lake/team/more/');
    const reason = '1048576 of its 1048576 bytes were not kept: no room, or not to be cached';
    expect(exitCode).toBe(1);
    expect(failures).toEqual([0, 1].map((index) => ({ key: nameOf('team/more', index), reason })));
    expect([await heldBytes('team/pinned'), await heldBytes('team/more')]).toEqual([5 * MiB, 0]);
  },
  patienceMs,
);

test(
  'the bytes that a plan says have to go are those that go, but for a region and what is kept free',
  async () => {
    await put('first', 10);
    await put('second', 4);
    await put('third', 8);
    await job('load s3://lake/first/');
    for (const [folder, count, isFull] of [
      ['second', 4, false],
      ['third', 8, true],
    ] as const) {
      const before = await heldBytes();
      const plan = await job(`load s3://lake/${folder}/ --plan`);
      expect(plan.bytes.loaded).toBe(count * MiB);
      expect(await heldBytes()).toBe(before);
      const load = await job(`load s3://lake/${folder}/`);
      expect([load.objects, load.bytes.loaded]).toEqual([plan.objects, plan.bytes.loaded]);
      const gone = before + load.bytes.loaded - (await heldBytes());
      const { evictedBytes } = plan.forecast;
      expect([evictedBytes > 0, gone > 0]).toEqual([isFull, isFull]);
      // What goes is what lay there before, not what was just loaded.
      expect(await heldBytes(folder)).toBe(count * MiB);
      expect(gone).toBeGreaterThanOrEqual(evictedBytes - regionBytes);
      expect(gone).toBeLessThanOrEqual(evictedBytes + regionBytes + keptFreeBytes);
    }
  },
  patienceMs,
);
