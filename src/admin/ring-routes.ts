import { inTurns } from '../common/steps.ts';
import type { ClusterMember } from '../ring/cluster-member.ts';
import { Ring } from '../ring/ring.ts';
import { planRing, type RingPlan } from '../ring/ring-plan.ts';
import { AdminError } from './admin-error.ts';
import { askHoldings, type HeldByAll } from './holdings-of-all.ts';
import {
  type AdminRoute,
  type AdminServices,
  flag,
  integer,
  type Look,
  list,
  nothing,
  number,
  object,
  shortText,
  text,
} from './route.ts';

const maxChanges = 2_000;
/** Long enough for a lease to be waited for. */
const drainMs = 10_000;

const node = object(
  {
    workerId: text,
    state: text,
    weight: number,
    share: number,
    incarnation: text,
    host: text,
    peerPort: integer,
    s3: text,
    admin: text,
    isThisNode: flag,
  },
  ['workerId', 'state', 'weight', 'share', 'isThisNode'],
);

const lookAtRing: Look = (services) => showRing(memberOf(services));

/** The cluster's ring and its nodes. */
export const ringRoutes: readonly AdminRoute[] = [
  {
    name: 'ShowRing',
    method: 'GET',
    path: '/v1/ring',
    summary: 'The view that this node has applied, and how it stands to it',
    answer: object(
      {
        generation: integer,
        epoch: integer,
        mode: text,
        virtualNodes: integer,
        leaseMs: integer,
        frozen: flag,
        members: integer,
        isMember: flag,
        hasLease: flag,
        waitingFor: integer,
        stoppedBecause: text,
      },
      [
        'generation',
        'epoch',
        'mode',
        'virtualNodes',
        'leaseMs',
        'frozen',
        'members',
        'isMember',
        'hasLease',
        'waitingFor',
      ],
    ),
    fails: ['NoCluster'],
    changes: 'nothing',
    handler: async (services) => ({ status: 200, body: showRing(memberOf(services)) }),
  },
  {
    name: 'PlanRing',
    method: 'POST',
    path: '/v1/ring/plan',
    summary: 'What would move if workers came or went; nothing is changed',
    body: object(
      {
        add: {
          type: 'array',
          items: { type: 'number', exclusiveMinimum: 0, maximum: 100 },
          maxItems: maxChanges,
        },
        remove: { type: 'array', items: shortText(64), maxItems: maxChanges },
      },
      [],
    ),
    answer: object(
      {
        movedShare: number,
        idealShare: number,
        balance: number,
        movedBytes: integer,
        movedKeys: integer,
        nodesAsked: integer,
        nodesAnswered: integer,
        workers: list(
          object({ workerId: text, shareBefore: number, shareAfter: number, shareLost: number }, [
            'workerId',
            'shareBefore',
            'shareAfter',
            'shareLost',
          ]),
        ),
      },
      [
        'movedShare',
        'idealShare',
        'balance',
        'movedBytes',
        'movedKeys',
        'nodesAsked',
        'nodesAnswered',
        'workers',
      ],
    ),
    fails: ['NoCluster', 'NotFound'],
    changes: 'nothing',
    handler: async (services, { body }) => ({
      status: 200,
      body: await plan(services, body as { add?: number[]; remove?: string[] }),
    }),
  },
  {
    name: 'SetRingMode',
    method: 'POST',
    path: '/v1/ring/mode',
    summary: 'Places pages on the workers that are alive (dynamic) or on the registered ones (static)',
    body: object({ mode: { type: 'string', enum: ['dynamic', 'static'] } }, ['mode']),
    answer: nothing,
    fails: ['NoCluster'],
    changes: lookAtRing,
    handler: async (services, { body }) => {
      const { control, standing } = memberOf(services);
      await control.setMode((body as { mode: 'dynamic' | 'static' }).mode, standing.view?.members ?? []);
      return { status: 200, body: {} };
    },
  },
  {
    name: 'ThawRing',
    method: 'POST',
    path: '/v1/ring/thaw',
    summary: 'Places pages on who is alive, though over a third of the workers was lost at once',
    answer: nothing,
    fails: ['NoCluster'],
    changes: lookAtRing,
    handler: async (services) => {
      await memberOf(services).control.thaw();
      return { status: 200, body: {} };
    },
  },
  {
    name: 'RaiseGeneration',
    method: 'POST',
    path: '/v1/ring/raise-generation',
    summary: 'Goes on with a coordination store that was restored',
    answer: object({ generation: integer, epoch: integer }, ['generation', 'epoch']),
    fails: ['NoCluster', 'Conflict'],
    changes: lookAtRing,
    handler: async (services) => ({ status: 200, body: await raise(memberOf(services)) }),
  },
  {
    name: 'ListNodes',
    method: 'GET',
    path: '/v1/nodes',
    summary: 'The members of the cluster, and registered workers that are away',
    answer: object({ nodes: list(node) }, ['nodes']),
    fails: ['NoCluster'],
    changes: 'nothing',
    handler: async (services) => ({ status: 200, body: { nodes: listNodes(memberOf(services)) } }),
  },
  {
    name: 'DrainNode',
    method: 'POST',
    path: '/v1/node/drain',
    summary: 'Hands over what this node owns; it owns nothing any more until it is started again',
    answer: nothing,
    fails: ['NoCluster'],
    changes: (services) =>
      memberOf(services).standing.isDraining ? { state: 'draining' } : { state: 'joined' },
    handler: async (services) => {
      await memberOf(services).drain(drainMs);
      return { status: 200, body: {} };
    },
  },
  {
    name: 'RemoveNode',
    method: 'DELETE',
    path: '/v1/nodes/:id',
    summary: 'Forgets a registered worker that is away, so that no pages are placed on it',
    answer: nothing,
    fails: ['NoCluster', 'NotFound', 'Conflict'],
    changes: (services, { parameters }) =>
      listNodes(memberOf(services)).find(({ workerId }) => workerId === parameters.id),
    handler: async (services, { parameters }) => {
      await removeNode(memberOf(services), parameters.id as string);
      return { status: 200, body: {} };
    },
  },
];

