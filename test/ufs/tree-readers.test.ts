import { chmod, link, mkdtemp, rename, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend, type TreeBackend } from '../../src/ufs/tree.ts';
import { kindOf, put, readAll } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';

const sizeBytes = 3_000_000;
const old = someBytes(sizeBytes, 1);
const newer = someBytes(sizeBytes, 2);
let root: string;
let file: string;
let backend: TreeBackend;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'forebay-readers-'));
  file = join(root, 'file');
  await writeFile(file, old);
  backend = await openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path: root });
  await pause();
});
afterEach(async () => {
  await backend.close();
  await rm(root, { recursive: true });
});

const pause = () => new Promise((resolve) => setTimeout(resolve, 30));

/** What a reader gets while `change` happens behind its first chunk. */
async function readWhile(change: () => Promise<unknown>): Promise<{ bytes: Buffer; failure?: string }> {
  const meta = await backend.head('file');
  const chunks: Buffer[] = [];
  const reading = (async () => {
    for await (const chunk of backend.read('file', meta, { start: 0, end: sizeBytes })) {
      chunks.push(chunk);
      if (chunks.length === 1) await change();
    }
  })();
  const failure = await reading.then(
    () => undefined,
    () => kindOf(reading),
  );
  return { bytes: Buffer.concat(chunks), failure: await failure };
}

/** Sets the modification time back to what it was, exactly as far as the system can. */
async function setBack(before: { atime: Date; mtime: Date }): Promise<void> {
  await utimes(file, before.atime, before.mtime);
}

describe('a reader of bytes that stay as they are goes on to the end', () => {
  test.each<[string, () => Promise<unknown>]>([
    [
      'another file is renamed over it',
      async () => {
        await writeFile(join(root, 'new'), newer);
        await rename(join(root, 'new'), file);
      },
    ],
    ['its name is removed', () => unlink(file)],
    ['it gets another name', () => rename(file, join(root, 'other'))],
    ['it gets a second name', () => link(file, join(root, 'second'))],
    ['its rights are changed', () => chmod(file, 0o600)],
    ['an object is put over it', () => put(backend, 'file', newer)],
    ['it is deleted as an object', () => backend.delete('file')],
  ])('when %s', async (_, change) => {
    const { bytes, failure } = await readWhile(change);
    expect(failure).toBeUndefined();
    expect(bytes.equals(old)).toBe(true);
  });

  test('when one thing after another is done to it', async () => {
    let step = 0;
    const steps = [() => chmod(file, 0o600), () => link(file, join(root, 'b')), () => unlink(file)];
    const meta = await backend.head('file');
    const chunks: Buffer[] = [];
    for await (const chunk of backend.read('file', meta, { start: 0, end: sizeBytes })) {
      chunks.push(chunk);
      await steps[step++]?.();
      await pause();
    }
    expect(step).toBe(3);
    expect(Buffer.concat(chunks).equals(old)).toBe(true);
  });
});

describe('a reader of bytes that may have changed gets none of the new', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['it is written in place', () => writeFile(file, newer, { flag: 'r+' })],
    [
      'it is written in place and its modification time set back',
      async () => {
        const before = await stat(file);
        await writeFile(file, newer, { flag: 'r+' });
        await setBack(before);
      },
    ],
    ['it is cut short', () => writeFile(file, 'short')],
  ])('when %s', async (_, change) => {
    // A time that can be set back exactly.
    await utimes(file, new Date(1_600_000_000_000), new Date(1_600_000_000_000));
    await pause();
    const { bytes, failure } = await readWhile(change);
    expect(failure).toBe('moved');
    expect(bytes.equals(old.subarray(0, bytes.length))).toBe(true);
  });

  test('what is pinned and was written in place cannot be had again, though its time is set back', async () => {
    const when = new Date(1_600_000_000_000);
    await utimes(file, when, when);
    await pause();
    const meta = await backend.head('file');
    const release = await backend.pin('file', meta);
    await writeFile(file, newer, { flag: 'r+' });
    await utimes(file, when, when);
    expect(await kindOf(readAll(backend, 'file', meta))).toBe('moved');
    await chmod(file, 0o600);
    expect(await kindOf(readAll(backend, 'file', meta))).toBe('moved');
    await release();
  });
});
