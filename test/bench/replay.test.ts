import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { compare, type Outcome, workloads } from '../../bench/replay/suite.ts';
import { readTrace } from '../../bench/replay/trace-file.ts';
import type { Scale } from '../../bench/replay/workloads.ts';

const scale: Scale = { entries: 12_000, requests: 90_000, seed: 7 };

function replayed(name: string, cacheShare: number): Outcome {
  const workload = workloads.find((one) => one.name === name);
  if (!workload) throw new Error(`no workload ${name}`);
  return compare(workload.make(scale, cacheShare), cacheShare);
}

describe('the policy, in a cache of regions', () => {
  test.each([
    ['scan-rounds', 0.05],
    ['scan-rounds', 0.2],
    ['scan-mixed', 0.05],
    ['scan-mixed', 0.2],
    ['scan-twice', 0.05],
    ['scan-twice', 0.2],
  ])('%s: keeps the hot set while scans pass, at %d of all bytes', (name, share) => {
    const { forebay, lru, bound } = replayed(name, share);
    expect(forebay.bytes).toBeGreaterThan(bound.bytes - 0.05);
    expect(lru.bytes).toBeLessThan(bound.bytes - 0.1);
  });

  test.each([
    ['zipf-0.6', 0.05, 0.06],
    ['zipf-0.8', 0.05, 0.06],
    ['zipf-1.0', 0.05, 0.04],
    ['zipf-0.8', 0.2, 0.03],
    ['zipf-1.2', 0.2, -0.01],
    ['shift-news', 0.05, 0.03],
    ['shift-news', 0.2, 0.02],
    ['shift-churn', 0.05, -0.01],
    ['shift-churn', 0.2, -0.01],
    ['shift-drop', 0.05, 0.02],
    ['shift-drop', 0.2, 0.01],
    ['shift-jumps', 0.05, -0.02],
    ['shift-jumps', 0.2, -0.03],
    ['loop-1.2', 0.05, 0.4],
    ['loop-2.0', 0.2, 0.4],
    ['loop-4.0', 0.2, 0.2],
  ])(
    '%s: compared with the least recently used it finds more, at %d of all bytes, by %d',
    (name, share, by) => {
      const { forebay, lru } = replayed(name, share);
      expect(forebay.bytes).toBeGreaterThan(lru.bytes + by);
    },
  );

  test('writes less than half as much again as it fills', () => {
    for (const name of ['zipf-1.0', 'scan-mixed', 'shift-jumps']) {
      expect(replayed(name, 0.2).writtenPerFilled).toBeLessThan(1.5);
    }
  });
});

describe('a trace in a file', () => {
  let folder: string;
  const traceOf = async (text: string) => {
    const path = join(folder, 'trace.csv');
    await writeFile(path, text);
    return readTrace(path, 100);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-trace-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('may have a heading, commas in keys, empty lines and both kinds of line ends', async () => {
    const { requests, sizes } = await traceOf('key,size\na,b,10\r\nc, 20\n\na,b,10');
    expect([...requests]).toEqual([0, 1, 0]);
    expect([...sizes]).toEqual([10, 20]);
  });

  test('counts the pages of a long object, and a key of another size as another version', async () => {
    const { requests, sizes } = await traceOf('a,250\na,30\na,250\n');
    expect([...requests]).toEqual([0, 1, 2, 3, 0, 1, 2]);
    expect([...sizes]).toEqual([100, 100, 50, 30]);
  });

  test('says which line is not one', async () => {
    await expect(traceOf('a,10\nb\n')).rejects.toThrow('line 2: expected key,size');
    await expect(traceOf('a,10\nb,-3\n')).rejects.toThrow('line 2: expected key,size');
    await expect(traceOf('key,size\n')).rejects.toThrow('no request');
  });
});
