import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Ghost } from '../../src/worker/ghost.ts';
import { SeededRandom } from './seeded.ts';

describe('a ghost', () => {
  test('knows a name until so many bytes of others have followed, and once', () => {
    const ghost = new Ghost({ windowBytes: 1000, entries: 100 });
    ghost.remember(7, 10);
    ghost.remember(8, 990);
    expect(ghost.take(7)).toBe(true);
    expect(ghost.take(7)).toBe(false);
    ghost.remember(9, 20);
    expect(ghost.take(8)).toBe(true);
    ghost.remember(10, 1001);
    expect(ghost.take(9)).toBe(false);
  });

  test('is renewed by a name that is dropped again', () => {
    const ghost = new Ghost({ windowBytes: 1000, entries: 100 });
    ghost.remember(7, 10);
    ghost.remember(8, 900);
    ghost.remember(7, 10);
    ghost.remember(9, 900);
    expect(ghost.take(7)).toBe(true);
  });

  test('knows nothing at first, not even the fingerprint that empty slots hold', () => {
    const ghost = new Ghost({ windowBytes: 1000, entries: 100 });
    expect(ghost.take(0)).toBe(false);
  });

  test('takes fingerprints that are given as negative numbers for the same', () => {
    const ghost = new Ghost({ windowBytes: 1000, entries: 100 });
    ghost.remember(-5, 10);
    expect(ghost.take(-5 >>> 0)).toBe(true);
  });

  test('agrees with a list of what was dropped, as long as it has room', () => {
    const action = fc.record({
      remember: fc.boolean(),
      name: fc.nat(40).map((number) => Math.imul(number, 0x9e3779b1)),
      bytes: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const ghost = new Ghost({ windowBytes: 300, entries: 1000 });
        const droppedAt = new Map<number, number>();
        let dropped = 0;
        for (const { remember, name, bytes } of actions) {
          if (remember) {
            dropped += bytes;
            ghost.remember(name, bytes);
            droppedAt.set(name, dropped);
          } else {
            const isKnown = dropped - (droppedAt.get(name) ?? Number.NEGATIVE_INFINITY) <= 300;
            expect(ghost.take(name)).toBe(isKnown);
            droppedAt.delete(name);
          }
        }
      }),
      { numRuns: 300, seed: 21 },
    );
  });

  test('keeps nearly all names that it has room for, however they fall into buckets, and the youngest of more', () => {
    const random = new SeededRandom(5);
    const names = Array.from({ length: 20_000 }, () => random.below(2 ** 32));
    const ghost = new Ghost({ windowBytes: 1_000_000, entries: 10_000 });
    expect(ghost.memoryBytes).toBeLessThanOrEqual(10_000 * 12 + 64);
    for (const name of names.slice(0, 10_000)) ghost.remember(name, 1);
    for (const name of names.slice(10_000)) ghost.remember(name, 1);
    const known = (from: number, to: number) =>
      names.slice(from, to).filter((name) => ghost.take(name)).length;
    expect(known(15_000, 20_000)).toBeGreaterThan(4_900);
    expect(known(0, 2_500)).toBeLessThan(1_000);
  });

  test('goes on when its count of bytes begins again', () => {
    // A tick is a byte here, so that the 32 bits of ticks are passed.
    const ghost = new Ghost({ windowBytes: 1000, entries: 100 });
    for (let i = 0; i < 5; i++) ghost.remember(1, 2 ** 30);
    ghost.remember(7, 10);
    ghost.remember(8, 900);
    expect(ghost.take(7)).toBe(true);
    ghost.remember(7, 10);
    ghost.remember(8, 1200);
    expect(ghost.take(7)).toBe(false);
  });
});
