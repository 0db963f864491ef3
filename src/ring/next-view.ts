import type { ViewMember } from './ownership.ts';
import type { RingWorker } from './ring.ts';
import { placementWorkers, workerOf } from './ring-view.ts';
import { inOrder, type MemberRecord, type RingSettings, type ViewRecord } from './view-record.ts';

/** Of fewer workers than this placement is never frozen: with two or three, one of them is too large a part to go without. */
const leastToFreeze = 4;

/** That a member cannot be reached, as another one said. */
export interface Suspicion {
  readonly workerId: string;
  readonly incarnation: string;
  /** The workerId of who said so. */
  readonly by: string;
}

/** What the coordination store says of the cluster. */
export interface ClusterState {
  readonly settings: RingSettings;
  readonly alive: readonly MemberRecord[];
  readonly suspicions: readonly Suspicion[];
  /** The workers of static mode. */
  readonly registered: readonly RingWorker[];
  /** Workers that went without notice a short while ago, alive again or not. */
  readonly lostLately: readonly RingWorker[];
  /** An operator wants pages to be placed on who is alive, whoever was lost. */
  readonly thaw: boolean;
}

export type ViewContent = Pick<ViewRecord, 'settings' | 'members' | 'placement' | 'frozen'>;

/** What the next view is to hold; undefined if the present one is right. */
export function nextView(present: ViewRecord | undefined, state: ClusterState): ViewContent | undefined {
  const members = inOrder(state.alive).map((record) => memberOf(record, suspected(state)));
  const frozenWorkers =
    state.settings.mode === 'dynamic' ? workersToKeep(present, state, members) : undefined;
  const registered = state.settings.mode === 'static' ? registeredWorkers(state, members) : undefined;
  const placement = registered ?? frozenWorkers;
  const content: ViewContent = {
    settings: state.settings,
    members,
    ...(placement ? { placement } : {}),
    frozen: frozenWorkers !== undefined,
  };
  return present && textOf(present) === textOf(content) ? undefined : content;
}

/** Members that went since, without having said so. */
export function lostBetween(
  before: ViewRecord,
  alive: readonly { readonly workerId: string }[],
): RingWorker[] {
  const here = new Set(alive.map(({ workerId }) => workerId));
  return before.members
    .filter(({ workerId, state }) => state !== 'draining' && !here.has(workerId))
    .map(workerOf);
}

function textOf({ settings, members, placement, frozen }: ViewContent): string {
  const { mode, virtualNodes, leaseMs } = settings;
  const rows = members.map((member) => [
    member.workerId,
    member.incarnation,
    member.host,
    member.peerPort,
    member.s3Url,
    member.adminUrl,
    member.weight,
    member.state,
  ]);
  return JSON.stringify([mode, virtualNodes, leaseMs, rows, placement?.map(workerOf) ?? null, frozen]);
}

function memberOf(record: MemberRecord, suspects: ReadonlyMap<string, string>): ViewMember {
  const isSuspect = record.state === 'joined' && suspects.get(record.workerId) === record.incarnation;
  return isSuspect ? { ...record, state: 'suspect' } : record;
}

/**
 * The incarnations that are suspected, by workerId. Who suspects many is more likely to be cut off itself than all of them are: of one
 * that suspects over a third of the others, and more than one, nothing is believed.
 */
function suspected({ alive, suspicions }: ClusterState): ReadonlyMap<string, string> {
  const here = new Set(alive.map(({ workerId }) => workerId));
  const counts = new Map<string, number>();
  for (const { by } of suspicions) counts.set(by, (counts.get(by) ?? 0) + 1);
  const most = Math.max(1, Math.floor((here.size - 1) / 3));
  const believed = suspicions.filter(({ by, workerId }) => {
    return here.has(by) && by !== workerId && (counts.get(by) ?? 0) <= most;
  });
  return new Map(believed.map(({ workerId, incarnation }) => [workerId, incarnation]));
}

/** The workers to keep pages placed on, though over a third of them are gone; undefined for those that are there. */
function workersToKeep(
  present: ViewRecord | undefined,
  state: ClusterState,
  members: readonly ViewMember[],
): readonly RingWorker[] | undefined {
  if (!present || state.thaw) return undefined;
  const staying = members.filter((member) => member.state !== 'draining');
  const here = new Set(staying.map(({ workerId }) => workerId));
  const left = new Set(
    members.filter((member) => member.state === 'draining').map(({ workerId }) => workerId),
  );
  const before = present.frozen
    ? placementWorkers(present)
    : [...state.lostLately, ...lostBetween(present, state.alive)];
  const workers = new Map<string, RingWorker>();
  for (const worker of before) if (!left.has(worker.workerId)) workers.set(worker.workerId, worker);
  const missing = [...workers.keys()].filter((workerId) => !here.has(workerId)).length;
  for (const member of staying) {
    // While it is frozen, who joins gets no pages; who is there again may have another weight, which waits too.
    if (!present.frozen) workers.set(member.workerId, workerOf(member));
  }
  const isTooMuch = workers.size >= leastToFreeze && missing * 3 > workers.size;
  return isTooMuch ? inOrder([...workers.values()]) : undefined;
}

/** Those alive belong to them, also before they have registered. */
function registeredWorkers(state: ClusterState, members: readonly ViewMember[]): readonly RingWorker[] {
  const workers = new Map(state.registered.map((worker) => [worker.workerId, workerOf(worker)]));
  for (const member of members) workers.set(member.workerId, workerOf(member));
  return inOrder([...workers.values()]);
}
