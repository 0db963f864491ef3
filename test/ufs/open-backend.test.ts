import { mkdir, mkdtemp, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MeteredBackend } from '../../src/ufs/metered.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openBackend } from '../../src/ufs/open-backend.ts';
import { getAll, kindOf, listAll, put } from '../contracts/backend.ts';

const parts = { fs: new NodeFileSystem(), clock: systemClock, random: systemRandom, log: silentLog() };
let base: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'forebay-open-'));
});
afterEach(() => rm(base, { recursive: true }));

test('file: opens a tree, or makes a root, by its absolute path', async () => {
  await mkdir(join(base, 'a b'));
  const tree = await openBackend(parts, { uri: pathToFileURL(join(base, 'a b')).href });
  expect(tree.capabilities).toMatchObject({ anyKey: false, exclusive: false });
  await put(tree, 'k', 'x');
  expect(await readFile(join(base, 'a b/k'), 'utf8')).toBe('x');
  await tree.close();
  const uri = pathToFileURL(join(base, 'new/root')).href;
  const root = await openBackend(parts, { uri, root: true });
  expect(root.capabilities).toMatchObject({ anyKey: true, exclusive: true });
  await put(root, 'a/b', 'kept');
  await root.close();
  const again = await openBackend(parts, { uri: `${uri}/`, root: true });
  expect((await getAll(again, 'a/b')).toString()).toBe('kept');
  await again.close();
});

test('a root of an unknown version, a damaged one, and a folder of other files are refused and left alone', async () => {
  const uri = pathToFileURL(base).href;
  await writeFile(join(base, 'file'), 'x');
  expect(await kindOf(openBackend(parts, { uri, root: true }))).toBe('unavailable');
  await rm(join(base, 'file'));
  await (await openBackend(parts, { uri, root: true })).close();
  for (const layout of ['{"layout":1}', '{"layout":4}', '{}', '', 'null', '[]']) {
    await writeFile(join(base, '.forebay/layout.json'), layout);
    expect([layout, await kindOf(openBackend(parts, { uri, root: true }))]).toEqual([layout, 'unavailable']);
  }
});

test('a tree that overlaps with a folder of Forebay’s own is refused, wherever links lead when it is opened', async () => {
  const own = join(base, 'own');
  const link = join(base, 'link');
  await mkdir(join(own, 'inside'), { recursive: true });
  await mkdir(join(base, 'apart'));
  const open = (path: string) =>
    openBackend({ ...parts, ownFolders: [own] }, { uri: pathToFileURL(path).href });
  await symlink(join(base, 'apart'), link);
  await (await open(link)).close();
  await unlink(link);
  await symlink(own, link);
  for (const path of [own, join(own, 'inside'), base, '/', link, join(link, 'inside')]) {
    expect([path, await kindOf(open(path))]).toEqual([path, 'unavailable']);
  }
});

test('other schemes and forms are not implemented', async () => {
  for (const uri of [
    's3://',
    's3://key@bucket/',
    's3://bucket/?x',
    's3://bucket/%zz',
    'gs://',
    'gs://key@bucket/',
    'gs://bucket/?x',
    'gs://bucket/%zz',
    'hdfs://',
    'hdfs://user@host/',
    'hdfs://host/?x',
    'hdfs://host/%zz',
    'hdfs://host/a:b/',
    'hdfs://host/.reserved/raw/',
    'azure://h/p',
    'memory:',
    'relative/path',
    '',
    'file:relative',
    'file://host/x',
    'file:///a?b',
    'file:///%00',
  ]) {
    expect([uri, await kindOf(openBackend(parts, { uri }))]).toEqual([uri, 'not-implemented']);
  }
  const memory = await openBackend(parts, { uri: 'memory:', allowMemory: true });
  await put(memory, 'k', 'x');
  expect(await listAll(memory)).toEqual(['k']);
});

test('every call and every byte through a metered backend is counted once, under the mount', async () => {
  const metrics = new Metrics();
  const inner = await openBackend(parts, { uri: 'memory:', allowMemory: true });
  const backend = new MeteredBackend(metrics, inner, 'm');
  await put(backend, 'k', Buffer.alloc(3_000_000));
  const meta = await backend.head('k');
  for await (const _ of backend.read('k', meta, { start: 10, end: 1_500_010 }));
  await listAll(backend);
  const values = async (name: string) =>
    Object.fromEntries(
      ((await metrics.registry.getSingleMetric(name)?.get())?.values ?? []).map(({ labels, value }) => [
        `${labels.mount} ${labels.operation ?? labels.direction}`,
        value,
      ]),
    );
  expect(await values('forebay_backend_requests_total')).toEqual({
    'm put': 1,
    'm head': 1,
    'm read': 1,
    'm list': 1,
  });
  expect(await values('forebay_backend_bytes_total')).toEqual({ 'm write': 3_000_000, 'm read': 1_500_000 });
});
