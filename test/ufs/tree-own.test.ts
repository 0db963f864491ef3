import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend, type TreeBackend } from '../../src/ufs/tree.ts';
import { getAll, kindOf, listAll, plain, put } from '../contracts/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';

let base: string;
let root: string;
let backend: TreeBackend;

const open = (path: string) =>
  openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path, minPartSizeBytes: 5 });

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'forebay-own-'));
  root = join(base, 'above/root');
  await mkdir(join(root, 'sub'), { recursive: true });
  await mkdir(join(base, 'else'));
  await writeFile(join(root, 'found'), 'found');
  backend = await open(root);
});

afterEach(async () => {
  await backend.close();
  await rm(base, { recursive: true });
});

/** Every kind of change, each of which needs nothing to be there. */
const changes: readonly [string, () => Promise<unknown>][] = [
  ['a small put', () => put(backend, 'new', 'x')],
  ['a large put', () => put(backend, 'f/new', someBytes(100_000))],
  ['a folder marker', () => put(backend, 'marker/', '')],
  ['an upload', () => backend.createUpload('new', plain)],
  ['a part', () => backend.putPart('new', systemRandom.uuid(), 1, new TestBody('x'))],
  ['a completion', () => backend.completeUpload('new', systemRandom.uuid(), [])],
  ['an abortion', () => backend.abortUpload('new', systemRandom.uuid())],
  ['a list of parts', () => backend.listParts('new', systemRandom.uuid(), { limit: 1 })],
  ['a list of uploads', () => backend.listUploads({ prefix: '', limit: 1 })],
  ['a delete', () => backend.delete('found')],
];

describe.each([
  ['never changed before', async () => {}],
  ['that was put into before', async () => void (await put(backend, 'found', 'put'))],
])('a tree %s', (_, prepare) => {
  test.each(changes)(
    'whose root is gone refuses %s as unavailable, and is not made again',
    async (_n, run) => {
      await prepare();
      await rename(join(base, 'above'), join(base, 'away'));
      expect(await kindOf(run())).toBe('unavailable');
      expect(existsSync(join(base, 'above'))).toBe(false);
      await mkdir(join(base, 'above'));
      expect(await kindOf(run())).toBe('unavailable');
      await writeFile(root, 'a file');
      expect(await kindOf(run())).toBe('unavailable');
      await rm(join(base, 'above'), { recursive: true });
      await rename(join(base, 'away'), join(base, 'above'));
      await put(backend, 'again', 'x');
      expect((await getAll(backend, 'again')).toString()).toBe('x');
    },
  );

  test.each(['', '/tmp', '/uploads', '/meta'])(
    'whose .forebay%s is a link that leads out, or a file, refuses changes clearly and writes nothing outside',
    async (inner) => {
      await prepare();
      const own = join(root, `.forebay${inner}`);
      await rm(own, { recursive: true, force: true });
      await mkdir(join(root, '.forebay'), { recursive: true });
      if (inner === '') await rm(own, { recursive: true });
      const place: [string, () => Promise<void>][] = [
        ['a link', () => symlink(join(base, 'else'), own)],
        ['a link', () => symlink('nowhere', own)],
        ['a file', () => writeFile(own, 'mine')],
      ];
      for (const [what, make] of place) {
        await make();
        for (const [name, run] of changes) {
          const refused = (await run().catch((error) => error)) as UfsError;
          expect([what, name, refused]).toEqual([what, name, expect.any(UfsError)]);
          expect(refused).toMatchObject({ kind: 'unavailable', retryable: false });
          expect(refused.message).toContain(`${own} is to be a directory of Forebay's own, and is ${what}`);
        }
        expect((await getAll(backend, 'found')).toString()).toMatch(/found|put/);
        expect(await listAll(backend)).toEqual(['found']);
        expect(await readdir(join(base, 'else'))).toEqual([]);
        await unlink(own);
      }
      await put(backend, 'new', 'x');
      expect(await listAll(backend)).toEqual(['found', 'new']);
    },
  );
});

test.each(['an object', 'a part'])(
  'a tree that goes away while the bytes of %s come is unavailable',
  async (what) => {
    const { uploadId } = await backend.createUpload('new', plain);
    const body = new TestBody('x', { beforeChunk: () => rename(root, join(base, 'else/root')) });
    const gone =
      what === 'a part' ? backend.putPart('new', uploadId, 1, body) : backend.put('new', body, plain);
    expect(await kindOf(gone)).toBe('unavailable');
    expect(await readdir(join(base, 'above'))).toEqual([]);
    await rename(join(base, 'else/root'), root);
    expect(await kindOf(backend.head('new'))).toBe('not-found');
    expect((await backend.listParts('new', uploadId, { limit: 1 })).parts).toEqual([]);
  },
);

test('old temporary files of other processes are removed, and nothing that a link among them leads to', async () => {
  const left = join(root, '.forebay/tmp', systemRandom.uuid());
  await mkdir(left, { recursive: true });
  const old = new Date(Date.now() - 48 * 3600 * 1000);
  for (const file of [join(left, 'old'), join(base, 'else/precious')]) {
    await writeFile(file, 'x');
    await utimes(file, old, old);
  }
  await writeFile(join(left, 'young'), 'x');
  await symlink(join(base, 'else'), join(root, '.forebay/tmp/link'));
  await put(backend, 'new', 'x');
  expect(await readdir(left)).toEqual(['young']);
  expect(await readdir(join(base, 'else'))).toEqual(['precious']);
});
