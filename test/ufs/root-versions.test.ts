import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openRootBackend, type RootBackend } from '../../src/ufs/root.ts';
import { getAll, kindOf, put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';

let path: string;
let backend: RootBackend;

const open = async () => {
  const opened = await openRootBackend(new NodeFileSystem(), systemClock, systemRandom, silentLog(), {
    path,
  });
  expect(await opened.settled()).toBe(true);
  return opened;
};
const enabled = { versioning: 'enabled' } as const;
const idsOf = async () => {
  const { entries } = await backend.versions.list({ prefix: '', limit: 100 });
  return entries.map((entry) => (entry.kind === 'version' ? entry.versionId : entry.key));
};
const filesOf = async () =>
  (await readdir(path, { recursive: true })).filter((name) => /%[kh]|%v\./.test(name));

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'forebay-versions-'));
  backend = await open();
});
afterEach(async () => {
  await backend.close();
  await rm(path, { recursive: true });
});

test('a root is of the layout before versions until one is kept, and none is looked for until then', async () => {
  const layout = async () => JSON.parse(await readFile(join(path, '.forebay', 'layout.json'), 'utf8'));
  await put(backend, 'k', 'before');
  await backend.delete('k');
  await put(backend, 'k', 'again');
  await backend.close();
  expect(await layout()).toEqual({ layout: 2 });
  const looked: string[] = [];
  const fs = new (class extends NodeFileSystem {
    override readDirectory(directory: string) {
      looked.push(directory);
      return super.readDirectory(directory);
    }
  })();
  backend = await openRootBackend(fs, systemClock, systemRandom, silentLog(), { path });
  looked.length = 0;
  expect(await kindOf(backend.head('never'))).toBe('not-found');
  expect(looked).toEqual([]);
  expect((await getAll(backend, 'k')).toString()).toBe('again');
  const [one, other] = await Promise.all(['k', 'l'].map((key) => put(backend, key, 'kept', enabled)));
  expect(await layout()).toEqual({ layout: 3 });
  expect(await idsOf()).toEqual([one?.versionId, 'null', other?.versionId]);
  await backend.delete('l', enabled);
  await backend.close();
  backend = await open();
  expect((await idsOf()).length).toBe(4);
});

test('versions are there after a restart, and none of their bodies is taken for left over', async () => {
  const first = await put(backend, 'a/k', someBytes(70_000, 1), enabled);
  await put(backend, 'a/k', someBytes(70_000, 2), enabled);
  await backend.delete('a/k', enabled);
  const ids = await idsOf();
  await backend.close();
  // As after a stop that was not clean.
  await writeFile(join(path, '.forebay', 'open'), '');
  backend = await open();
  expect(await idsOf()).toEqual(ids);
  const meta = await backend.versions.head('a/k', first.versionId as string);
  const chunks: Buffer[] = [];
  for await (const chunk of backend.read('a/k', meta, { start: 0, end: 70_000 })) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(someBytes(70_000, 1))).toBe(true);
});

test('a version that was made to stay stays where nobody says any more that versions are kept', async () => {
  const { versionId } = await put(backend, 'k', 'kept', enabled);
  await put(backend, 'k', 'null');
  expect(await idsOf()).toEqual(['null', versionId]);
  await backend.versions.delete('k', 'null');
  expect(await backend.delete('k')).toEqual({ versionId: 'null', deleteMarker: true });
  expect(await idsOf()).toEqual(['null', versionId]);
});

test('ids count down also where the clock goes back', async () => {
  let nowMs = Date.UTC(2030, 0, 1);
  await backend.close();
  const clock = { ...systemClock, nowMs: () => nowMs, monotonicMs: () => systemClock.monotonicMs() };
  clock.sleep = systemClock.sleep.bind(systemClock);
  const settings = { path };
  backend = await openRootBackend(new NodeFileSystem(), clock, systemRandom, silentLog(), settings);
  const made: (string | undefined)[] = [];
  for (const step of [0, -3_600_000, -86_400_000, 5]) {
    nowMs += step;
    made.unshift((await put(backend, 'k', String(step), enabled)).versionId);
  }
  expect(await idsOf()).toEqual(made);
  expect(made).toEqual([...made].sort());
});

test('nothing is left of a key whose last version has gone', async () => {
  await put(backend, 'a/b/k', someBytes(70_000, 1), enabled);
  await put(backend, 'a/b/k', 'small', enabled);
  await backend.delete('a/b/k', enabled);
  for (const id of await idsOf()) await backend.versions.delete('a/b/k', id as string);
  expect(await filesOf()).toEqual([]);
  expect((await backend.list({ prefix: '', delimiter: '/', limit: 10 })).entries).toEqual([]);
});

test('a null version that is overwritten, or marked as deleted, leaves nothing behind at once', async () => {
  const shapes = async () => (await filesOf()).map((name) => name.replace(/[0-9a-f-]{14,}/, '#')).sort();
  const suspended = { versioning: 'suspended' } as const;
  await put(backend, 'k', someBytes(70_000, 1));
  await put(backend, 'k', 'id', enabled);
  expect(await shapes()).toEqual(['k%h', 'k%h/#null', 'k%k', 'k%v.#']);
  await put(backend, 'k', someBytes(70_000, 2), suspended);
  expect(await shapes()).toEqual(['k%h', 'k%h/#', 'k%k', 'k%v.#']);
  await put(backend, 'k', 'id', enabled);
  await backend.delete('k', suspended);
  expect(await shapes()).toEqual(['k%h', 'k%h/#', 'k%h/#', 'k%h/#null']);
});
