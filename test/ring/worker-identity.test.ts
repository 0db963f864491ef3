import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemRandom } from '../../src/common/random.ts';
import { loadWorkerId } from '../../src/ring/worker-identity.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-identity-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a worker keeps the identity of its first run', async () => {
  const first = await loadWorkerId(folder, systemRandom);
  expect(first).toMatch(/^[0-9a-f-]{36}$/);
  expect(await loadWorkerId(folder, systemRandom)).toBe(first);
  expect(await readFile(join(folder, 'worker-id'), 'utf8')).toBe(`${first}\n`);
  expect(await readdir(folder)).toEqual(['worker-id']);
});

test('a worker does not take up a new identity over a damaged one', async () => {
  await writeFile(join(folder, 'worker-id'), 'not a uuid');
  await expect(loadWorkerId(folder, systemRandom)).rejects.toThrow(join(folder, 'worker-id'));
});
