import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend, type TreeBackend } from '../../src/ufs/tree.ts';
import { kindOf, listAll, plain, put } from '../contracts/backend.ts';

const open = (path: string) => openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path });

describe('a tree inside a tree', () => {
  let root: string;
  let backend: TreeBackend;
  let inner: TreeBackend;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'forebay-nested-'));
    await mkdir(join(root, 'sub'));
    await writeFile(join(root, 'found'), 'found');
    backend = await open(root);
    inner = await open(join(root, 'sub'));
    await put(inner, 'x', 'inner', { userMetadata: { a: 'b' } });
    await inner.createUpload('pending', plain);
  });
  afterEach(async () => {
    await inner.close();
    await backend.close();
    await rm(root, { recursive: true });
  });

  test('keeps its own files to itself: they are in no list, and cannot be read, put, deleted or copied', async () => {
    expect(await listAll(backend)).toEqual(['found', 'sub/x']);
    expect(await listAll(backend, { prefix: 'sub/', delimiter: '/' })).toEqual(['sub/x']);
    expect(await listAll(backend, { prefix: 'sub/.forebay/' })).toEqual([]);
    const record = 'sub/.forebay/meta/x%k';
    const bytes = await readFile(join(root, record));
    expect(await kindOf(backend.head(record))).toBe('not-found');
    for (const key of [record, 'sub/.forebay', 'sub/.forebay/', 'sub/.forebay/new/deep', '.forebay/x']) {
      expect([key, await kindOf(put(backend, key, ''))]).toEqual([key, 'invalid-key']);
      expect([key, await kindOf(backend.createUpload(key, plain))]).toEqual([key, 'invalid-key']);
      await backend.delete(key);
    }
    expect(await readFile(join(root, record))).toEqual(bytes);
    expect(await inner.head('x')).toMatchObject({ userMetadata: { a: 'b' } });
  });

  test('keeps them to itself behind links too', async () => {
    await symlink('sub/.forebay', join(root, 'link'));
    await symlink('sub/.forebay/meta/x%k', join(root, 'record'));
    expect(await listAll(backend)).toEqual(['found', 'sub/x']);
    expect(await kindOf(backend.head('record'))).toBe('not-found');
    expect(await kindOf(backend.head('link/meta/x%k'))).toBe('not-found');
    expect(await kindOf(put(backend, 'link/new', 'x'))).toBe('key-conflict');
  });

  test('leaves no folder in a list when nothing but them is left', async () => {
    await inner.delete('x');
    expect(await listAll(backend, { delimiter: '/' })).toEqual(['found']);
    expect(await listAll(backend)).toEqual(['found']);
  });

  test('does not hide names that only begin alike', async () => {
    for (const key of ['.forebay-not', 'sub/.forebay.txt', 'sub/x.forebay/y']) await put(backend, key, 'x');
    expect(await listAll(backend)).toEqual([
      '.forebay-not',
      'found',
      'sub/.forebay.txt',
      'sub/x',
      'sub/x.forebay/y',
    ]);
  });
});
