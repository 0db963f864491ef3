import { describe, expect, test } from '@jest/globals';
import { Credentials } from '../../src/auth/credentials.ts';
import { SecretBox } from '../../src/auth/secret-box.ts';
import {
  maximumKeysPerUser,
  type UserError,
  type UserErrorKind,
  UserStore,
} from '../../src/auth/user-store.ts';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';

const root = { accessKeyId: 'ROOTKEY', secretAccessKey: 'root-secret' };
const box = new SecretBox(systemRandom, Buffer.alloc(32, 7));

/** A node's view of the users in a store. */
async function node(store: CoordStore): Promise<{ credentials: Credentials; users: UserStore }> {
  const credentials = await Credentials.open(systemClock, store, box, root);
  return { credentials, users: new UserStore(systemClock, systemRandom, box, credentials) };
}

async function oneNode() {
  const store = createMemoryStore(systemClock, systemRandom);
  return { store, ...(await node(store)) };
}

/** A store that takes its time, and whose watches bring nothing meanwhile. */
function slowStore(): CoordStore {
  const store = createMemoryStore(systemClock, systemRandom);
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    putIf: async (key, value, expected) => {
      await systemClock.sleep(2);
      return store.putIf(key, value, expected);
    },
    deleteIf: (key, expected) => store.deleteIf(key, expected),
    watch: async () => ({ close: async () => {} }),
    lease: (ttlMs) => store.lease(ttlMs),
    close: () => store.close(),
  };
}

async function kindOf(promise: Promise<unknown>): Promise<UserErrorKind | undefined> {
  return promise.then(
    () => undefined,
    (error: UserError) => error.kind,
  );
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await systemClock.sleep(5);
  expect(holds()).toBe(true);
}

describe('users', () => {
  test('are created with a key that is known at once, and shown without its secret', async () => {
    const { credentials, users } = await oneNode();
    const key = await users.createUser('ann', { policy: 'readwrite' });
    expect(key.accessKeyId).toMatch(/^FB[A-Z2-7]{18}$/);
    expect(key.secretAccessKey).toMatch(/^[A-Za-z0-9]{40}$/);
    expect(credentials.lookup(key.accessKeyId)).toEqual({
      identity: { userName: 'ann', policy: 'readwrite', accessKeyId: key.accessKeyId },
      secretAccessKey: key.secretAccessKey,
      disabled: false,
    });
    expect(users.listUsers().map(({ name, policy }) => [name, policy])).toEqual([
      ['root', 'admin'],
      ['ann', 'readwrite'],
    ]);
    expect(JSON.stringify([users.listUsers(), users.showUser('ann')])).not.toContain(key.secretAccessKey);
  });

  test('may bring their own key', async () => {
    const { credentials, users } = await oneNode();
    const given = { accessKeyId: 'my-key', secretAccessKey: 'my-secret-1' };
    expect(await users.createUser('ann', { ...given, policy: 'readonly' })).toEqual(given);
    expect(credentials.lookup('my-key')?.secretAccessKey).toBe('my-secret-1');
  });

  test('have their secrets sealed in the store, which never holds the root key', async () => {
    const { store, users } = await oneNode();
    const key = await users.createUser('ann', { policy: 'readwrite' });
    await users.disableKey('ann', key.accessKeyId);
    const everything = JSON.stringify(await store.list(''));
    expect(everything).toContain(key.accessKeyId);
    expect(everything).not.toContain(key.secretAccessKey);
    expect(everything).not.toContain(root.secretAccessKey);
    expect(everything).not.toContain(root.accessKeyId);
  });

  const invalid: readonly (readonly [string, string, Record<string, string>])[] = [
    ['an empty name', '', {}],
    ['a name with a slash', 'a/b', {}],
    ['a name with a blank', 'a b', {}],
    ['a name of 65 characters', 'a'.repeat(65), {}],
    ['a policy that is none', 'ann', { policy: 'god' }],
    ['a policy out of the prototype', 'ann', { policy: 'constructor' }],
    ['an access key id with a slash', 'ann', { accessKeyId: 'a/b' }],
    ['an access key id with a comma', 'ann', { accessKeyId: 'a,b,c' }],
    ['an access key id of two characters', 'ann', { accessKeyId: 'ab' }],
    ['a short secret', 'ann', { secretAccessKey: 'short' }],
    ['a secret with a line break', 'ann', { secretAccessKey: 'long enough\n' }],
  ];
  test.each(invalid)('with %s are refused and leave nothing behind', async (_, name, options) => {
    const { store, users } = await oneNode();
    expect(await kindOf(users.createUser(name, { policy: 'readonly', ...options }))).toBe('invalid');
    expect((await store.list('')).entries).toEqual([]);
  });

  test('have names of their own, and root is taken', async () => {
    const { users } = await oneNode();
    await users.createUser('ann', { policy: 'readonly' });
    expect(await kindOf(users.createUser('ann', { policy: 'readonly' }))).toBe('exists');
    expect(await kindOf(users.createUser('root', { policy: 'admin' }))).toBe('exists');
  });

  test('have access key ids of their own, also against the root key, and a clash leaves no user behind', async () => {
    const { users } = await oneNode();
    await users.createUser('ann', { policy: 'readonly', accessKeyId: 'taken' });
    for (const accessKeyId of ['taken', root.accessKeyId]) {
      expect(await kindOf(users.createUser('bob', { policy: 'readonly', accessKeyId }))).toBe('exists');
    }
    expect(users.listUsers().map(({ name }) => name)).toEqual(['root', 'ann']);
  });

  test('created at the same time on many nodes share neither name nor access key id', async () => {
    const store = createMemoryStore(systemClock, systemRandom);
    const nodes = await Promise.all(Array.from({ length: 5 }, () => node(store)));
    const byName = await Promise.all(
      nodes.map(({ users }) => kindOf(users.createUser('ann', { policy: 'readonly' }))),
    );
    expect(byName.filter((kind) => kind === undefined).length).toBe(1);
    const byKey = await Promise.all(
      nodes.map(({ users }, i) =>
        kindOf(users.createUser(`user${i}`, { policy: 'readonly', accessKeyId: 'shared' })),
      ),
    );
    expect(byKey.filter((kind) => kind === undefined).length).toBe(1);
    expect((await store.list('users/names/')).entries.length).toBe(2);
  });

  test('that are deleted are gone with their keys, whose ids are free again, on every node', async () => {
    const { store, credentials, users } = await oneNode();
    const other = await node(store);
    const key = await users.createUser('ann', { policy: 'readonly', accessKeyId: 'again' });
    await eventually(() => other.credentials.lookup(key.accessKeyId) !== undefined);
    await users.deleteUser('ann');
    expect(credentials.lookup('again')).toBeUndefined();
    await eventually(() => other.credentials.lookup('again') === undefined);
    expect((await store.list('')).entries).toEqual([]);
    expect(
      await kindOf(users.createUser('ann', { policy: 'readonly', accessKeyId: 'again' })),
    ).toBeUndefined();
  });

  test('that are deleted and created again do not get the former one’s keys', async () => {
    const { store, credentials, users } = await oneNode();
    await users.createUser('ann', { policy: 'readonly', accessKeyId: 'first' });
    const left = await store.get('users/keys/first');
    await users.deleteUser('ann');
    // A node that stopped between the two deletions leaves the key's entry.
    await store.putIf('users/keys/first', left?.value ?? '', 'absent');
    await eventually(() => credentials.keys.get('first') !== undefined);
    await users.createUser('ann', { policy: 'admin', accessKeyId: 'second' });
    expect(credentials.lookup('first')).toBeUndefined();
    expect(users.showUser('ann').keys.map(({ accessKeyId }) => accessKeyId)).toEqual(['second']);
  });

  test('that do not exist cannot be shown, deleted or given keys; root cannot be changed', async () => {
    const { users } = await oneNode();
    expect(() => users.showUser('ann')).toThrow('there is no user ann');
    expect(await kindOf(users.deleteUser('ann'))).toBe('not-found');
    expect(await kindOf(users.createKey('ann'))).toBe('not-found');
    expect(await kindOf(users.deleteUser('root'))).toBe('invalid');
    expect(await kindOf(users.createKey('root'))).toBe('invalid');
    expect(await kindOf(users.disableKey('root', root.accessKeyId))).toBe('invalid');
    expect(users.showUser('root').keys.map(({ accessKeyId }) => accessKeyId)).toEqual([root.accessKeyId]);
  });
});

