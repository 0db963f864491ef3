import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CachePolicy } from '../../src/worker/cache-policy.ts';
import { SeededRandom } from './seeded.ts';

describe('the cache policy', () => {
  test('holds capacity and count, and knows exactly what it has not given up', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('admit'), name: fc.nat(30), size: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant('touch'), name: fc.nat(30), size: fc.constant(0) }),
      fc.record({ kind: fc.constant('remove'), name: fc.nat(30), size: fc.constant(0) }),
      fc.record({ kind: fc.constant('restore'), name: fc.nat(30), size: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
        const policy = new CachePolicy<string>({ capacityBytes: 100, maxEntries: 9 });
        const held = new Map<string, number>();
        for (const { kind, name: number, size } of actions) {
          const name = `n${number}`;
          if (kind === 'touch') policy.touch(name);
          else if (kind === 'remove') expect(policy.remove(name) !== undefined).toBe(held.delete(name));
          else if (!held.has(name)) {
            const evicted =
              kind === 'admit' ? policy.admit(name, size, name) : policy.restore(name, size, name);
            for (const gone of evicted) expect(held.delete(gone)).toBe(true);
            held.set(name, size);
          }
          expect(new Set(policy.values())).toEqual(new Set(held.keys()));
          expect(policy.usedBytes).toBe([...held.values()].reduce((sum, bytes) => sum + bytes, 0));
          expect(policy.usedBytes).toBeLessThanOrEqual(100);
          expect(policy.count).toBeLessThanOrEqual(9);
        }
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  test('has more hits than least-recently-used on popular names mixed with scans', () => {
    const trace = popularNamesWithScans(60_000);
    const policy = hitRate(trace, s3Fifo(300));
    const lru = hitRate(trace, leastRecentlyUsed(300));
    expect(policy).toBeGreaterThan(lru * 1.1);
  });

  test('takes a name straight to the main queue that comes back soon after it was dropped', () => {
    const policy = new CachePolicy<string>({ capacityBytes: 10, maxEntries: 100 });
    for (let i = 0; i < 12; i++) policy.admit(`n${i}`, 1, `n${i}`);
    expect(policy.get('n0')).toBeUndefined();
    policy.admit('n0', 1, 'n0');
    for (let i = 20; i < 60; i++) policy.admit(`n${i}`, 1, `n${i}`);
    expect(policy.get('n0')).toBe('n0');
  });
});

/** Names of Zipf popularity; every thousandth request begins a scan of 500 names that never come again. */
function popularNamesWithScans(length: number): string[] {
  const random = new SeededRandom(3);
  const weights = Array.from({ length: 2000 }, (_, i) => 1 / (i + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const trace: string[] = [];
  while (trace.length < length) {
    if (trace.length % 1000 === 999) {
      for (let i = 0; i < 500; i++) trace.push(`scan-${trace.length}`);
    }
    let left = random.next() * total;
    let rank = 0;
    while (left > (weights[rank] ?? total)) left -= weights[rank++] ?? 0;
    trace.push(`popular-${rank}`);
  }
  return trace;
}

function hitRate(trace: readonly string[], use: (name: string) => boolean): number {
  let hits = 0;
  for (const name of trace) if (use(name)) hits++;
  return hits / trace.length;
}

function s3Fifo(entries: number): (name: string) => boolean {
  const policy = new CachePolicy<true>({ capacityBytes: entries, maxEntries: entries });
  return (name) => {
    if (policy.get(name)) {
      policy.touch(name);
      return true;
    }
    policy.admit(name, 1, true);
    return false;
  };
}

function leastRecentlyUsed(entries: number): (name: string) => boolean {
  const held = new Set<string>();
  return (name) => {
    const hit = held.delete(name);
    held.add(name);
    for (const oldest of held) {
      if (held.size <= entries) break;
      held.delete(oldest);
    }
    return hit;
  };
}
