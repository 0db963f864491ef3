import { afterEach, expect, test } from '@jest/globals';
import { MemberReports } from '../../../src/gateway/member-reports.ts';
import { type RingNode, RingNodes } from './ring-nodes.ts';

const patienceMs = 120_000;
const withinMs = 2_000;
let ring: RingNodes;
afterEach(() => ring?.close());

/** Each node tells its name, as slowly and as well as `tell` does. */
async function start(tell: (node: RingNode) => Promise<unknown> = async ({ workerId }) => ({ workerId })) {
  ring = await RingNodes.start(3);
  return ring.nodes.map((node) => {
    const reporter = {
      tell: async (kind: string, about: unknown) => ({ kind, about, is: await tell(node) }),
    };
    node.routing.reportWith(reporter);
    return new MemberReports(node.ownership, reporter, (...asked) => node.routing.report(...asked));
  });
}

const inOrder = () => ring.nodes.map(({ workerId }) => workerId).sort();

test(
  'all members tell, each once, whichever is asked',
  async () => {
    for (const reports of await start()) {
      const told = await reports.ask('status', { more: 1 }, 30_000);
      expect(told.map(({ member }) => member.workerId)).toEqual(inOrder());
      for (const { member, told: what, silence } of told) {
        expect([what, silence]).toEqual([
          { kind: 'status', about: { more: 1 }, is: { workerId: member.workerId } },
          undefined,
        ]);
      }
    }
  },
  patienceMs,
);

test(
  'a member that says nothing, cannot be reached, or fails is silent, and the others are heard',
  async () => {
    const [reports] = await start(async (node) => {
      if (node === ring.nodes[1]) throw new Error('the secret reason');
      return node.workerId;
    });
    const [asked, failing, mute] = ring.nodes as [RingNode, RingNode, RingNode];
    mute.stuckIn = 'answers';
    const told = (await reports?.ask('status', {}, withinMs)) ?? [];
    expect(told.map(({ member }) => member.workerId)).toEqual(inOrder());
    const silenceOf = ({ workerId }: RingNode) =>
      told.find(({ member }) => member.workerId === workerId)?.silence;
    expect(silenceOf(asked)).toBeUndefined();
    expect(silenceOf(mute)).toMatch(/^(no answer within 2 s|it does not answer in time)$/);
    expect(silenceOf(failing)).toBeDefined();
    expect(silenceOf(failing)).not.toContain('secret');
    asked.pool.cut.add(failing.workerId);
    const again = (await reports?.ask('status', {}, withinMs)) ?? [];
    expect(again.find(({ member }) => member.workerId === failing.workerId)?.silence).toBe('the way is cut');
  },
  patienceMs,
);

test(
  'a node that cannot come to an end with its own answer is silent too',
  async () => {
    const [reports] = await start((node) =>
      node === ring.nodes[0] ? new Promise(() => {}) : Promise.resolve(node.workerId),
    );
    const told = (await reports?.ask('status', {}, withinMs)) ?? [];
    const own = told.find(({ member }) => member.workerId === ring.nodes[0]?.workerId);
    expect(own?.silence).toBe('no answer within 2 s');
  },
  patienceMs,
);

test(
  'a node that does not know the question, as one of an older version, is silent',
  async () => {
    const [reports] = await start();
    const [, other] = ring.nodes as [RingNode, RingNode];
    other.routing.reportWith(undefined as never);
    const told = (await reports?.ask('status', {}, 30_000)) ?? [];
    expect(told.find(({ member }) => member.workerId === other.workerId)?.silence).toBeDefined();
  },
  patienceMs,
);
