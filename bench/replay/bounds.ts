import { FarFirst } from './far-first.ts';
import type { Ratios, Trace } from './trace.ts';

const never = 0xffff_ffff;

/** What no cache of so many bytes exceeds. The two ratios are bounds each by itself: no one cache reaches both. */
export function boundsOf(trace: Trace, capacityBytes: number): Ratios {
  const next = nextUses(trace);
  return {
    objects: objectBound(trace, next, capacityBytes),
    bytes: new ByteBelady(trace, next, capacityBytes).ratio(),
  };
}

/** For each request, where the same entry is asked for next; `never` if it is not. */
function nextUses({ requests, sizes }: Trace): Uint32Array {
  const next = new Uint32Array(requests.length);
  const seenAt = new Uint32Array(sizes.length).fill(never);
  for (let at = requests.length - 1; at >= 0; at--) {
    const id = requests[at] ?? 0;
    next[at] = seenAt[id] ?? never;
    seenAt[id] = at;
  }
  return next;
}

/**
 * Belady's MIN over single bytes: it knows the future, may hold a part of an entry, keeps nothing that is not worth it, and gives up bytes of
 * the entry whose next use is farthest. With each byte an item by itself all items are alike, and MIN is optimal: no cache has a
 * higher byte hit ratio. Of whole entries it is the exact optimum where all have one size, and just above it elsewhere.
 *
 * Requests that warm up do not count, so that a cache might do badly there in order to do better afterwards. MIN therefore begins the counted part
 * with the best choice among everything that was asked for before.
 */
class ByteBelady {
  private readonly trace: Trace;
  private readonly next: Uint32Array;
  private readonly capacityBytes: number;
  private readonly held: Uint32Array;
  /** Next uses of what is held; a use names its entry. */
  private readonly uses: FarFirst;
  private usedBytes = 0;

  constructor(trace: Trace, next: Uint32Array, capacityBytes: number) {
    this.trace = trace;
    this.next = next;
    this.capacityBytes = capacityBytes;
    this.held = new Uint32Array(trace.sizes.length);
    this.uses = new FarFirst(trace.requests.length);
  }

  ratio(): number {
    const { requests, sizes, countedFrom } = this.trace;
    let hitBytes = 0;
    let allBytes = 0;
    for (let at = 0; at < requests.length; at++) {
      const id = requests[at] ?? 0;
      if (at === countedFrom) this.trim(at);
      if (at >= countedFrom) {
        hitBytes += this.held[id] ?? 0;
        allBytes += sizes[id] ?? 0;
      }
      this.hold(id, this.next[at] ?? never);
      if (at >= countedFrom) this.trim(at + 1);
    }
    return hitBytes / allBytes;
  }

  private hold(id: number, nextUse: number): void {
    const bytes = nextUse === never ? 0 : (this.trace.sizes[id] ?? 0);
    this.usedBytes += bytes - (this.held[id] ?? 0);
    this.held[id] = bytes;
    if (nextUse !== never) this.uses.push(nextUse);
  }

  /** Gives up the farthest bytes until the rest fits. Uses before `now` are past, and their entries have another by now. */
  private trim(now: number): void {
    while (this.usedBytes > this.capacityBytes) {
      const use = this.uses.first ?? 0;
      const id = this.trace.requests[use] ?? 0;
      const held = use < now ? 0 : (this.held[id] ?? 0);
      const gone = Math.min(held, this.usedBytes - this.capacityBytes);
      this.held[id] = (this.held[id] ?? 0) - gone;
      this.usedBytes -= gone;
      if (gone === held) this.uses.pop();
    }
  }
}

/**
 * PFOO-L (Berger, Beckmann and Harchol-Balter, "Practical Bounds on Optimal Caching with Variable Object Sizes", 2018): a hit needs its
 * entry held since the use before, which takes its size times the requests between. The cheapest hits are granted until they fill the capacity
 * over the whole of the counted part, as if room could be moved in time. Above what is possible where sizes differ much.
 */
function objectBound(trace: Trace, next: Uint32Array, capacityBytes: number): number {
  const { requests, sizes, countedFrom } = trace;
  const costs = new Float64Array(requests.length);
  let count = 0;
  for (let at = 0; at < requests.length; at++) {
    const nextUse = next[at] ?? never;
    if (nextUse === never || nextUse < countedFrom) continue;
    costs[count++] = (nextUse - Math.max(at, countedFrom)) * (sizes[requests[at] ?? 0] ?? 0);
  }
  const cheapest = costs.subarray(0, count).sort();
  const counted = requests.length - countedFrom;
  let left = capacityBytes * counted;
  let hits = 0;
  while (hits < count && left >= (cheapest[hits] ?? 0)) left -= cheapest[hits++] ?? 0;
  return hits / counted;
}
