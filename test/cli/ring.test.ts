import { afterEach, expect, test } from '@jest/globals';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { until } from '../support/until.ts';
import { NodesOverEtcd } from './nodes-over-etcd.ts';

const patienceMs = 240_000;

await describeOverEtcd('the ring of a cluster over etcd', (program) => {
  let nodes: NodesOverEtcd | undefined;

  afterEach(async () => {
    await nodes?.close();
    nodes = undefined;
  }, patienceMs);

  async function start(): Promise<NodesOverEtcd> {
    nodes = await NodesOverEtcd.start(program);
    return nodes;
  }

  async function readyz(node: RunningNode) {
    const response = await fetch(`${node.adminUrl}/readyz`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  const states = async (cluster: NodesOverEtcd, node: RunningNode) =>
    ((await cluster.cli(node, 'node list')).json as { state: string }[]).map(({ state }) => state);

  test(
    'has the nodes that are ready, and is told by any of them',
    async () => {
      const cluster = await start();
      const [one, two] = await Promise.all(['one', 'two'].map((name) => cluster.open(name)));
      if (!one || !two) throw new Error('two nodes were started');
      for (const node of [one, two]) {
        await until(async () => (await states(cluster, node)).length === 2);
        expect(await readyz(node)).toMatchObject({
          status: 200,
          body: { ring: { members: 2, hasLease: true } },
        });
      }
      const { json: list } = await cluster.cli(one, 'node list');
      expect(list.map(({ s3 }: { s3: string }) => s3).sort()).toEqual([one.s3Url, two.s3Url].sort());
      expect(list[0].share + list[1].share).toBeCloseTo(1, 9);
      const { json: ring } = await cluster.cli(two, 'ring show');
      expect(ring).toMatchObject({
        generation: 1,
        mode: 'dynamic',
        members: 2,
        isMember: true,
        frozen: false,
      });
      const { json: plan } = await cluster.cli(one, 'ring plan --add 1,2');
      expect(plan.movedShare).toBeGreaterThan(0.55);
      expect(plan.movedShare / plan.idealShare).toBeLessThan(1.15);
      expect(plan.workers).toHaveLength(4);
      expect([plan.nodesAsked, plan.nodesAnswered]).toEqual([2, 2]);
      const { json: without } = await cluster.cli(one, `ring plan --remove ${list[0].workerId}`);
      expect(without.movedShare).toBeCloseTo(list[0].share, 6);
      expect((await cluster.cli(one, 'ring plan --remove nobody')).exitCode).toBe(1);
      expect((await cluster.cli(one, 'ring raise-generation')).exitCode).toBe(1);
    },
    patienceMs,
  );

  test(
    'loses a node that is drained, and one that ends',
    async () => {
      const cluster = await start();
      const one = await cluster.open('one');
      const two = await cluster.open('two');
      expect((await cluster.cli(two, 'node drain')).exitCode).toBe(0);
      expect(await readyz(two)).toMatchObject({
        status: 503,
        body: { message: 'the node has been drained' },
      });
      await until(async () => (await states(cluster, one)).sort().join() === 'draining,joined');
      await cluster.end(two);
      await until(async () => (await states(cluster, one)).join() === 'joined');
      await cluster.end(await cluster.open('two'));
      await until(async () => (await states(cluster, one)).join() === 'joined');
    },
    patienceMs,
  );

  test(
    'refuses a node with a copied data folder while the original runs, and none that has no address',
    async () => {
      const cluster = await start();
      await cluster.open('one');
      await cluster.copyFolder('one', 'copy');
      await expect(cluster.open('copy')).rejects.toThrow(/its data folder is a copy/);
      await expect(cluster.open('bare', { FOREBAY_HOST: '0.0.0.0' })).rejects.toThrow(
        /FOREBAY_ADVERTISE_HOST/,
      );
      const named = { FOREBAY_HOST: '0.0.0.0', FOREBAY_ADVERTISE_HOST: '127.0.0.2' };
      const node = await cluster.open('bare', named);
      const { json } = await cluster.cli(node, 'node list');
      expect(json.map(({ host }: { host: string }) => host).sort()).toEqual(['127.0.0.1', '127.0.0.2']);
    },
    patienceMs,
  );

  test(
    'does not take in a node that has another secret',
    async () => {
      const cluster = await start();
      const one = await cluster.open('one');
      await cluster.open('two');
      await expect(cluster.open('other', await cluster.otherSecret())).rejects.toThrow(
        /secret .* is another one/,
      );
      expect((await states(cluster, one)).sort().join()).toBe('joined,joined');
    },
    patienceMs,
  );

  test(
    'takes back a node that etcd had lost, and nobody acts on an old view meanwhile',
    async () => {
      const cluster = await start();
      const one = await cluster.open('one');
      const two = await cluster.open('two');
      const hasLease = async (node: RunningNode) => (await cluster.cli(node, 'ring show')).json.hasLease;
      cluster.proxyOf('two').cutOff();
      await until(async () => (await states(cluster, one)).length === 1);
      expect(await hasLease(two)).toBe(false);
      cluster.proxyOf('two').mend();
      await until(async () => (await states(cluster, one)).length === 2);
      await until(() => hasLease(two));
    },
    patienceMs,
  );

  test(
    'places pages on registered workers in static mode, until they are removed',
    async () => {
      const cluster = await start();
      const one = await cluster.open('one');
      const two = await cluster.open('two');
      expect((await cluster.cli(one, 'ring mode static')).exitCode).toBe(0);
      await until(async () => (await cluster.cli(one, 'ring show')).json.mode === 'static');
      await cluster.end(two);
      let away: { workerId: string; state: string; share: number } | undefined;
      await until(async () => {
        const { json } = await cluster.cli(one, 'node list');
        away = json.find(({ state }: { state: string }) => state === 'away');
        return away !== undefined && away.share > 0.4;
      });
      expect((await cluster.cli(one, `node remove ${away?.workerId}`)).exitCode).toBe(0);
      await until(async () => (await cluster.cli(one, 'node list')).json[0].share === 1);
    },
    patienceMs,
  );
});
