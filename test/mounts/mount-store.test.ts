import { beforeEach, describe, expect, test } from '@jest/globals';
import { SecretBox } from '../../src/auth/secret-box.ts';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import type { MountError } from '../../src/mounts/mount-error.ts';
import { type MountRequest, mountName, parseMountRequest } from '../../src/mounts/mount-spec.ts';
import { MountStore } from '../../src/mounts/mount-store.ts';
import { delayed } from '../coord/delayed-watches.ts';

const key = Buffer.alloc(32, 7);
let store: CoordStore;
let mounts: MountStore;

const open = (encryptionKey = key, through = store) =>
  MountStore.open(systemClock, systemRandom, through, new SecretBox(systemRandom, encryptionKey), {
    rootUser: 'root',
  });
const add = (target: string, more: Partial<MountRequest> = {}) =>
  mounts.add(parseMountRequest({ target, uri: `file:///srv/${target.replaceAll('/', '-')}`, ...more }));
const names = () => mounts.table.mounts.map(mountName);
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no failure',
    (error: MountError) => `${error.kind}: ${error.message}`,
  );

beforeEach(async () => {
  store = createMemoryStore(systemClock, systemRandom);
  mounts = await open();
});

describe('adding a mount', () => {
  test('over a bucket makes the bucket, which belongs to the root user unless an owner is given', async () => {
    await add('one');
    await add('two', { owner: 'ada' });
    expect(mounts.buckets.list().map(({ name, owner, kind }) => [name, owner, kind])).toEqual([
      ['one', 'root', 'mount'],
      ['two', 'ada', 'mount'],
    ]);
    expect(names()).toEqual(['one', 'two']);
  });

  test('holds at once, and listeners are told', async () => {
    const seen: string[][] = [];
    const stop = mounts.onChange((table) => seen.push(table.mounts.map(mountName)));
    const mount = await add('one');
    expect(mounts.table.resolve('one', 'k')).toEqual({ mount, path: 'k' });
    expect(seen.at(-1)).toEqual(['one']);
    stop();
    const before = seen.length;
    await mounts.remove('one', '');
    expect(seen).toHaveLength(before);
  });

  test('that is refused makes no bucket', async () => {
    await add('one', { uri: 'file:///srv/shared' });
    expect(await failure(add('two/in/here', { uri: 'file:///srv/shared/sub' }))).toMatch(/^exists: .*one/);
    expect(await failure(add('two', { uri: 'file:///srv' }))).toMatch(/^exists: /);
    expect(mounts.buckets.list().map((bucket) => bucket.name)).toEqual(['one']);
    expect(names()).toEqual(['one']);
  });

  test('of a place at a storage that another mount has is taken if nothing is written, or if both ask each time', async () => {
    const endpoint = 'http://127.0.0.1:9';
    await add('one', { uri: 's3://b/data/', endpoint });
    expect(await failure(add('two', { uri: 's3://b/', endpoint }))).toMatch(/^exists: .*overlaps .* one/);
    expect(await failure(add('two', { uri: 's3://b/data/', endpoint, freshness: 'always' }))).toMatch(
      /^exists: /,
    );
    expect(await failure(add('two', { uri: 's3://b/data/in/', endpoint, readOnly: true }))).toMatch(
      /^exists: /,
    );
    await add('elsewhere', { uri: 's3://b/data/', endpoint: 'http://127.0.0.1:10' });
    await add('apart', { uri: 's3://b/data2/', endpoint });
    await add('fresh', { uri: 's3://c/', endpoint, freshness: 'always' });
    await add('fresh-too', { uri: 's3://c/in/', endpoint, freshness: 'always' });
    await add('still', { uri: 's3://d/', endpoint, readOnly: true });
    await add('still-too', { uri: 's3://d/', endpoint, readOnly: true });
  });

  test('inside a bucket that is there leaves it as it is, and otherwise makes one below the root mount', async () => {
    await mounts.buckets.create({ name: 'mine', owner: 'ada', kind: 'root' });
    await add('mine/in/here');
    await add('new/in/here');
    expect(mounts.buckets.get('mine')).toMatchObject({ owner: 'ada', kind: 'root' });
    expect(mounts.buckets.get('new')).toMatchObject({ owner: 'root', kind: 'root' });
    expect(names()).toEqual(['mine/in/here/', 'new/in/here/']);
  });

  test('over a bucket that is there is refused: it would hide what is in it', async () => {
    await mounts.buckets.create({ name: 'mine', owner: 'ada', kind: 'root' });
    expect(await failure(add('mine'))).toContain('exists: there is a bucket mine already');
    expect(names()).toEqual([]);
    expect((await store.list('mounts/')).entries).toEqual([]);
  });

  test('twice in one place is refused', async () => {
    await add('one');
    await add('one/a');
    expect(await failure(add('one'))).toMatch(/^exists: one is mounted already/);
    expect(await failure(add('one/a/'))).toMatch(/^exists: one\/a\/ is mounted already/);
  });

  test('of two at once in one place one succeeds', async () => {
    const results = await Promise.all([failure(add('one')), failure(add('one')), failure(add('one/a'))]);
    expect(results.filter((result) => result === 'no failure').length).toBeGreaterThanOrEqual(1);
    expect(mounts.table.mounts.filter((mount) => mount.prefix === '').length).toBeLessThanOrEqual(1);
    for (const mount of mounts.table.mounts) expect(mounts.buckets.get(mount.bucket)).toBeDefined();
  });

  test('keeps the secret sealed, never in the clear, and opens it for the backend', async () => {
    const mount = await add('one', {
      uri: 's3://there/prefix',
      accessKeyId: 'AKIA',
      secretAccessKey: 'in-the-clear',
    });
    expect(mounts.secretOf(mount)).toBe('in-the-clear');
    expect(JSON.stringify((await store.list('')).entries)).not.toContain('in-the-clear');
    const other = await open(Buffer.alloc(32, 8));
    expect(() => other.secretOf(mount)).toThrow('sealed with another encryption key');
  });

  test('keeps a credentials file sealed in the same way, and neither secret opens as the other', async () => {
    const mount = await add('one', { uri: 'gs://there/prefix', credentials: '{"type":"in-the-clear"}' });
    expect(mounts.credentialsOf(mount)).toBe('{"type":"in-the-clear"}');
    expect(mounts.secretOf(mount)).toBeUndefined();
    expect(JSON.stringify((await store.list('')).entries)).not.toContain('in-the-clear');
    const swapped = { ...mount, sealedSecretAccessKey: mount.sealedCredentials };
    expect(() => mounts.secretOf(swapped)).toThrow('sealed with another encryption key');
  });
});

