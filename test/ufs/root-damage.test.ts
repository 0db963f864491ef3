import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { DamagedRecords } from '../../src/ufs/damaged-records.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openRootBackend, type RootBackend } from '../../src/ufs/root.ts';
import { DamagedRecordError } from '../../src/ufs/root-record.ts';
import { getAll, kindOf, listAll, plain, put } from '../contracts/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { ManualClock } from '../worker/manual-clock.ts';

let path: string;
let backend: RootBackend;
let lines: string[];

const open = () =>
  openRootBackend(new NodeFileSystem(), systemClock, systemRandom, logOf(), {
    path,
    minPartSizeBytes: 5,
    sweepEntriesPerSecond: 1e9,
  });
const logOf = () => pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
const record = (key: string) => join(path, `bkt%/${key}%k`);

async function reopen(): Promise<void> {
  await backend.close();
  backend = await open();
  expect(await backend.settled()).toBe(true);
}

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'forebay-damage-'));
  lines = [];
  backend = await open();
  for (const key of ['a', 'b', 'c']) await put(backend, `bkt/${key}`, `hello ${key}`);
});

afterEach(async () => {
  await backend.close();
  await rm(path, { recursive: true });
});

async function replace(key: string, change: (bytes: Buffer) => Buffer | string): Promise<void> {
  await writeFile(record(key), change(await readFile(record(key))));
}

async function putDirectory(key: string): Promise<void> {
  await rm(record(key));
  await mkdir(record(key));
  await writeFile(join(record(key), 'inside'), 'x');
}

const damages: readonly [string, (key: string) => Promise<void>][] = [
  ['cut in the middle', (key) => replace(key, (bytes) => bytes.subarray(0, bytes.length / 2))],
  ['empty', (key) => replace(key, () => '')],
  ['all zeros', (key) => replace(key, (bytes) => Buffer.alloc(bytes.length))],
  ['ten thousand zeros', (key) => replace(key, () => Buffer.alloc(10_000))],
  ['edited', (key) => replace(key, (bytes) => bytes.toString().replace('"sizeBytes":7', '"sizeBytes":4'))],
  ['without a checksum', (key) => replace(key, (bytes) => bytes.subarray(9))],
  ['a line of another program', (key) => replace(key, () => '{"current":{}}\n')],
  ['a directory', putDirectory],
];

describe.each(damages)('a record that is %s', (_, damage) => {
  beforeEach(() => damage('b'));

  test('is listed as an object that nothing is known of, in its place, and told of', async () => {
    const { entries } = await backend.list({ prefix: 'bkt/', limit: 10 });
    expect(entries.map((entry) => entry.key)).toEqual(['bkt/a', 'bkt/b', 'bkt/c']);
    expect(entries[1]).toMatchObject({ sizeBytes: 1, etag: `${'0'.repeat(32)}-0` });
    expect(await listAll(backend, { delimiter: '/' })).toEqual(['bkt/']);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 40, path: record('b') }]);
    expect((await getAll(backend, 'bkt/a')).toString()).toBe('hello a');
  });

  test('is not believed: its object cannot be read or copied, and no ETag matches it', async () => {
    expect(await kindOf(backend.head('bkt/b'))).toBe('io');
    expect(await kindOf(backend.copy('bkt/b', 'bkt/d', { sourceGeneration: 'x' }))).toBe('io');
    const refused = (condition: { ifMatch: string } | { ifNoneMatch: '*' }) =>
      kindOf(put(backend, 'bkt/b', 'x', { condition }));
    expect(await refused({ ifNoneMatch: '*' })).toBe('precondition-failed');
    expect(await refused({ ifMatch: '0123' })).toBe('io');
    expect(await kindOf(backend.delete('bkt/b', { condition: { ifMatch: '0123' } }))).toBe('io');
    expect(await kindOf(backend.head('bkt/b'))).toBe('io');
  });

  test.each([
    ['a small put', (key: string) => put(backend, key, 'new')],
    ['a large put', (key: string) => put(backend, key, someBytes(70_000, 1))],
    ['a put on any object', (key: string) => put(backend, key, 'new', { condition: { ifMatch: '*' } })],
    ['a copy onto it', async (key: string) => copyOver(key)],
    ['the completion of an upload', (key: string) => upload(key)],
  ])('is replaced by %s', async (_name, change) => {
    const made = await change('bkt/b');
    expect(await backend.head('bkt/b')).toMatchObject({ etag: made.etag });
    expect(await getAll(backend, 'bkt/b')).toHaveLength(made.sizeBytes);
    await reopen();
    expect(await listAll(backend)).toEqual(['bkt/a', 'bkt/b', 'bkt/c']);
    expect(await readdir(join(path, '.forebay/tmp'))).toHaveLength(1);
  });

  test('is removed by a delete', async () => {
    await backend.delete('bkt/b');
    expect(await kindOf(backend.head('bkt/b'))).toBe('not-found');
    expect(await listAll(backend)).toEqual(['bkt/a', 'bkt/c']);
    await reopen();
    expect(await readdir(join(path, 'bkt%'))).toEqual(['a%k', 'c%k']);
  });
});

