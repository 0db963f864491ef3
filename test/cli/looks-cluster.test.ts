import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { until } from '../support/until.ts';
import { NodesOverEtcd } from './nodes-over-etcd.ts';

const patienceMs = 240_000;

await describeOverEtcd('a cluster that is looked at', (program) => {
  let cluster: NodesOverEtcd;
  let one: RunningNode;
  let two: RunningNode;

  beforeAll(async () => {
    cluster = await NodesOverEtcd.start(program);
    [one, two] = (await Promise.all(['one', 'two'].map((name) => cluster.open(name)))) as [
      RunningNode,
      RunningNode,
    ];
    await until(async () => (await cluster.cli(one, 'node list')).json.length === 2);
  }, patienceMs);
  afterAll(async () => {
    await cluster?.close();
  }, patienceMs);

  test(
    'is shown whole by each of its nodes',
    async () => {
      for (const node of [one, two]) {
        const { json } = await cluster.cli(node, 'status');
        expect(
          json.nodes.map((row: { state: string; told?: object }) => [row.state, row.told !== undefined]),
        ).toEqual([
          ['joined', true],
          ['joined', true],
        ]);
        const self = json.nodes.filter((row: { isThisNode: boolean }) => row.isThisNode);
        expect(self.map((row: { admin: string }) => row.admin)).toEqual([node.adminUrl]);
        expect(json.mounts[0]).toMatchObject({ name: '(root)', asked: 2, faults: [] });
        expect([json.health, json.alarms]).toEqual(['ok', []]);
      }
    },
    patienceMs,
  );

  test(
    'has one audit log, of all nodes',
    async () => {
      await cluster.cli(one, 'user create ann --policy readwrite');
      await cluster.cli(two, 'user create bob --policy readwrite');
      await cluster.cli(two, 'user delete ann');
      const { json } = await cluster.cli(one, 'audit');
      const { entries, silent } = json as {
        entries: { change: string; outcome: string; node: string }[];
        silent: unknown[];
      };
      expect(entries.map(({ change, outcome }) => `${change} ${outcome}`)).toEqual([
        'CreateUser OK',
        'CreateUser OK',
        'DeleteUser OK',
      ]);
      const [first, second, third] = entries.map(({ node }) => node);
      expect([first === second, second === third, silent]).toEqual([false, true, []]);
    },
    patienceMs,
  );

  test(
    'names one owner of an object, whichever node is asked, and finds a refusal wherever it was',
    async () => {
      const owners = new Set<string>();
      for (const node of [one, two]) {
        const { json } = await cluster.cli(node, 'explain s3://none/key');
        expect(json).toContain('does not exist');
        const refused = await fetch(`${node.s3Url}/`);
        const id = refused.headers.get('x-amz-request-id');
        for (const asked of [one, two]) {
          const found = await cluster.cli(asked, `explain --request ${id}`);
          expect(found.json.code).toBe('AccessDenied');
          owners.add(found.json.workerId);
        }
      }
      expect(owners.size).toBe(2);
    },
    patienceMs,
  );

  test(
    'does not miss a node that was ended in good order',
    async () => {
      await cluster.end(two);
      await until(async () => (await cluster.cli(one, 'node list')).json.length === 1);
      const { json } = await cluster.cli(one, 'status');
      expect([json.nodes.length, json.health]).toEqual([1, 'ok']);
    },
    patienceMs,
  );
});
