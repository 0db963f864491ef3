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
  }[];
}

/** Compares the ring of these workers with the one that they would have after a change. */
export function planRing(
  before: readonly RingWorker[],
  after: readonly RingWorker[],
  virtualNodes: number,
): RingPlan {
  const old = new Ring(before, virtualNodes);
  const next = new Ring(after, virtualNodes, old);
  const [oldShares, nextShares] = [old.shares(), next.shares()];
  const workerIds = [...new Set([...oldShares.keys(), ...nextShares.keys()])].sort();
  const ideal = { before: idealShares(before), after: idealShares(after) };
  const gains = workerIds.map((id) => (ideal.after.get(id) ?? 0) - (ideal.before.get(id) ?? 0));
  return {
    movedShare: movedShare(old, next),
    idealShare: gains.reduce((sum, gain) => sum + Math.max(0, gain), 0),
    balance: Math.max(0, ...after.map(({ workerId }) => ratio(nextShares, ideal.after, workerId))),
    workers: workerIds.map((workerId) => ({
      workerId,
      shareBefore: oldShares.get(workerId) ?? 0,
      shareAfter: nextShares.get(workerId) ?? 0,
    })),
  };
}

/** The part of the circle whose owner is not the same in both; all of it where one has no workers. */
export function movedShare(one: Ring, other: Ring): number {
  if (one.workers.length === 0 || other.workers.length === 0)
    return one.workers.length === other.workers.length ? 0 : 1;
  const circle = 2 ** 48;
  const names = new Map(one.workers.map(({ workerId }, place) => [workerId, place]));
  const places = other.workers.map(({ workerId }) => names.get(workerId) ?? -1);
  let moved = 0;
  let i = 0;
  let j = 0;
  // Each step goes from one virtual node, of either, to the next one.
  for (let from = 0; from < circle; ) {
    const end = Math.min(one.positions[i] ?? circle - 1, other.positions[j] ?? circle - 1);
    const oldOwner = one.owners[i === one.owners.length ? 0 : i];
    const newOwner = places[other.owners[j === other.owners.length ? 0 : j] as number];
    if (oldOwner !== newOwner) moved += end + 1 - from;
    from = Math.max(from, end + 1);
    while (i < one.positions.length && (one.positions[i] as number) < from) i++;
    while (j < other.positions.length && (other.positions[j] as number) < from) j++;
  }
  return moved / circle;
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
