import { expect, test } from '@jest/globals';
import { bytesIn, rangesOf } from '../../src/jobs/parts.ts';

const page = 100;

test('without parts all of an object is meant, and nothing of an empty one', () => {
  expect(rangesOf(undefined, 250, page)).toEqual([{ start: 0, end: 250 }]);
  expect(rangesOf(undefined, 0, page)).toEqual([]);
});

test.each([
  [[{ start: 0, end: 1 }], 1_000, [[0, 100]]],
  [[{ start: 150 }], 250, [[100, 250]]],
  [[{ start: -1 }], 250, [[200, 250]]],
  [[{ start: -400 }], 250, [[0, 250]]],
  [[{ start: 300, end: 400 }], 250, []],
  [
    [{ start: -50 }, { start: 0, end: 99 }],
    1_000,
    [
      [0, 100],
      [900, 1_000],
    ],
  ],
  [
    [
      { start: 0, end: 150 },
      { start: 180, end: 310 },
    ],
    1_000,
    [[0, 400]],
  ],
  [
    [
      { start: 0, end: 500 },
      { start: 100, end: 200 },
    ],
    1_000,
    [[0, 500]],
  ],
])('parts %j of %i bytes are the pages %j', (parts, sizeBytes, expected) => {
  const ranges = rangesOf(parts, sizeBytes, page);
  expect(ranges).toEqual(expected.map(([start, end]) => ({ start, end })));
  expect(bytesIn(ranges)).toBe(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
});
