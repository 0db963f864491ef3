import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MountError } from '../../src/mounts/mount-error.ts';
import { MountedBackends } from '../../src/mounts/mounted-backends.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend } from '../../src/ufs/tree.ts';
import { getAll, put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { mountOf } from './mount-of.ts';

class WatchedBackend extends MemoryBackend {
  closeCount = 0;
  override async close(): Promise<void> {
    this.closeCount++;
  }
}

const newBackend = () => new WatchedBackend(systemClock, systemRandom);
const mount = mountOf('one', '');

test('a backend that is being opened while its mount goes away serves who asked for it, and is closed afterwards', async () => {
  const backend = newBackend();
  const opened = Promise.withResolvers<Backend>();
  const backends = new MountedBackends(newBackend(), () => opened.promise);
  const asked = backends.get(mount);
  backends.retain([], 20);
  opened.resolve(backend);
  expect(await asked).toBe(backend);
  expect(backend.closeCount).toBe(0);
  await delay(60);
  expect(backend.closeCount).toBe(1);
  await backends.close();
  expect(backend.closeCount).toBe(1);
});

test('a backend that is asked for when its mount has gone already is closed too', async () => {
  const backend = newBackend();
  const backends = new MountedBackends(newBackend(), async () => backend);
  backends.retain([], 20);
  expect(await backends.get(mount)).toBe(backend);
  await delay(60);
  expect(backend.closeCount).toBe(1);
  await backends.close();
});

test('closing closes each backend once: the root, those in use and those of mounts that went away', async () => {
  const [root, first, second] = [newBackend(), newBackend(), newBackend()];
  const other = mountOf('two', '');
  const backends = new MountedBackends(root, async ({ bucket }) => (bucket === 'one' ? first : second));
  await backends.get(mount);
  await backends.get(other);
  backends.retain([other], 20);
  await backends.close();
  await delay(60);
  expect([root, first, second].map((one) => one.closeCount)).toEqual([1, 1, 1]);
});

test('an upload that is under way when the backend of its mount is closed comes to its end', async () => {
  const path = await mkdtemp(join(tmpdir(), 'forebay-retired-'));
  const open = () => openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path });
  const backends = new MountedBackends(newBackend(), open);
  const backend = await backends.get(mount);
  const bytes = someBytes(300_000);
  const beforeChunk = async (index: number) => {
    if (index === 2) backends.retain([], 0);
    if (index >= 2) await delay(30);
  };
  await put(backend, 'k', bytes, { beforeChunk });
  await backends.close();
  const again = await open();
  expect((await getAll(again, 'k')).equals(bytes)).toBe(true);
  expect(await readdir(join(path, '.forebay/tmp'))).toEqual([]);
  await rm(path, { recursive: true });
});

test('a mount whose secret cannot be opened is storage that cannot be reached', async () => {
  const backends = new MountedBackends(newBackend(), async () => {
    throw new MountError('invalid', 'the secret was sealed with another encryption key');
  });
  const error = await Promise.resolve(backends.get(mount)).catch((reason) => reason);
  expect(error).toBeInstanceOf(UfsError);
  expect(error).toMatchObject({
    kind: 'unavailable',
    retryable: false,
    message: expect.stringContaining('another encryption key'),
  });
  await backends.close();
});