describe('access keys', () => {
  test('that are disabled are so at once here, and soon on other nodes, and stay so', async () => {
    const { store, credentials, users } = await oneNode();
    const other = await node(store);
    const key = await users.createUser('ann', { policy: 'readonly' });
    const second = await users.createKey('ann');
    await users.disableKey('ann', key.accessKeyId);
    expect(credentials.lookup(key.accessKeyId)?.disabled).toBe(true);
    expect(credentials.lookup(second.accessKeyId)?.disabled).toBe(false);
    await eventually(() => other.credentials.lookup(key.accessKeyId)?.disabled === true);
    await users.disableKey('ann', key.accessKeyId);
    const shown = users.showUser('ann').keys.filter(({ disabled }) => disabled);
    expect(shown.map(({ accessKeyId }) => accessKeyId)).toEqual([key.accessKeyId]);
    const later = await node(store);
    expect(later.credentials.lookup(key.accessKeyId)?.disabled).toBe(true);
  });

  test('are disabled only through their own user', async () => {
    const { users } = await oneNode();
    const key = await users.createUser('ann', { policy: 'readonly' });
    await users.createUser('bob', { policy: 'readonly' });
    expect(await kindOf(users.disableKey('bob', key.accessKeyId))).toBe('not-found');
  });

  test('are ten a user at most, however many are made at once', async () => {
    const { users } = await node(slowStore());
    await users.createUser('ann', { policy: 'readonly' });
    for (let i = 1; i < maximumKeysPerUser; i++) await users.createKey('ann');
    expect(await kindOf(users.createKey('ann'))).toBe('limit');
    await users.createUser('bob', { policy: 'readonly' });
    await Promise.all(Array.from({ length: 30 }, () => kindOf(users.createKey('bob'))));
    const count = users.showUser('bob').keys.length;
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(maximumKeysPerUser);
  });

  test('sealed with another encryption key stop the start, by name', async () => {
    const { store, users } = await oneNode();
    await users.createUser('ann', { policy: 'readonly', accessKeyId: 'sealed-elsewhere' });
    const otherBox = new SecretBox(systemRandom, Buffer.alloc(32, 8));
    await expect(Credentials.open(systemClock, store, otherBox, root)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('sealed-elsewhere'),
    });
  });

  test('moved in the store to another id do not work under it', async () => {
    const { store, credentials, users } = await oneNode();
    await users.createUser('ann', { policy: 'admin', accessKeyId: 'original' });
    const entry = await store.get('users/keys/original');
    const moved = JSON.stringify({ ...JSON.parse(entry?.value ?? ''), accessKeyId: 'moved' });
    await store.putIf('users/keys/moved', moved, 'absent');
    await eventually(() => credentials.keys.get('moved') !== undefined);
    expect(credentials.lookup('moved')).toBeUndefined();
    expect(credentials.lookup('original')).toBeDefined();
  });
});
