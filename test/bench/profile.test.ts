import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { addProfile, newRoot, selfTimes, totalMicros } from '../../bench/profile/cpu-profile.ts';
import { flameGraph } from '../../bench/profile/flame-graph.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });

/** Two callers of one function, and a thread that waits; samples at 1,000, 1,100, … µs. */
const profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 6] },
    { id: 2, callFrame: frame('first', 'file:///elsewhere/node_modules/a/b.js', 9), children: [4] },
    { id: 3, callFrame: frame('second'), children: [5] },
    { id: 4, callFrame: frame('read <page>', 'node:fs', 99) },
    { id: 5, callFrame: frame('read <page>', 'node:fs', 99) },
    { id: 6, callFrame: frame('(idle)') },
  ],
  startTime: 900,
  samples: [4, 4, 2, 5, 6, 5, 3],
  timeDeltas: [100, 100, 100, 100, 100, 100, 100],
};

describe('a profile', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-profile-test-'));
    path = join(folder, 'one.cpuprofile');
    await writeFile(path, JSON.stringify(profile));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('counts what was sampled within the span, and no waiting', async () => {
    const root = newRoot('case');
    await addProfile(root, path, { startMicros: 1100, endMicros: 1600 });
    expect(totalMicros(root)).toBe(400);
    expect(selfTimes(root)).toEqual([
      { name: 'read <page>', place: 'node:fs:100', micros: 300 },
      { name: 'first', place: 'a/b.js:10', micros: 100 },
    ]);
  });

  test('adds threads up', async () => {
    const root = newRoot('case');
    for (let thread = 0; thread < 2; thread++) {
      await addProfile(root, path, { startMicros: 0, endMicros: 10_000 });
    }
    expect(totalMicros(root)).toBe(1000);
  });

  test('is drawn with boxes as wide as their time, and names as text', async () => {
    const root = newRoot('a & b');
    await addProfile(root, path, { startMicros: 1100, endMicros: 1600 });
    const picture = flameGraph(root, 'a & b');
    expect(picture).toContain('a &amp; b');
    expect(picture).toContain('<title>read &lt;page&gt; node:fs:100: 25.00 %, 0.1 ms</title>');
    expect(picture).toContain('<title>second : 50.00 %, 0.2 ms</title><rect x="800.0"');
    expect(picture).not.toContain('<page>');
  });
});
