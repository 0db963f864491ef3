import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openRootBackend } from '../../src/ufs/root.ts';
import { getAll, kindOf, put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'forebay-lock-'));
});
afterEach(() => rm(path, { recursive: true }));

const open = () => openRootBackend(new NodeFileSystem(), systemClock, systemRandom, silentLog(), { path });

test('a root that is open is refused to a second opening, which touches nothing, and is free once it is closed', async () => {
  const first = await open();
  const bytes = someBytes(200_000);
  let refused: string | undefined;
  await put(first, 'k', bytes, {
    beforeCommit: async () => {
      refused = await kindOf(open());
    },
  });
  expect(refused).toBe('unavailable');
  expect((await getAll(first, 'k')).equals(bytes)).toBe(true);
  await first.close();
  const second = await open();
  expect((await getAll(second, 'k')).equals(bytes)).toBe(true);
  await second.close();
});

test('another process holds the root as long as it lives, kill -9 included', async () => {
  await (await open()).close();
  const module = (name: string) => JSON.stringify(resolve(import.meta.dirname, '../../src', name));
  const program = `
    import { takeProcessLock } from ${module('common/process-lock.ts')};
    const lock = takeProcessLock(${JSON.stringify(join(path, '.forebay/lock'))});
    console.log(lock ? 'held' : 'refused');
    setInterval(() => lock, 1000);`;
  const child = spawn('node', ['--no-warnings', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    expect(String((await once(child.stdout, 'data'))[0])).toBe('held\n');
    expect(await kindOf(open())).toBe('unavailable');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await (await open()).close();
});

test('a folder that is refused is left as it was, without a lock in it', async () => {
  await writeFile(join(path, 'photo.jpg'), 'x');
  expect(await kindOf(open())).toBe('unavailable');
  expect(await readdir(path)).toEqual(['photo.jpg']);
});

test('an opening that fails gives the lock back', async () => {
  await (await open()).close();
  const uploads = join(path, '.forebay/uploads');
  await rm(uploads, { recursive: true });
  await writeFile(uploads, 'a plain file');
  expect(await kindOf(open())).toBe('io');
  await rm(uploads);
  await (await open()).close();
});
