import { execFileSync } from 'node:child_process';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { digestOf } from '../../src/common/checksums.ts';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend, type TreeBackend } from '../../src/ufs/tree.ts';
import { getAll, kindOf, listAll, plain, put, readAll } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';

let base: string;
let root: string;
let backend: TreeBackend;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'forebay-tree-'));
  root = join(base, 'root');
  await mkdir(join(root, 'docs/deep'), { recursive: true });
  await writeFile(join(root, 'docs/found.txt'), 'found');
  await writeFile(join(root, 'docs/deep/x'), 'x');
  await writeFile(join(base, 'outside'), 'secret');
  backend = await openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path: root });
});

afterEach(async () => {
  await backend.close();
  await rm(base, { recursive: true });
});

const settle = () => new Promise((resolve) => setTimeout(resolve, 70));

describe('files that are found', () => {
  test('have their bytes, an ETag that is no MD5 and no content type, and nothing is written for them', async () => {
    const meta = await backend.head('docs/found.txt');
    expect(meta).toMatchObject({ sizeBytes: 5, headers: {}, userMetadata: {} });
    expect(meta.etag).toMatch(/^[0-9a-f]{32}-/);
    expect((await getAll(backend, 'docs/found.txt')).toString()).toBe('found');
    const page = await backend.list({ prefix: 'docs/', limit: 10 });
    expect(page.entries[1]).toMatchObject({ key: 'docs/found.txt', etag: meta.etag });
    expect(await readdir(root)).toEqual(['docs']);
  });

  test('get another generation and ETag when another program changes them, of the same size too', async () => {
    await settle();
    const before = await backend.head('docs/found.txt');
    expect(before.generationSettled).toBe(true);
    await writeFile(join(root, 'docs/found.txt'), 'other');
    const after = await backend.head('docs/found.txt');
    expect(after.generation).not.toBe(before.generation);
    expect(after.etag).not.toBe(before.etag);
    expect(after.generationSettled).toBe(false);
    expect(await kindOf(readAll(backend, 'docs/found.txt', before))).toBe('moved');
    await settle();
    expect((await backend.head('docs/found.txt')).generationSettled).toBe(true);
  });

  test('are seen to have changed even if their modification time was set back', async () => {
    const when = new Date(1_600_000_000_000);
    await utimes(join(root, 'docs/found.txt'), when, when);
    await settle();
    const before = await backend.head('docs/found.txt');
    await writeFile(join(root, 'docs/found.txt'), 'other');
    await utimes(join(root, 'docs/found.txt'), when, when);
    expect(await kindOf(readAll(backend, 'docs/found.txt', before))).toBe('moved');
  });

  test('changed in place while they are read end the reader with moved, and no byte of the new is given', async () => {
    const old = someBytes(3_000_000, 1);
    await writeFile(join(root, 'big'), old);
    await settle();
    const meta = await backend.head('big');
    const got: Buffer[] = [];
    const reading = (async () => {
      for await (const chunk of backend.read('big', meta, { start: 0, end: meta.sizeBytes })) {
        got.push(chunk);
        await writeFile(join(root, 'big'), someBytes(3_000_000, 2), { flag: 'r+' });
      }
    })();
    expect(await kindOf(reading)).toBe('moved');
    const bytes = Buffer.concat(got);
    expect(bytes.equals(old.subarray(0, bytes.length))).toBe(true);
  });

  test('put through Forebay and then changed by another program lose what Forebay knew of them', async () => {
    const about = { headers: { contentType: 'text/plain' }, userMetadata: { a: '1' } };
    const made = await put(backend, 'docs/mine', 'mine', about);
    expect(await backend.head('docs/mine')).toMatchObject({ etag: made.etag, ...about });
    await settle();
    await writeFile(join(root, 'docs/mine'), 'your');
    const after = await backend.head('docs/mine');
    expect(after).toMatchObject({ headers: {}, userMetadata: {} });
    expect(after.etag).not.toBe(made.etag);
  });
});