describe('a file in the place of a folder', () => {
  const folder = () => join(path, 'bkt%/below%');

  beforeEach(async () => {
    await put(backend, 'bkt/below/d', 'hello d');
    await reopen();
    await rm(folder(), { recursive: true });
    await writeFile(folder(), 'no folder');
  });

  test('hides nothing beside it from a list, and is told of', async () => {
    for (const delimiter of ['/', undefined]) {
      const { entries } = await backend.list({ prefix: 'bkt/', delimiter, limit: 10 });
      expect(entries.map((entry) => entry.key)).toEqual(['bkt/a', 'bkt/b', 'bkt/c']);
    }
    expect(await listAll(backend, { prefix: 'bkt/below/' })).toEqual([]);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 40, path: folder(), err: { code: 'ENOTDIR' } },
    ]);
  });

  test('has nothing below it, takes nothing, and is left alone by the sweep', async () => {
    expect(await kindOf(backend.head('bkt/below/d'))).toBe('not-found');
    await backend.delete('bkt/below/d');
    expect(await kindOf(put(backend, 'bkt/below/d', 'x'))).toBe('io');
    await writeFile(join(path, '.forebay/open'), '');
    await reopen();
    expect(await readFile(folder(), 'utf8')).toBe('no folder');
    await rm(folder());
    await put(backend, 'bkt/below/d', 'again');
    expect((await getAll(backend, 'bkt/below/d')).toString()).toBe('again');
  });
});

async function copyOver(key: string) {
  const { generation } = await backend.head('bkt/a');
  return backend.copy('bkt/a', key, { sourceGeneration: generation });
}

async function upload(key: string) {
  const { uploadId } = await backend.createUpload(key, plain);
  const { etag } = await backend.putPart(key, uploadId, 1, new TestBody(Buffer.from('a part')));
  return backend.completeUpload(key, uploadId, [{ partNumber: 1, etag, checksums: {} }]);
}

test('no changed byte of a record is ever believed, nor one of the body inside it', async () => {
  const whole = await readFile(record('b'));
  const meta = await backend.head('bkt/b');
  const read = async () => {
    const present = await backend.head('bkt/b');
    expect(present).toEqual(meta);
    return getAll(backend, 'bkt/b');
  };
  expect((await read()).toString()).toBe('hello b');
  for (let at = 0; at < whole.length; at++) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    await writeFile(record('b'), bytes);
    expect([at, await kindOf(read())]).toEqual([at, 'io']);
  }
});

test('no changed byte of a list of parts is believed', async () => {
  await upload('bkt/b');
  const whole = await readFile(record('b'));
  for (let at = whole.indexOf(0x0a) + 1; at < whole.length; at++) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    await writeFile(record('b'), bytes);
    // The last byte is the line's end, which says nothing.
    if (at < whole.length - 1) expect([at, await kindOf(backend.head('bkt/b'))]).toEqual([at, 'io']);
  }
});

describe('the bodies of damaged records', () => {
  const leftovers = async () => [
    ...(await readdir(join(path, 'bkt%'))).filter((name) => name.includes('%v.')),
    ...(await readdir(join(path, '.forebay/objects'))),
  ];

  test('go with the next start when their records were replaced or removed', async () => {
    await put(backend, 'bkt/large', someBytes(70_000, 1));
    await upload('bkt/parts');
    expect(await leftovers()).toHaveLength(2);
    for (const key of ['large', 'parts']) await replace(key, () => '');
    await put(backend, 'bkt/large', 'new');
    await backend.delete('bkt/parts');
    await reopen();
    expect(await leftovers()).toEqual([]);
    expect(await listAll(backend)).toEqual(['bkt/a', 'bkt/b', 'bkt/c', 'bkt/large']);
  });

  test('stay while the record is there, which stops neither a start nor the sweep', async () => {
    await put(backend, 'bkt/large', someBytes(70_000, 1));
    const made = await upload('bkt/parts');
    const whole = { large: await readFile(record('large')), parts: await readFile(record('parts')) };
    for (const key of ['large', 'parts']) await replace(key, () => '');
    await backend.createUpload('bkt/large', plain);
    await backend.close();
    // As a process leaves it that is killed.
    await writeFile(join(path, '.forebay/open'), '');
    await writeFile(join(path, 'bkt%', `a%v.${systemRandom.uuid()}`), 'orphan');
    backend = await open();
    expect(await backend.settled()).toBe(true);
    expect(await leftovers()).toHaveLength(2);
    await writeFile(record('large'), whole.large);
    await writeFile(record('parts'), whole.parts);
    expect(await getAll(backend, 'bkt/large')).toEqual(someBytes(70_000, 1));
    expect(await getAll(backend, 'bkt/parts')).toHaveLength(made.sizeBytes);
  });
});

test('damage that is come across again and again is told of in a bounded number of lines', () => {
  const clock = new ManualClock();
  const damaged = new DamagedRecords(clock, logOf());
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 1000; index++) damaged.found(new DamagedRecordError(`/${index}`));
  }
  expect(lines).toHaveLength(20);
  clock.steadyMs += 60_000;
  damaged.found(new DamagedRecordError('/1'));
  damaged.found(new DamagedRecordError('/1'));
  expect(lines).toHaveLength(21);
  expect(JSON.parse(lines[20] as string)).toMatchObject({ path: '/1', untoldCount: 2940 });
  expect(damaged.leftBodies).toBe(false);
});
