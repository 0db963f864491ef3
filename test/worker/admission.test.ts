import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AdmissionPolicy, type Queue, S3FifoAdmission } from '../../src/worker/admission.ts';

const capacityBytes = 10_000;
const name = (number: number) => Math.imul(number + 1, 0x9e3779b1) >>> 0;
const policyOf = () => new S3FifoAdmission({ capacityBytes, expectedEntries: 1000 });
/** Says that the store is full. */
const fill = (policy: AdmissionPolicy) =>
  policy.victim({ smallBytes: 0, mainBytes: capacityBytes, capacityBytes });

describe('a newcomer', () => {
  test('goes to the small queue once the store is full', () => {
    const policy = policyOf();
    fill(policy);
    for (let i = 0; i < 1000; i++) expect(policy.admit(name(i), 100)).toBe('small');
  });

  test('goes to main while there is room that nobody else wants, beyond the part of the small queue', () => {
    const policy = policyOf();
    const queues = Array.from({ length: 100 }, (_, i) => policy.admit(name(i), 100));
    expect(queues.filter((queue) => queue === 'small')).toHaveLength(10);
    expect(queues.lastIndexOf('small')).toBe(9);
  });

  test('goes to main if it was dropped from the small queue not long ago, and once', () => {
    const policy = policyOf();
    fill(policy);
    expect(policy.judge('small', name(1), 100, 0)).toBe('drop');
    for (let i = 100; i < 150; i++) policy.judge('small', name(i), 100, 0);
    expect(policy.admit(name(1), 100)).toBe('main');
    expect(policy.admit(name(1), 100)).toBe('small');
  });

  test('is not known any more when as much as main holds has been dropped since', () => {
    const policy = policyOf();
    fill(policy);
    policy.judge('small', name(1), 100, 0);
    for (let i = 100; i < 191; i++) policy.judge('small', name(i), 100, 0);
    expect(policy.admit(name(1), 100)).toBe('small');
  });

  test('that main had dropped begins in the small queue again', () => {
    const policy = policyOf();
    fill(policy);
    policy.judge('main', name(1), 100, 0);
    expect(policy.admit(name(1), 100)).toBe('small');
  });
});

describe('an entry of a region that is given up', () => {
  test('of the small queue is carried from two reads on', () => {
    const judged = [0, 1, 2, 3].map((reads) => policyOf().judge('small', name(1), 100, reads));
    expect(judged).toEqual(['drop', 'drop', 'carry', 'carry']);
  });

  test('of main stays from two reads on, so that one that was not read again goes after two turns', () => {
    const judged = [0, 1, 2, 3].map((reads) => policyOf().judge('main', name(1), 100, reads));
    expect(judged).toEqual(['drop', 'drop', 'carry', 'carry']);
  });

  test('that was carried out of the small queue does not return from the ghost', () => {
    const policy = policyOf();
    fill(policy);
    policy.judge('small', name(1), 100, 3);
    expect(policy.admit(name(1), 100)).toBe('small');
  });
});

describe('what is carried within main', () => {
  test('is bounded by what is dropped, however often everything is read', () => {
    const entry = fc.record({ bytes: fc.integer({ min: 1, max: 400 }), reads: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 400 }), (entries) => {
        const policy = policyOf();
        let carried = 0;
        let dropped = 0;
        for (const [i, { bytes, reads }] of entries.entries()) {
          if (policy.judge('main', name(i), bytes, reads) === 'carry') carried += bytes;
          else dropped += bytes;
          expect(carried).toBeLessThanOrEqual(capacityBytes / 10 + 4 * dropped + 400);
        }
      }),
      { numRuns: 200, seed: 31 },
    );
  });

  test('is everything that was read as long as that is a part of it', () => {
    const policy = policyOf();
    for (let i = 0; i < 1000; i++) {
      expect(policy.judge('main', name(i), 100, i % 4 === 0 ? 0 : 2)).toBe(i % 4 === 0 ? 'drop' : 'carry');
    }
  });
});

