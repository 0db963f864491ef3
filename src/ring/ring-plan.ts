import type { Steps } from '../common/steps.ts';
import { Ring, type RingWorker } from './ring.ts';

/** What a change of the workers moves. */
export interface RingPlan {
  /** The part of everything that gets another owner, of 1. */
  readonly movedShare: number;
  /** The part that would have to move at least, given the workers' weights. */
  readonly idealShare: number;
  /** The heaviest worker's load against the mean, each by its weight. */
  readonly balance: number;
  readonly workers: readonly {
    readonly workerId: string;
    readonly shareBefore: number;
    readonly shareAfter: number;
    /** What it has before and others have after, of 1. */
    readonly shareLost: number;
  }[];
}

/** Compares a ring with the one that these workers would have instead. In steps, since large rings take long. */
export function* planRing(old: Ring, after: readonly RingWorker[]): Steps<RingPlan> {
  const before = old.workers;
  const next = yield* Ring.inSteps(after, old.virtualNodes, old);
  const [oldShares, nextShares] = [old.shares(), next.shares()];
  const lost = lostShares(old, next);
  const workerIds = [...new Set([...oldShares.keys(), ...nextShares.keys()])].sort();
  const ideal = { before: idealShares(before), after: idealShares(after) };
  const gains = workerIds.map((id) => (ideal.after.get(id) ?? 0) - (ideal.before.get(id) ?? 0));
  return {
    movedShare: old.workers.length === 0 ? movedShare(old, next) : sumOf(lost.values()),
    idealShare: gains.reduce((sum, gain) => sum + Math.max(0, gain), 0),
    balance: Math.max(0, ...after.map(({ workerId }) => ratio(nextShares, ideal.after, workerId))),
    workers: workerIds.map((workerId) => ({
      workerId,
      shareBefore: oldShares.get(workerId) ?? 0,
      shareAfter: nextShares.get(workerId) ?? 0,
      shareLost: lost.get(workerId) ?? 0,
    })),
  };
}

/** The part of the circle whose owner is not the same in both; all of it where one has no workers. */
export function movedShare(one: Ring, other: Ring): number {
  if (one.workers.length === 0) return other.workers.length === 0 ? 0 : 1;
  return sumOf(lostShares(one, other).values());
}

/** The part of the circle that each worker of `one` has there, and another has in `other`. */
function lostShares(one: Ring, other: Ring): ReadonlyMap<string, number> {
  const circle = 2 ** 48;
  const names = new Map(one.workers.map(({ workerId }, place) => [workerId, place]));
  const places = other.workers.map(({ workerId }) => names.get(workerId) ?? -1);
  const lost = new Float64Array(one.workers.length);
  let i = 0;
  let j = 0;
  // Each step goes from one virtual node, of either, to the next one.
  for (let from = 0; from < circle && one.workers.length > 0; ) {
    const end = Math.min(one.positions[i] ?? circle - 1, other.positions[j] ?? circle - 1);
    const oldOwner = one.owners[i === one.owners.length ? 0 : i] as number;
    const newOwner = places[other.owners[j === other.owners.length ? 0 : j] as number];
    if (oldOwner !== newOwner) lost[oldOwner] = (lost[oldOwner] as number) + (end + 1 - from) / circle;
    from = Math.max(from, end + 1);
    while (i < one.positions.length && (one.positions[i] as number) < from) i++;
    while (j < other.positions.length && (other.positions[j] as number) < from) j++;
  }
  return new Map(one.workers.map(({ workerId }, place) => [workerId, lost[place] as number]));
}

function sumOf(shares: Iterable<number>): number {
  let sum = 0;
  for (const share of shares) sum += share;
  return sum;
}

function idealShares(workers: readonly RingWorker[]): ReadonlyMap<string, number> {
  const total = workers.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(workers.map(({ workerId, weight }) => [workerId, weight / total]));
}

function ratio(
  shares: ReadonlyMap<string, number>,
  ideal: ReadonlyMap<string, number>,
  workerId: string,
): number {
  return (shares.get(workerId) ?? 0) / (ideal.get(workerId) ?? 1);
}
