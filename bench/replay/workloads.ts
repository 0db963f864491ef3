import { lengths, seeded, zipf } from './draws.ts';
import type { Trace } from './trace.ts';

/** Entries are 4 to 64 KiB long. Only how they compare with each other and with the cache matters. */
const leastBytes = 4 * 1024;
const mostBytes = 64 * 1024;

export interface Scale {
  /** Entries that there are. */
  readonly entries: number;
  readonly requests: number;
  readonly seed: number;
}

/** A workload, given its scale and the cache that it is meant to be hard for, in parts of all entries' bytes. */
export interface Workload {
  readonly name: string;
  /** One line, for the table. */
  readonly meaning: string;
  make(scale: Scale, cacheShare: number): Trace;
}

/** The first third of a trace warms up. */
function traceOf(name: string, requests: Uint32Array, sizes: Uint32Array): Trace {
  return { name, requests, sizes, countedFrom: Math.floor(requests.length / 3) };
}

function sizesOf({ entries, seed }: Scale): Uint32Array {
  return lengths(entries, leastBytes, mostBytes, seeded(seed));
}

/** How many of the first entries have so many bytes. */
function countOf(sizes: Uint32Array, bytes: number): number {
  let count = 0;
  for (let sum = 0; count < sizes.length && sum < bytes; count++) sum += sizes[count] ?? 0;
  return count;
}

function bytesOf(sizes: Uint32Array): number {
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Popularity that stays as it is. */
export function zipfWorkload(alpha: number): Workload {
  const name = `zipf-${alpha.toFixed(1)}`;
  return {
    name,
    meaning: `Zipf popularity, alpha ${alpha}`,
    make: (scale) => {
      const draw = zipf(scale.entries, alpha, seeded(scale.seed + 1));
      return traceOf(name, Uint32Array.from({ length: scale.requests }, draw), sizesOf(scale));
    },
  };
}

export interface ScanShape {
  /** The hot set by the cache, in bytes. */
  readonly hotPerCache: number;
  /** A scan by the cache, in bytes: this much at a time, between rounds of hot reads. Undefined: one read of the scan after each hot one, on average. */
  readonly scanPerCache?: number;
  /** How often each entry of a scan is read, at once. */
  readonly times?: number;
}

/** Hot reads in one round, by entry of the hot set. */
const hotRounds = 3;

/** A hot set, all of it as hot, and scans over all other entries, again from the first when they end. */
export function scanWorkload(name: string, meaning: string, shape: ScanShape): Workload {
  return {
    name,
    meaning,
    make: (scale, cacheShare) => {
      const sizes = sizesOf(scale);
      const cacheBytes = bytesOf(sizes) * cacheShare;
      const hotCount = countOf(sizes, cacheBytes * shape.hotPerCache);
      const random = seeded(scale.seed + 1);
      const turn =
        shape.scanPerCache === undefined ? mixed(random) : rounds(sizes, hotCount, cacheBytes, shape);
      const hot = zipf(hotCount, 0, random);
      const requests = new Uint32Array(scale.requests);
      let cold = hotCount;
      let again = 0;
      for (let at = 0; at < requests.length; at++) {
        if (again > 0) {
          again--;
          requests[at] = requests[at - 1] ?? 0;
        } else if (turn(requests[at - 1] ?? 0) === 'hot') {
          requests[at] = hot();
        } else {
          requests[at] = cold++;
          again = (shape.times ?? 1) - 1;
          if (cold === scale.entries) cold = hotCount;
        }
      }
      return traceOf(name, requests, sizes);
    },
  };
}

/** Whose turn it is: hot reads or the scan. */
type Turn = (lastId: number) => 'hot' | 'scan';

function mixed(random: () => number): Turn {
  return () => (random() < 0.5 ? 'hot' : 'scan');
}

function rounds(sizes: Uint32Array, hotCount: number, cacheBytes: number, shape: ScanShape): Turn {
  const scanBytes = cacheBytes * (shape.scanPerCache ?? 0);
  let hotLeft = hotCount * hotRounds;
  let scanned = 0;
  return (lastId) => {
    if (hotLeft > 0) {
      hotLeft--;
      return 'hot';
    }
    if (lastId >= hotCount) scanned += sizes[lastId] ?? 0;
    if (scanned < scanBytes) return 'scan';
    scanned = 0;
    hotLeft = hotCount * hotRounds - 1;
    return 'hot';
  };
}

/** The same entries in the same order, again and again: more of them than the cache holds. */
export function loopWorkload(perCache: number): Workload {
  const name = `loop-${perCache.toFixed(1)}`;
  return {
    name,
    meaning: `a loop over ${perCache} times the cache`,
    make: (scale, cacheShare) => {
      const sizes = sizesOf(scale);
      const count = countOf(sizes, bytesOf(sizes) * cacheShare * perCache);
      return traceOf(
        name,
        Uint32Array.from({ length: scale.requests }, (_, at) => at % count),
        sizes,
      );
    },
  };
}

export interface Shift {
  /** `newest`: an entry is hottest when it is new, and cools. `oldest`: it heats up, and is cold from one moment to the next. */
  readonly hottest: 'newest' | 'oldest';
  /** How far popularity has moved at the end, in parts of all entries. */
  readonly movedShare: number;
  /** In so many jumps; undefined: a little with each request. */
  readonly jumps?: number;
}

/** Zipf popularity (alpha 1) that moves over the entries. */
export function shiftingWorkload(name: string, meaning: string, shift: Shift): Workload {
  return {
    name,
    meaning,
    make: (scale) => {
      const { entries, requests } = scale;
      const draw = zipf(entries, 1, seeded(scale.seed + 1));
      const jumps = shift.jumps ?? requests;
      const step = (entries * shift.movedShare) / jumps;
      const ids = Uint32Array.from({ length: requests }, (_, at) => {
        const moved = Math.floor(Math.floor((at * jumps) / requests) * step);
        return (shift.hottest === 'oldest' ? moved + draw() : moved + entries - draw()) % entries;
      });
      return traceOf(name, ids, sizesOf(scale));
    },
  };
}