describe('the victim', () => {
  const shareOf = (policy: AdmissionPolicy) => {
    let share = 0;
    const bytesAt = (part: number) => ({
      smallBytes: capacityBytes * part,
      mainBytes: capacityBytes * (1 - part),
      capacityBytes,
    });
    while (policy.victim(bytesAt(share)) === 'main') share += 0.005;
    return share;
  };

  test('is the small queue where that has more than a tenth', () => {
    const policy = policyOf();
    expect(policy.victim({ smallBytes: 1000, mainBytes: 9000, capacityBytes })).toBe('main');
    expect(policy.victim({ smallBytes: 1001, mainBytes: 8999, capacityBytes })).toBe('small');
  });

  test('is main for longer when newcomers return that were dropped, and for less long when what main dropped returns', () => {
    const policy = policyOf();
    fill(policy);
    for (let i = 0; i < 5; i++) policy.judge('small', name(i), 100, 0);
    for (let i = 0; i < 5; i++) policy.admit(name(i), 100);
    expect(shareOf(policy)).toBeCloseTo(0.3, 1);
    for (let i = 0; i < 3; i++) policy.judge('main', name(i), 100, 0);
    for (let i = 0; i < 3; i++) policy.admit(name(i), 100);
    expect(shareOf(policy)).toBeCloseTo(0.1, 1);
  });

  test('is not changed by a load that comes again: what it brings is new each time', () => {
    const policy = policyOf();
    fill(policy);
    for (let i = 0; i < 5; i++) policy.judge('small', name(i), 100, 0);
    const queues = [0, 1, 2, 3, 4].map((i) => policy.admit(name(i), 100, true));
    expect([new Set(queues), shareOf(policy)]).toEqual([new Set(['small']), shareOf(policyOf())]);
  });

  test('for a load is main while that has something to drop, and one turn of it longer', () => {
    const policy = policyOf();
    const usage = { smallBytes: 5000, mainBytes: 5000, capacityBytes };
    expect([policy.victim(usage), policy.victim(usage, true)]).toEqual(['small', 'main']);
    for (let i = 0; i < 99; i++) {
      expect(policy.judge('main', name(i), 100, 2, true)).toBe('carry');
      expect(policy.victim(usage, true)).toBe('main');
    }
    expect(policy.judge('main', name(99), 100, 2, true)).toBe('carry');
    expect(policy.victim(usage, true)).toBe('small');
    policy.judge('main', name(100), 100, 0, true);
    expect(policy.victim(usage, true)).toBe('main');
  });

  test('leaves the small queue between a tenth and a half, whatever comes and goes', () => {
    const call = fc.record({
      kind: fc.constantFrom('admit', 'small', 'main'),
      number: fc.nat(30),
      bytes: fc.integer({ min: 1, max: 3000 }),
      reads: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 300 }), (calls) => {
        const policy = policyOf();
        fill(policy);
        for (const { kind, number, bytes, reads } of calls) {
          if (kind === 'admit') policy.admit(name(number), bytes);
          else policy.judge(kind as Queue, name(number), bytes, reads);
        }
        expect(policy.victim({ smallBytes: 1000, mainBytes: 9000, capacityBytes })).toBe('main');
        expect(policy.victim({ smallBytes: 5001, mainBytes: 4999, capacityBytes })).toBe('small');
      }),
      { numRuns: 200, seed: 41 },
    );
  });
});

test('the memory of the policy is fixed by the entries that are expected', () => {
  const policy = new S3FifoAdmission({ capacityBytes: 10 * 2 ** 30, expectedEntries: 1_000_000 });
  expect(policy.memoryBytes).toBeLessThanOrEqual(17_000_000);
  for (let i = 0; i < 10_000; i++) policy.judge('small', name(i), 4096, 0);
  expect(policy.memoryBytes).toBeLessThanOrEqual(17_000_000);
});