describe('removing a mount', () => {
  test('of a bucket removes the bucket, once no mount lies inside', async () => {
    await add('one');
    await add('one/a/b');
    expect(await failure(mounts.remove('one', ''))).toMatch(/^nested: .* remove one\/a\/b\/ first/);
    expect(mounts.buckets.get('one')).toBeDefined();
    await mounts.remove('one', 'a/b/');
    await mounts.remove('one', '');
    expect(mounts.buckets.list()).toEqual([]);
    expect((await store.list('')).entries).toEqual([]);
  });

  test('inside a bucket leaves the bucket', async () => {
    await add('one/a');
    await mounts.remove('one', 'a/');
    expect(mounts.buckets.get('one')).toBeDefined();
    expect(mounts.table.resolve('one', 'a/k')).toEqual({ mount: 'root', path: 'one/a/k' });
  });

  test('that is not there says so', async () => {
    expect(await failure(mounts.remove('one', ''))).toBe('not-found: there is no mount one');
  });

  test('and adding it again gives a new incarnation, so that nothing cached comes back', async () => {
    const first = await add('one');
    await mounts.remove('one', '');
    expect((await add('one')).incarnation).not.toBe(first.incarnation);
  });
});

describe('a mount store', () => {
  test('opened again has the same table', async () => {
    await add('one');
    await add('two/a', { uri: 's3://there', freshness: 'lease:5s', readOnly: true });
    expect((await open()).table.mounts).toEqual(mounts.table.mounts);
  });

  test('sees what another one over the same store adds and removes', async () => {
    const other = await open();
    await add('one/a');
    expect(other.table.mounts).toEqual(mounts.table.mounts);
    await mounts.remove('one', 'a/');
    expect(other.table.mounts).toEqual([]);
  });

  test('a mount whose bucket went away does not come to life in a later bucket of the name', async () => {
    await add('one/a');
    const bucket = mounts.buckets.get('one');
    if (!bucket) throw new Error('the bucket is absent');
    expect(await mounts.buckets.delete(bucket)).toBe(true);
    expect(names()).toEqual([]);
    await mounts.buckets.create({ name: 'one', owner: 'eve', kind: 'root' });
    expect(mounts.table.resolve('one', 'a/k').mount).toBe('root');
    await add('one/a', { uri: 'file:///srv/other' });
    expect(mounts.table.find('one', 'a/')?.uri).toBe('file:///srv/other');
  });

  test('a whole-bucket mount that was written and whose bucket was not (a crash between) does not count', async () => {
    await add('one');
    const left = (await store.get('mounts/one/'))?.value as string;
    await mounts.remove('one', '');
    await store.putIf('mounts/one/', left, 'absent');
    const after = await open();
    expect(after.table.mounts).toEqual([]);
    await after.add(parseMountRequest({ target: 'one', uri: 'file:///srv/data' }));
    expect(after.table.mounts).toHaveLength(1);
  });
});

describe('the bucket store', () => {
  test('deletes only the incarnation that was meant', async () => {
    const { buckets } = mounts;
    expect(await buckets.create({ name: 'one', owner: 'a', kind: 'root' })).toBe(true);
    expect(await buckets.create({ name: 'one', owner: 'b', kind: 'root' })).toBe(false);
    const first = buckets.get('one');
    if (!first) throw new Error('the bucket is absent');
    expect(await buckets.delete(first)).toBe(true);
    expect(await buckets.delete(first)).toBe(false);
    await buckets.create({ name: 'one', owner: 'b', kind: 'root' });
    expect(await buckets.delete(first)).toBe(false);
    expect(buckets.get('one')?.owner).toBe('b');
  });
});

describe('another write mode', () => {
  test('is set over what another node has changed and this one was not told of yet', async () => {
    await add('one');
    const { wrapped } = delayed(store);
    const late = await open(key, wrapped);
    await mounts.setWriteMode('one', '', { writeMode: 'back', copies: 2 });
    await mounts.setWriteMode('one', '', { writeMode: 'around' });
    const changed = await late.setWriteMode('one', '', { writeMode: 'through' });
    expect(changed).toMatchObject({ writeMode: 'through', copies: 2, wasBack: true });
    expect(mounts.table.find('one', '')).toMatchObject({ writeMode: 'through', copies: 2 });
    await late.close();
  });

  test('is not set for a mount that has come in the place of the one that was meant', async () => {
    await add('one');
    const { wrapped } = delayed(store);
    const late = await open(key, wrapped);
    await mounts.remove('one', '');
    await add('one');
    expect(await failure(late.setWriteMode('one', '', { writeMode: 'around' }))).toMatch(/^conflict: /);
    expect(mounts.table.find('one', '')?.writeMode).toBe('through');
    await late.close();
  });
});