function memberOf({ cluster }: AdminServices): ClusterMember {
  if (cluster) return cluster;
  throw new AdminError(409, 'NoCluster', 'this node belongs to no cluster: etcd.endpoints is not set');
}

function showRing(member: ClusterMember) {
  const { view, settings, isMember, hasLease, unreleased, stoppedBecause } = member.standing;
  return {
    generation: view?.generation ?? 0,
    epoch: view?.epoch ?? 0,
    mode: settings.mode,
    virtualNodes: settings.virtualNodes,
    leaseMs: settings.leaseMs,
    frozen: view?.record.frozen ?? false,
    members: view?.members.length ?? 0,
    isMember,
    hasLease,
    waitingFor: unreleased,
    ...(stoppedBecause === undefined ? {} : { stoppedBecause }),
  };
}

async function plan(
  services: AdminServices,
  { add = [], remove = [] }: { add?: number[]; remove?: string[] },
) {
  const { view } = memberOf(services).standing;
  const present = view?.placement ?? new Ring([]);
  const gone = new Set(remove);
  for (const { workerId } of present.workers) gone.delete(workerId);
  const [unknown] = gone;
  if (unknown !== undefined)
    throw new AdminError(404, 'NotFound', `no pages are placed on a worker ${unknown}`);
  const stay = present.workers.filter(({ workerId }) => !remove.includes(workerId));
  const added = add.map((weight) => ({ workerId: services.random.uuid(), weight }));
  const result = await inTurns(planRing(present, [...stay, ...added]));
  const { told } = await askHoldings(services, []);
  return { ...result, ...movedOf(result, told), nodesAsked: view?.members.length ?? 0 };
}

/** Of what each node caches, the part moves that its part of the ring loses. */
function movedOf({ workers }: RingPlan, told: HeldByAll['told']) {
  let movedBytes = 0;
  let movedKeys = 0;
  for (const { workerId, shareBefore, shareLost } of workers) {
    const own = told.find((one) => one.workerId === workerId);
    const part = shareBefore === 0 ? 0 : shareLost / shareBefore;
    movedBytes += (own?.usedBytes ?? 0) * part;
    movedKeys += (own?.objects ?? 0) * part;
  }
  return {
    movedBytes: Math.round(movedBytes),
    movedKeys: Math.round(movedKeys),
    nodesAnswered: told.length,
  };
}

async function raise(member: ClusterMember) {
  if (member.standing.stoppedBecause === undefined) {
    throw new AdminError(
      409,
      'Conflict',
      'the coordination store did not go back: there is nothing to be raised',
    );
  }
  return member.raiseGeneration();
}

function listNodes({ standing: { view, registered }, ownership }: ClusterMember) {
  const shares = view?.placement.shares() ?? new Map<string, number>();
  const alive = (view?.members ?? []).map(({ s3Url: s3, adminUrl: admin, ...member }) => ({
    ...member,
    s3,
    admin,
    share: shares.get(member.workerId) ?? 0,
    isThisNode: member.workerId === ownership.workerId,
  }));
  const away = registered
    .filter(({ workerId }) => !view?.member(workerId))
    .map((worker) => ({
      ...worker,
      state: 'away',
      share: shares.get(worker.workerId) ?? 0,
      isThisNode: false,
    }));
  return [...alive, ...away];
}

async function removeNode(member: ClusterMember, workerId: string): Promise<void> {
  if (member.standing.view?.member(workerId)) {
    throw new AdminError(409, 'Conflict', `the node ${workerId} is alive: end it first`);
  }
  if (!(await member.control.forget(workerId))) {
    throw new AdminError(404, 'NotFound', `there is no registered worker ${workerId}`);
  }
}
