import { describe, expect, test } from '@jest/globals';
import { descriptorMargin, type Held, leaks, rssMarginBytes, valueIn } from '../../bench/soak/held.ts';
import { BodyCheck, versionedBody } from '../../bench/soak/versioned-body.ts';

const MiB = 1024 * 1024;
const early: Held = {
  rssBytes: 300 * MiB,
  descriptors: 80,
  descriptorKinds: {},
  requests: 0,
  flights: 0,
  pins: 0,
  loans: 0,
};

describe('what a node holds at rest', () => {
  test('is flat within the margins', () => {
    const late = { ...early, rssBytes: 300 * MiB + rssMarginBytes, descriptors: 80 + descriptorMargin };
    expect(leaks(early, late)).toEqual([]);
  });

  test.each([
    { requests: 1 },
    { flights: 1 },
    { pins: 1 },
    { loans: 1 },
    { descriptors: 81 + descriptorMargin },
    { rssBytes: 500 * MiB },
  ])('is more than it was: %p', (more) => {
    expect(leaks(early, { ...early, ...more })).toHaveLength(1);
  });

  test('is not taken for nothing where the node does not tell it', () => {
    expect(valueIn('# HELP a\na 3\nab 4\n', 'a')).toBe(3);
    expect(() => valueIn('ab 4\n', 'a')).toThrow('does not tell a');
  });
});

describe('a body that is checked as it comes in', () => {
  const body = versionedBody('key', 7, 200_000);

  test('is right, whole or in part, however it is cut', () => {
    for (const [start, end] of [
      [0, 200_000],
      [12_345, 190_001],
    ] as const) {
      const check = new BodyCheck('key', 7, start);
      for (let at = start; at < end; at += 70_001) check.take(body.subarray(at, Math.min(end, at + 70_001)));
      expect([check.firstWrong, check.receivedBytes]).toEqual([undefined, end - start]);
    }
  });

  test('is wrong if one byte of it is, if it is of another version, or moved', () => {
    const spoilt = Buffer.from(body);
    spoilt.writeUInt8(0, 150_000);
    for (const wrong of [spoilt, versionedBody('key', 8, 200_000), body.subarray(1)]) {
      const check = new BodyCheck('key', 7);
      check.take(wrong);
      expect(check.firstWrong).toBeDefined();
    }
  });
});