describe('what Forebay knows of an object that was put', () => {
  const about = { headers: { contentType: 'text/plain' }, userMetadata: { a: '1' } };
  const sent = { CRC32: digestOf('CRC32', Buffer.from('version-one!')).toString('base64') };

  test('says nothing of bytes that were written in place, though the modification time was set back', async () => {
    const made = await put(backend, 'docs/mine', 'version-one!', { ...about, sent });
    expect(made).toMatchObject({ checksums: sent, etag: expect.stringMatching(/^[0-9a-f]{32}$/) });
    const path = join(root, 'docs/mine');
    // To the nanosecond, as far as the system can.
    execFileSync('touch', ['-r', path, join(base, 'times')]);
    await writeFile(path, 'VERSION-two?', { flag: 'r+' });
    execFileSync('touch', ['-r', join(base, 'times'), path]);
    const after = await backend.head('docs/mine');
    expect(after.lastModifiedMs).toBe(made.lastModifiedMs);
    expect(after.etag).not.toBe(made.etag);
    expect(after.etag).toMatch(/-0$/);
    expect(after.checksums).toBeUndefined();
    expect(after).toMatchObject(about);
    expect((await backend.list({ prefix: 'docs/mine', limit: 1 })).entries[0]).toMatchObject({
      etag: after.etag,
    });
    const stale = put(backend, 'docs/mine', 'x', { condition: { ifMatch: made.etag } });
    expect(await kindOf(stale)).toBe('precondition-failed');
  });

  test('outlives a change of rights, but for its word on the bytes, and the next opening of the tree', async () => {
    const made = await put(backend, 'docs/mine', 'version-one!', { ...about, sent });
    const again = await openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path: root });
    expect(await again.head('docs/mine')).toMatchObject({ etag: made.etag, checksums: sent, ...about });
    await again.close();
    await chmod(join(root, 'docs/mine'), 0o600);
    const after = await backend.head('docs/mine');
    expect(after).toMatchObject(about);
    expect([after.etag === made.etag, after.checksums]).toEqual([false, undefined]);
  });
});

describe('the record of what Forebay knows of an object', () => {
  const about = { headers: { contentType: 'text/plain' }, userMetadata: { a: '1' } };
  const record = () => join(root, '.forebay/meta/docs%/mine%k');

  test('is not believed if any byte of it was changed: the file is one that another program put', async () => {
    const made = await put(backend, 'docs/mine', 'mine', about);
    const whole = await readFile(record());
    const etags = new Set<string>();
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      await writeFile(record(), bytes);
      const found = await backend.head('docs/mine');
      expect([at, found.headers, found.userMetadata]).toEqual([at, {}, {}]);
      etags.add(found.etag);
    }
    expect(etags.has(made.etag)).toBe(false);
    await writeFile(record(), whole);
    expect(await backend.head('docs/mine')).toMatchObject({ etag: made.etag, ...about });
  });

  test('is read in its first form too, which had no checksum', async () => {
    const made = await put(backend, 'docs/mine', 'mine', about);
    const json = (await readFile(record())).subarray(9);
    await writeFile(record(), json.toString().replace('"layout":2', '"layout":1'));
    expect(await backend.head('docs/mine')).toMatchObject({ etag: made.etag, ...about });
    await writeFile(record(), json.subarray(0, 20));
    expect(await backend.head('docs/mine')).toMatchObject({ headers: {}, userMetadata: {} });
  });
});

