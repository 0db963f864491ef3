import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sign } from 'aws4';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { until } from '../support/until.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { NodesOverEtcd, rootKey } from './nodes-over-etcd.ts';

const patienceMs = 240_000;
const disk = {
  FOREBAY_CACHE_DISK: '64MiB',
  FOREBAY_CACHE_MEMORY: '1MiB',
  FOREBAY_CACHE_MIN_FREE: '0',
  // What a policy or the cluster sets is told from what a node would do by itself, however long that takes.
  FOREBAY_FRESHNESS_LEASE: '24h',
};

await describeOverEtcd('policies of three nodes, each with pages on disk', (program) => {
  let cluster: NodesOverEtcd;
  const nodes: RunningNode[] = [];

  beforeAll(async () => {
    cluster = await NodesOverEtcd.start(program);
    // One of them answers through threads.
    const threads = { ...disk, FOREBAY_IO_THREADS: '2' };
    nodes.push(
      ...(await Promise.all([
        cluster.open('one', threads),
        cluster.open('two', disk),
        cluster.open('three', disk),
      ])),
    );
    expect(await send(0, 'PUT', '/lake')).toMatchObject({ status: 200 });
    await until(async () => (await cli(1, 'node list')).json.length === 3);
    for (const [i] of nodes.entries())
      await until(async () => (await send(i, 'GET', '/lake')).status === 200);
  }, patienceMs);
  afterAll(() => cluster?.close(), patienceMs);

  const cli = (index: number, line: string) => cluster.cli(nodes[index] as RunningNode, line);

  async function send(index: number, method: string, path: string, body?: Buffer) {
    const { s3Url } = nodes[index] as RunningNode;
    const { host } = new URL(s3Url);
    const query = `${path}?X-Amz-Expires=600`;
    const signed = sign(
      { service: 's3', region: 'us-east-1', host, path: query, method, signQuery: true },
      rootKey,
    );
    const answer = await fetch(`${s3Url}${signed.path}`, { method, body: body && new Uint8Array(body) });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return { status: answer.status, bytes, cache: answer.headers.get('x-forebay-cache') };
  }

  /** Objects of 10,000 bytes at the storage, put there by nobody whom the nodes know. */
  async function putBehind(prefix: string, count: number, seed = 1): Promise<string[]> {
    const keys = Array.from({ length: count }, (_, i) => `${prefix}k${i}`);
    for (const [i, key] of keys.entries()) {
      const body = new TestBody(someBytes(10_000, seed + i));
      await cluster.storage.backend.put(`ring/lake/${key}`, body, { headers: {}, userMetadata: {} });
    }
    return keys;
  }

  const readThrough = async (index: number, keys: readonly string[]) => {
    const seen: (string | null)[] = [];
    for (const key of keys) seen.push((await send(index, 'GET', `/lake/${key}`)).cache);
    return seen;
  };
  const du = async (prefix: string) => (await cli(1, `du --cached s3://lake/${prefix}`)).json;

  test(
    'are in force on every node when the command ends, and each reads by them',
    async () => {
      const keys = await putBehind('never/', 6);
      const { json } = await cli(1, 'policy set s3://lake/never --cache never');
      expect(json).toMatchObject({
        nodes: 3,
        nodesInForce: 3,
        policy: { target: 'lake/never/', cache: 'never' },
      });
      for (const [i] of nodes.entries())
        expect(new Set(await readThrough(i, keys))).toEqual(new Set(['bypass']));
      expect(await du('never')).toMatchObject({ pages: 0, bytes: 0, silent: [] });
      expect((await cli(2, 'policy remove s3://lake/never')).json).toMatchObject({ nodesInForce: 3 });
      await readThrough(0, keys);
      for (const [i] of nodes.entries())
        expect(new Set(await readThrough(i, keys))).toEqual(new Set(['hit']));
      expect(await du('never')).toMatchObject({ pages: 6, bytes: 60_000 });
      await cli(0, 'policy set s3://lake/never --cache never');
      await until(async () => (await du('never')).bytes === 0);
    },
    patienceMs,
  );

  test(
    'have what is read twice kept, whichever node it is read through',
    async () => {
      const keys = await putBehind('twice/', 6);
      await cli(0, 'policy set s3://lake/twice --cache second-read');
      expect(new Set(await readThrough(0, keys))).toEqual(new Set(['bypass']));
      expect((await du('twice')).pages).toBe(0);
      expect(new Set(await readThrough(1, keys))).toEqual(new Set(['miss']));
      expect(new Set(await readThrough(2, keys))).toEqual(new Set(['hit']));
      expect(await du('twice')).toMatchObject({ pages: 6, bytes: 60_000 });
    },
    patienceMs,
  );

  test(
    'keep what patterns and sizes let in, and let in what is put through any node',
    async () => {
      await cli(2, 'policy set s3://lake/some --include *.keep,k1 --max-size 20KB');
      const keys = await putBehind('some/', 3);
      expect(await readThrough(0, keys)).toEqual(['bypass', 'miss', 'bypass']);
      for (const [name, size, cache] of [
        ['a.keep', 10_000, 'hit'],
        ['b.keep', 30_000, 'bypass'],
        ['c.other', 10_000, 'bypass'],
      ] as const) {
        expect((await send(0, 'PUT', `/lake/some/${name}`, someBytes(size))).status).toBe(200);
        const { bytes, cache: found } = await send(1, 'GET', `/lake/some/${name}`);
        expect([name, found, bytes.equals(someBytes(size))]).toEqual([name, cache, true]);
      }
    },
    patienceMs,
  );

  test(
    'end the time of pages that are there already, on every node',
    async () => {
      const keys = await putBehind('short/', 6);
      await readThrough(0, keys);
      expect(new Set(await readThrough(1, keys))).toEqual(new Set(['hit']));
      await cli(1, 'policy set s3://lake/short --ttl 1s');
      for (const [i, key] of keys.entries()) {
        await until(async () => (await send(i % nodes.length, 'GET', `/lake/${key}`)).cache === 'miss');
      }
      await until(async () => (await du('short')).bytes === 0);
    },
    patienceMs,
  );

  test(
    'hold a quota over all nodes, and nobody else loses a page for it',
    async () => {
      const others = await putBehind('others/', 30);
      await readThrough(0, others);
      expect(await du('others')).toMatchObject({ pages: 30, bytes: 300_000 });
      await cli(0, 'policy set s3://lake/team --quota 300KB');
      const keys = await putBehind('team/', 60);
      for (const [i] of nodes.entries()) {
        await readThrough(i, keys);
        expect((await du('team')).bytes).toBeLessThanOrEqual(300_000);
      }
      expect((await du('team')).bytes).toBeGreaterThan(150_000);
      const { policies } = (await cli(2, 'policy list')).json;
      const own = policies.find(({ target }: { target: string }) => target === 'lake/team/');
      expect(own).toMatchObject({ quota: '300000B', limit: 300_000, held: (await du('team')).bytes });
      expect(await du('others')).toMatchObject({ pages: 30, bytes: 300_000 });
      await cli(1, 'policy set s3://lake/team --quota 60KB');
      await until(async () => (await du('team')).bytes <= 60_000);
    },
    patienceMs,
  );

  test(
    'decide how old metadata may be, prefix by prefix, at once',
    async () => {
      const [fresh, old] = ['fresh/k0', 'old/k0'];
      await cli(0, 'policy set s3://lake/old --freshness immutable');
      await cli(0, 'policy set s3://lake/fresh --freshness lease:1h');
      for (const prefix of ['fresh/', 'old/']) await putBehind(prefix, 1);
      const first = await send(1, 'GET', `/lake/${fresh}`);
      await send(1, 'GET', `/lake/${old}`);
      for (const prefix of ['fresh/', 'old/']) await putBehind(prefix, 1, 77);
      expect((await send(2, 'GET', `/lake/${fresh}`)).bytes.equals(first.bytes)).toBe(true);
      await cli(1, 'policy set s3://lake/fresh --freshness always');
      for (const [i] of nodes.entries()) {
        expect((await send(i, 'GET', `/lake/${fresh}`)).bytes.equals(someBytes(10_000, 77))).toBe(true);
        expect((await send(i, 'GET', `/lake/${old}`)).bytes.equals(someBytes(10_000, 1))).toBe(true);
      }
      const { fields } = (await cli(2, `policy explain s3://lake/${fresh}`)).json;
      expect(fields.at(-1)).toEqual({ name: 'freshness', value: 'always', from: 's3://lake/fresh/' });
    },
    patienceMs,
  );

  test(
    'pin what there is room for, and refuse more in words',
    async () => {
      const refused = await cli(0, 'policy set s3://lake/pinned --pin yes --quota 150MiB');
      expect([refused.exitCode, refused.json]).toEqual([
        1,
        expect.stringContaining('at most half of what all nodes have for pages can be (96MiB)'),
      ]);
      const large = await cli(0, 'policy set s3://lake/pinned --quota 1TiB');
      expect([large.exitCode, large.json]).toEqual([
        1,
        expect.stringContaining('the quota 1TiB is too large: all nodes together have 192MiB for pages'),
      ]);
      expect((await cli(0, 'policy set s3://lake/pinned --pin yes --quota 10MiB')).exitCode).toBe(0);
    },
    patienceMs,
  );

  test(
    'stand beside settings that are changed on all nodes while they run',
    async () => {
      const [key = ''] = await putBehind('later/', 1);
      const fresh = async (index: number, seed: number) =>
        (await send(index, 'GET', `/lake/${key}`)).bytes.equals(someBytes(10_000, seed));
      expect((await cli(1, 'config set freshness.lease 12h')).json).toMatchObject({
        nodes: 3,
        nodesInForce: 3,
      });
      expect(await fresh(0, 1)).toBe(true);
      await putBehind('later/', 1, 99);
      for (const [i] of nodes.entries()) expect(await fresh(i, 1)).toBe(true);
      expect((await cli(2, 'config set freshness.lease 1s')).json).toMatchObject({ nodesInForce: 3 });
      for (const [i] of nodes.entries()) await until(() => fresh(i, 99));
      const listed = (await cli(0, 'config list')).json as { key: string; value: string; from: string }[];
      expect(listed.filter(({ from }) => from === 'cluster')).toEqual([
        { key: 'freshness.lease', value: '1s', from: 'cluster' },
      ]);
      expect((await cli(0, 'config unset freshness.lease')).json).toMatchObject({ nodesInForce: 3 });
    },
    patienceMs,
  );

  test(
    'are the same after a node was ended and started again, and so is what it holds',
    async () => {
      const before = await du('');
      const two = nodes[1] as RunningNode;
      await cluster.end(two);
      nodes[1] = await cluster.open('two', disk);
      await until(async () => (await cli(0, 'node list')).json.length === 3);
      const { policies } = (await cli(1, 'policy list')).json;
      expect(policies.map(({ target }: { target: string }) => target)).toEqual(
        ['fresh/', 'never/', 'old/', 'pinned/', 'short/', 'some/', 'team/', 'twice/'].map(
          (prefix) => `lake/${prefix}`,
        ),
      );
      await until(async () => (await du('')).nodes.length === 3);
      expect((await du('')).bytes).toBe(before.bytes);
      // What moves with a node is told of what all of them hold.
      const [{ workerId }] = (await cli(0, 'node list')).json;
      const plan = (await cli(2, `ring plan --remove ${workerId}`)).json;
      expect([plan.nodesAnswered, plan.movedBytes > 0, plan.movedKeys > 0]).toEqual([3, true, true]);
    },
    patienceMs,
  );
});
