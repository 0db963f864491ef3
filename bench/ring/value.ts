import { createHash } from 'node:crypto';
import type { Steps } from '../../src/common/steps.ts';
import { defaultVirtualNodes, hashObject, Ring, type RingWorker } from '../../src/ring/ring.ts';
import { movedShare } from '../../src/ring/ring-plan.ts';
import { Tenures } from '../../src/ring/tenures.ts';

export interface RingFigures {
  readonly workers: number;
  /** Milliseconds of CPU for a ring out of nothing, and of one out of another with one worker less. */
  readonly buildMs: number;
  readonly joinMs: number;
  /** The longest of the steps in which a node makes them, for which nothing else has its turn. */
  readonly longestStepMs: number;
  /** Milliseconds until a member that loses to a joining one knows what it still owns. */
  readonly tenuresMs: number;
  readonly megabytes: number;
  readonly lookUpNs: number;
}

/** The heaviest worker against the mean, and what one that joins moves against what it has to. */
export interface Evenness {
  readonly heaviestToMean: number;
  readonly movedToIdeal: number;
}

const lookUps = 2_000_000;

export function workersOf(count: number, seed = 'bench'): RingWorker[] {
  return Array.from({ length: count }, (_, i) => {
    const hex = createHash('sha256').update(`${seed}-${i}`).digest('hex');
    const workerId = [
      hex.slice(0, 8),
      hex.slice(8, 12),
      hex.slice(12, 16),
      hex.slice(16, 20),
      hex.slice(20, 32),
    ];
    return { workerId: workerId.join('-'), weight: 1 };
  });
}

/** What the ring of so many workers costs, and how even it is. */
export function measureRing(count: number): RingFigures & Evenness {
  const workers = workersOf(count);
  const before = workers.slice(1);
  const build = timed(() => new Ring(workers));
  const smaller = new Ring(before);
  const join = timed(() => new Ring(workers, undefined, smaller));
  const longestStepMs = Math.max(
    longestStepOf(Ring.inSteps(workers, defaultVirtualNodes)),
    longestStepOf(Ring.inSteps(workers, defaultVirtualNodes, smaller)),
  );
  const self = before[0]?.workerId ?? '';
  const step = (ring: Ring, number: number) => ({
    step: number,
    arcs: ring.arcsOf(self),
    isUnbroken: true,
    pastViews: [],
    unknown: { untilMs: 0, settledMs: 0 },
    nowMs: 0,
    settlingMs: 0,
  });
  const held = new Tenures(self).after(step(smaller, 1));
  const tenures = timed(() => held.after(step(build.value, 2)));
  return {
    workers: count,
    buildMs: build.ms,
    joinMs: join.ms,
    longestStepMs,
    tenuresMs: tenures.ms,
    megabytes: (build.value.positions.byteLength + build.value.owners.byteLength * 2) / 1e6,
    lookUpNs: lookUpNs(build.value),
    ...evennessOf(smaller, build.value),
  };
}

export function evennessOf(before: Ring, after: Ring): Evenness {
  const shares = [...after.shares().values()];
  return {
    heaviestToMean: Math.max(...shares) * shares.length,
    movedToIdeal: movedShare(before, after) * shares.length,
  };
}

function longestStepOf(steps: Steps<unknown>): number {
  let longestMs = 0;
  for (let isDone: boolean | undefined = false; !isDone; ) {
    const step = timed(() => steps.next());
    isDone = step.value.done;
    longestMs = Math.max(longestMs, step.ms);
  }
  return longestMs;
}

function lookUpNs(ring: Ring): number {
  const hashes = Array.from({ length: 4096 }, (_, i) => hashObject('mount', `key-${i}`));
  const round = () => {
    let found = 0;
    for (let i = 0; i < lookUps; i++)
      if (ring.ownerOf(hashes[i & 4095] as number, i >> 12) !== undefined) found++;
    return found;
  };
  round();
  return (timed(round).ms * 1e6) / lookUps;
}

/** By the CPU that it took, which others on the machine hardly change. */
function timed<T>(work: () => T): { readonly value: T; readonly ms: number } {
  const before = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { value, ms: (user + system) / 1000 };
}