describe('links and other things', () => {
  beforeEach(async () => {
    await symlink('docs/found.txt', join(root, 'inside'));
    await symlink('docs', join(root, 'folder'));
    await symlink('../outside', join(root, 'escape'));
    await symlink(base, join(root, 'up'));
    await symlink('..', join(root, 'docs/loop'));
    await symlink('nothing', join(root, 'dangling'));
    await symlink('.forebay', join(root, 'own'));
    await mkdir(join(root, '.forebay'));
    await writeFile(join(root, '.forebay/private'), 'private');
    execFileSync('mkfifo', [join(root, 'pipe')]);
  });

  test('links that stay inside work, and all else is neither listed nor found', async () => {
    expect(await listAll(backend)).toEqual([
      'docs/deep/x',
      'docs/found.txt',
      'folder/deep/x',
      'folder/found.txt',
      'inside',
    ]);
    expect(await listAll(backend, { delimiter: '/' })).toEqual(['docs/', 'folder/', 'inside']);
    expect((await getAll(backend, 'folder/found.txt')).toString()).toBe('found');
    expect((await getAll(backend, 'inside')).toString()).toBe('found');
    for (const key of [
      'escape',
      'up/outside',
      'dangling',
      'own/private',
      'pipe',
      '.forebay/private',
      'docs',
    ]) {
      expect([key, await kindOf(backend.head(key))]).toEqual([key, 'not-found']);
    }
  });

  test('nothing is written or deleted through a link that leads out', async () => {
    await mkdir(join(base, 'else'));
    await symlink('../else', join(root, 'out'));
    expect(await kindOf(put(backend, 'out/new', 'x'))).toBe('key-conflict');
    expect(await kindOf(put(backend, 'out/new/deeper', 'x'))).toBe('key-conflict');
    expect(await kindOf(put(backend, 'own/x', 'x'))).toBe('key-conflict');
    await backend.delete('up/outside');
    await backend.delete('escape');
    expect(await readdir(join(base, 'else'))).toEqual([]);
    expect(await readdir(base)).toEqual(['else', 'outside', 'root']);
  });

  test('a name that is no UTF-8 is not listed and does no harm', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${root}/bad-`), Buffer.from([0xff])]), 'x');
    await writeFile(join(root, 'good-\ufffd'), 'x');
    expect((await listAll(backend)).filter((key) => /bad|good/.test(key))).toEqual(['good-\ufffd']);
  });
});

describe('what a file system cannot hold', () => {
  test('a file beside a folder of its name is a conflict, either way', async () => {
    await put(backend, 'a', 'x');
    expect(await kindOf(put(backend, 'a/b', 'x'))).toBe('key-conflict');
    expect(await kindOf(put(backend, 'a/b/c', someBytes(100_000)))).toBe('key-conflict');
    expect(await kindOf(put(backend, 'docs', 'x'))).toBe('key-conflict');
    await backend.delete('a');
    await put(backend, 'a/b', 'x');
    await backend.delete('a/b');
    await put(backend, 'a', 'x');
  });

  test('If-None-Match is decided against files of other programs', async () => {
    const refused = put(backend, 'docs/found.txt', 'x', { condition: { ifNoneMatch: '*' } });
    expect(await kindOf(refused)).toBe('precondition-failed');
    const raced = put(backend, 'docs/raced', 'x', {
      condition: { ifNoneMatch: '*' },
      beforeCommit: () => link(join(root, 'docs/found.txt'), join(root, 'docs/raced')),
    });
    expect(await kindOf(raced)).toBe('precondition-failed');
    expect((await getAll(backend, 'docs/raced')).toString()).toBe('found');
  });

  test('a folder that another program removed, one of Forebay itself too, is made again by a put', async () => {
    await put(backend, 'f/g/1', 'x');
    await rm(join(root, 'f'), { recursive: true });
    await put(backend, 'f/g/2', 'y');
    expect((await getAll(backend, 'f/g/2')).toString()).toBe('y');
    await rm(join(root, 'f'), { recursive: true });
    await put(backend, 'f/h/3', 'z');
    await rm(join(root, '.forebay'), { recursive: true });
    await put(backend, 'f/g/4', 'z', { headers: { contentType: 'a/b' } });
    expect((await backend.head('f/g/4')).headers).toEqual({ contentType: 'a/b' });
  });
});

describe('a tree that is not there', () => {
  test('is unavailable when it is opened and when it went away later', async () => {
    const open = (path: string) => openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path });
    expect(await kindOf(open(join(base, 'nowhere')))).toBe('unavailable');
    expect(await kindOf(open(join(base, 'outside')))).toBe('unavailable');
    await rm(root, { recursive: true });
    expect(await kindOf(backend.head('docs/found.txt'))).toBe('unavailable');
    expect(await kindOf(backend.list({ prefix: '', limit: 1 }))).toBe('unavailable');
    await mkdir(root);
  });

  test('a tree that may not be written is read all the same', async () => {
    await chmod(root, 0o555);
    try {
      expect((await getAll(backend, 'docs/found.txt')).toString()).toBe('found');
      expect(await listAll(backend)).toEqual(['docs/deep/x', 'docs/found.txt']);
      expect(await readdir(root)).toEqual(['docs']);
      // To the superuser every directory is writable.
      if (process.getuid?.() !== 0) {
        expect(['denied', 'read-only']).toContain(await kindOf(backend.put('k', plain as never, plain)));
      }
    } finally {
      await chmod(root, 0o755);
    }
  });
});
