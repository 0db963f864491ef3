import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemRandom } from '../../src/common/random.ts';
import { openSqliteStore } from '../../src/coord/sqlite.ts';
import { describeCoordStore, watchInto } from '../contracts/coord-store.ts';
import { FakeClock } from './fake-clock.ts';

let folder: string;
let made = 0;
const clock = new FakeClock();
const newPath = () => join(folder, `store-${made++}.db`);
const open = (path: string) => openSqliteStore(path, clock, systemRandom);
const kindOf = (work: () => unknown) => {
  try {
    work();
    return 'none';
  } catch (error) {
    return (error as { kind?: string }).kind;
  }
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-coord-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describeCoordStore(
  'in SQLite',
  async () => open(newPath()),
  (ms) => clock.pass(ms),
);

test('what was put, and the revision, are there after the store was opened again', async () => {
  const path = newPath();
  const first = open(path);
  await first.putIf('a', '1', 'any');
  const revision = (await first.putIf('b', '2', 'any')) as number;
  await first.close();
  const second = open(path);
  expect((await second.list('')).revision).toBe(revision);
  expect(await second.get('b')).toEqual({ key: 'b', value: '2', revision });
  expect(await second.putIf('c', '3', 'any')).toBe(revision + 1);
  await second.close();
});

test('keys of a lease do not outlive the process that held it', async () => {
  const path = newPath();
  const first = open(path);
  await first.putIf('l/a', '1', 'any', await first.lease(60_000));
  await first.putIf('kept', '1', 'any');
  await first.close();
  const second = open(path);
  expect((await second.list('')).entries.map((entry) => entry.key)).toEqual(['kept']);
  await second.close();
});

test('changes made before this opening are not known any more: a watch from there is reset', async () => {
  const path = newPath();
  const first = open(path);
  await first.putIf('w/a', '1', 'any');
  await first.putIf('w/b', '1', 'any');
  await first.close();
  const second = open(path);
  const seen = watchInto();
  await second.watch('w/', 1, seen.onEvents, seen.onReset);
  await new Promise((done) => setImmediate(done));
  expect(seen.resets()).toBe(1);
  await second.close();
});

test('a second opening is refused as locked while the first is open, and given afterwards', async () => {
  const path = newPath();
  const first = open(path);
  expect(kindOf(() => open(path))).toBe('locked');
  await first.putIf('a', '1', 'any');
  expect(kindOf(() => open(path))).toBe('locked');
  await first.close();
  await open(path).close();
});

test('another process is refused while this one lives, and let in, with every write there, after kill -9', async () => {
  const path = newPath();
  const source = (name: string) => JSON.stringify(resolve(import.meta.dirname, '../../src', name));
  const program = `
    import { openSqliteStore } from ${source('coord/sqlite.ts')};
    import { systemClock } from ${source('common/clock.ts')};
    import { systemRandom } from ${source('common/random.ts')};
    const store = openSqliteStore(${JSON.stringify(path)}, systemClock, systemRandom);
    await store.putIf('from/child', 'written', 'any');
    process.stdout.write('ready');
    setInterval(() => {}, 1000);
  `;
  const child = spawn('node', ['--no-warnings', '--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    expect(kindOf(() => open(path))).toBe('locked');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = open(path);
    expect((await store.get('from/child'))?.value).toBe('written');
    await store.close();
  } finally {
    child.kill('SIGKILL');
  }
});

test('a file that is no SQLite database is corrupt, a folder that is absent makes it unavailable', async () => {
  const path = newPath();
  await writeFile(path, 'not a database '.repeat(100));
  expect(kindOf(() => open(path))).toBe('corrupt');
  expect(kindOf(() => open(join(folder, 'absent', 'store.db')))).toBe('unavailable');
});
