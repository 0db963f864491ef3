import type { Command, Invocation } from '../command.ts';
import { UsageError } from '../errors.ts';
import { columns } from '../text.ts';
import { callAdmin, show } from './shared.ts';

interface RingState {
  readonly generation: number;
  readonly epoch: number;
  readonly mode: string;
  readonly frozen: boolean;
  readonly members: number;
  readonly isMember: boolean;
  readonly hasLease: boolean;
  readonly waitingFor: number;
  readonly leaseMs: number;
  readonly stoppedBecause?: string;
}
interface Plan {
  readonly movedShare: number;
  readonly idealShare: number;
  readonly balance: number;
  readonly movedBytes: number;
  readonly movedKeys: number;
  readonly nodesAsked: number;
  readonly nodesAnswered: number;
  readonly workers: readonly { workerId: string; shareBefore: number; shareAfter: number }[];
}

/** `forebay ring …` */
export const ringCommands: readonly Command[] = [
  {
    words: ['ring', 'show'],
    arguments: [],
    options: [],
    summary: 'Show which view of the cluster this node has applied',
    run: async (invocation) => {
      const ring = await callAdmin<RingState>(invocation, 'GET', '/v1/ring');
      show(invocation, ring, columns(ringRows(ring)));
      return 0;
    },
  },
  {
    words: ['ring', 'plan'],
    arguments: [],
    options: [
      {
        flag: '--add',
        placeholder: 'WEIGHT,…',
        meaning: 'Weights of workers that would come, such as 1,1,2',
      },
      { flag: '--remove', placeholder: 'ID,…', meaning: 'Workers that would go' },
    ],
    summary: 'Show what would move if workers came or went',
    run: async (invocation) => {
      const body = { add: weights(invocation), remove: words(invocation, '--remove') };
      if (body.add.length + body.remove.length === 0) throw new UsageError('give --add, --remove or both');
      const plan = await callAdmin<Plan>(invocation, 'POST', '/v1/ring/plan', body);
      show(invocation, plan, planLines(plan));
      return 0;
    },
  },
  {
    words: ['ring', 'mode'],
    arguments: ['dynamic|static'],
    options: [],
    summary: 'Place pages on the workers that are alive, or on the registered ones',
    run: async (invocation) => {
      const mode = invocation.arguments['dynamic|static'];
      if (mode !== 'dynamic' && mode !== 'static') throw new UsageError('the mode is dynamic or static');
      await callAdmin(invocation, 'POST', '/v1/ring/mode', { mode });
      show(invocation, { mode }, [`the mode of the ring is ${mode}`]);
      return 0;
    },
  },
  {
    words: ['ring', 'thaw'],
    arguments: [],
    options: [],
    summary: 'Place pages on who is alive, though over a third of the workers was lost at once',
    run: async (invocation) => {
      await callAdmin(invocation, 'POST', '/v1/ring/thaw');
      show(invocation, { frozen: false }, ['pages are placed on the workers that are alive']);
      return 0;
    },
  },
  {
    words: ['ring', 'raise-generation'],
    arguments: [],
    options: [],
    summary: 'Go on with an etcd that was restored from a snapshot',
    run: async (invocation) => {
      const name = await callAdmin<{ generation: number; epoch: number }>(
        invocation,
        'POST',
        '/v1/ring/raise-generation',
      );
      show(invocation, name, [`the cluster goes on with generation ${name.generation}, view ${name.epoch}`]);
      return 0;
    },
  },
];

function ringRows(ring: RingState): string[][] {
  return [
    ['view', `${ring.epoch} of generation ${ring.generation}`],
    ['members', String(ring.members)],
    ['mode', ring.frozen ? `${ring.mode}, frozen since over a third of the workers was lost` : ring.mode],
    ['this node', ring.isMember ? 'a member' : 'no member'],
    ['view lease', `${ring.hasLease ? 'valid' : 'not valid'}, ${ring.leaseMs / 1000} s each`],
    ['waiting for', `${ring.waitingFor} members to release what this node has gained`],
    ...(ring.stoppedBecause === undefined ? [] : [['stopped', ring.stoppedBecause]]),
  ];
}

function planLines(plan: Plan): string[] {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  const rows = plan.workers.map((worker) => [
    worker.workerId,
    percent(worker.shareBefore),
    percent(worker.shareAfter),
  ]);
  return [
    `${percent(plan.movedShare)} of the pages would move (${percent(plan.idealShare)} if all parts were even)`,
    `about ${plan.movedKeys} objects and ${plan.movedBytes} bytes, by what ${plan.nodesAnswered} of ${plan.nodesAsked} nodes say that they cache`,
    `the heaviest worker would have ${plan.balance.toFixed(3)} times its part`,
    ...columns([['WORKER', 'BEFORE', 'AFTER'], ...rows]),
  ];
}

function words(invocation: Invocation, flag: string): string[] {
  return (invocation.options.get(flag) ?? '').split(',').filter((word) => word !== '');
}

function weights(invocation: Invocation): number[] {
  return words(invocation, '--add').map((word) => {
    const weight = Number(word);
    if (weight > 0 && weight <= 100) return weight;
    throw new UsageError(`a weight is a number above 0 and up to 100, not ${JSON.stringify(word)}`);
  });
}
