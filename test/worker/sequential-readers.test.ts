import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Sequence, SequentialReaders } from '../../src/worker/sequential-readers.ts';

const page = 100;
const settings = { maxAheadPages: 8, maxReaders: 4, idleMs: 1000 };

function readers(options: Partial<typeof settings> = {}) {
  const forgotten: Sequence<string>[] = [];
  const found = new SequentialReaders<string>((sequence) => forgotten.push(sequence), {
    ...settings,
    ...options,
  });
  const take = (name: string, start: number, end: number, nowMs = 0) =>
    found.take(name, start, end, page, nowMs);
  return { found, forgotten, take };
}

describe('a reader that goes on where it ended', () => {
  test('has one page ahead after its second request, and twice as many with each page it comes to', () => {
    const { take } = readers();
    const ahead = [0, 1, 2, 3, 4, 5, 6].map((i) => take('a', i * page, (i + 1) * page).aheadPages);
    expect(ahead).toEqual([0, 1, 2, 4, 8, 8, 8]);
  });

  test('gets no more for many requests within one page', () => {
    const { take } = readers();
    const ahead = Array.from({ length: 10 }, (_, i) => take('a', i * 10, i * 10 + 10).aheadPages);
    expect(ahead).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect(take('a', 100, 110).aheadPages).toBe(2);
  });

  test('begins anew after a seek, another version, or a long silence', () => {
    const { take } = readers();
    for (const i of [0, 1, 2]) take('a', i * page, (i + 1) * page);
    expect(take('a', 500, 600).aheadPages).toBe(0);
    expect(take('b', 300, 400).aheadPages).toBe(0);
    expect(take('a', 300, 400, 1000).aheadPages).toBe(0);
  });

  test('is told apart from others in the same object', () => {
    const { take } = readers();
    const a = take('a', 0, page);
    const b = take('a', 5 * page, 6 * page);
    expect(take('a', page, 2 * page)).toBe(a);
    expect(take('a', 6 * page, 7 * page)).toBe(b);
  });

  test('is followed together with another one that came to its place', () => {
    const { take, found, forgotten } = readers();
    take('a', 0, page);
    const ahead = take('a', page, 2 * page);
    expect(take('a', 150, 2 * page)).toBe(ahead);
    expect(found.count).toBe(1);
    expect(forgotten).toHaveLength(1);
    expect(take('a', 2 * page, 3 * page)).toBe(ahead);
  });

  test('has nothing ahead where nothing is wanted', () => {
    const { take } = readers({ maxAheadPages: 0 });
    expect([0, 1, 2, 3].map((i) => take('a', i * page, (i + 1) * page).aheadPages)).toEqual([0, 0, 0, 0]);
  });
});

describe('what is remembered', () => {
  test('is bounded: the reader that was silent longest is forgotten, and said to be', () => {
    const { take, found, forgotten } = readers();
    const sequences = ['a', 'b', 'c', 'd'].map((name) => take(name, 0, page));
    take('a', page, 2 * page);
    take('e', 0, page);
    expect(found.count).toBe(4);
    expect(forgotten).toEqual([sequences[1]]);
  });

  test('ends with the silence, and the time until the next end is told', () => {
    const { take, found, forgotten } = readers();
    const first = take('a', 0, page, 0);
    take('b', 0, page, 300);
    expect(found.forgetSilent(999)).toBe(1);
    expect(forgotten).toEqual([]);
    expect(found.forgetSilent(1000)).toBe(300);
    expect(forgotten).toEqual([first]);
    expect(found.forgetSilent(1300)).toBe(1000);
    expect(found.count).toBe(0);
  });

  test('is each sequence once, and each is forgotten once or still there', () => {
    const request = fc.record({
      name: fc.constantFrom('a', 'b'),
      start: fc.integer({ min: 0, max: 8 }).map((i) => i * 50),
      length: fc.constantFrom(50, 100, 150),
      passMs: fc.constantFrom(0, 0, 400),
      end: fc.integer({ min: 0, max: 5 }).map((i) => i === 0),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 80 }), (requests) => {
        const { take, found, forgotten } = readers();
        const begun = new Set<Sequence<string>>();
        let nowMs = 0;
        for (const { name, start, length, passMs, end } of requests) {
          nowMs += passMs;
          const sequence = take(name, start, start + length, nowMs);
          expect(sequence.nextOffset).toBe(start + length);
          begun.add(sequence);
          if (end) found.forget(sequence);
          expect(found.count).toBeLessThanOrEqual(4);
        }
        found.forgetAll();
        expect(found.count).toBe(0);
        expect(new Set(forgotten).size).toBe(forgotten.length);
        for (const sequence of begun) expect(forgotten).toContain(sequence);
      }),
      { numRuns: 300, seed: 61 },
    );
  });
});
