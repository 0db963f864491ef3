import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundsOf } from '../../bench/replay/bounds.ts';
import { QueueCache } from '../../bench/replay/queue-cache.ts';
import { replay, type Trace } from '../../bench/replay/trace.ts';

/** Every content that a cache of whole entries may have after a request, with the best counted hits that lead there. */
function optimum(
  { requests, sizes, countedFrom }: Trace,
  capacityBytes: number,
  worth: (id: number) => number,
): number {
  let best = new Map<number, number>([[0, 0]]);
  for (const [at, id] of requests.entries()) {
    const next = new Map<number, number>();
    for (const [content, value] of best) {
      const hit = (content >> id) & 1 && at >= countedFrom ? worth(id) : 0;
      const reachable = content | (1 << id);
      for (let kept = reachable; ; kept = (kept - 1) & reachable) {
        const bytes = sizes.reduce((sum, size, other) => sum + ((kept >> other) & 1 ? size : 0), 0);
        if (bytes <= capacityBytes) next.set(kept, Math.max(next.get(kept) ?? 0, value + hit));
        if (kept === 0) break;
      }
    }
    best = next;
  }
  return Math.max(...best.values());
}

const traces = fc
  .record({
    requests: fc.array(fc.nat(4), { minLength: 1, maxLength: 14 }),
    sizes: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 5, maxLength: 5 }),
    warmUp: fc.nat(5),
    capacityBytes: fc.integer({ min: 1, max: 14 }),
  })
  .map(({ requests, sizes, warmUp, capacityBytes }) => ({
    capacityBytes,
    trace: {
      name: 'small',
      requests: Uint32Array.from(requests),
      sizes: Uint32Array.from(sizes),
      countedFrom: Math.min(warmUp, requests.length - 1),
    },
  }));

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, number) => total + number, 0);
const countedIds = ({ requests, countedFrom }: Trace) => [...requests.subarray(countedFrom)];

describe('the bounds', () => {
  test('are above the best that a cache of whole entries can do, whichever ratio it is after', () => {
    fc.assert(
      fc.property(traces, ({ trace, capacityBytes }) => {
        const bounds = boundsOf(trace, capacityBytes);
        const ids = countedIds(trace);
        const allBytes = sum(ids.map((id) => trace.sizes[id] ?? 0));
        const bytes = optimum(trace, capacityBytes, (id) => trace.sizes[id] ?? 0) / allBytes;
        const objects = optimum(trace, capacityBytes, () => 1) / ids.length;
        expect(bounds.bytes).toBeGreaterThanOrEqual(bytes - 1e-9);
        expect(bounds.objects).toBeGreaterThanOrEqual(objects - 1e-9);
      }),
      { numRuns: 300, seed: 51 },
    );
  });

  test('on bytes is exactly the best where all entries have one size', () => {
    fc.assert(
      fc.property(traces, ({ trace: { sizes, ...rest }, capacityBytes }) => {
        const trace = { ...rest, sizes: sizes.map(() => 3) };
        const whole = capacityBytes - (capacityBytes % 3);
        const objects = optimum(trace, whole, () => 1) / countedIds(trace).length;
        expect(boundsOf(trace, whole).bytes).toBeCloseTo(objects, 9);
      }),
      { numRuns: 300, seed: 52 },
    );
  });
});

/** What is held, in the order in which it goes. */
function naive(
  order: 'recency' | 'arrival',
  sizes: Uint32Array,
  capacityBytes: number,
): (id: number) => boolean {
  let held: number[] = [];
  return (id) => {
    const isHit = held.includes(id);
    if (!isHit && (sizes[id] ?? 0) > capacityBytes) return false;
    if (!isHit || order === 'recency') held = [...held.filter((other) => other !== id), id];
    while (sum(held.map((other) => sizes[other] ?? 0)) > capacityBytes) held.shift();
    return isHit;
  };
}

test('the queues that the policy is compared with do what their names say', () => {
  fc.assert(
    fc.property(traces, fc.constantFrom('recency', 'arrival'), ({ trace, capacityBytes }, order) => {
      const named = order as 'recency' | 'arrival';
      const cache = new QueueCache(named, trace.sizes, capacityBytes);
      const ratios = replay(trace, (id) => cache.read(id));
      expect(ratios).toEqual(replay(trace, naive(named, trace.sizes, capacityBytes)));
    }),
    { numRuns: 300, seed: 53 },
  );
});
