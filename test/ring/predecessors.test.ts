import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { openSqliteStore } from '../../src/coord/sqlite.ts';
import { CoordError } from '../../src/coord/store.ts';
import { Membership } from '../../src/ring/membership.ts';
import { takeOver } from '../../src/ring/predecessors.ts';
import { type MemberRecord, membersPrefix } from '../../src/ring/view-record.ts';

const never = new AbortController().signal;

describe('earlier starts in a data folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-starts-'));
    await mkdir(join(folder, 'one'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** A start that ends with `end`, whatever that is. */
  async function start(name: string, incarnation: string, end = async () => {}): Promise<readonly string[]> {
    const file = join(folder, name, 'coord.sqlite');
    const own = openSqliteStore(file, systemClock, systemRandom);
    try {
      const gone = await takeOver(own, file, incarnation);
      await end();
      return gone;
    } finally {
      await own.close();
    }
  }

  test('are gone when a later one has the lock of that very file', async () => {
    expect(await start('one', 'a')).toEqual([]);
    expect(await start('one', 'b')).toEqual(['a']);
    expect(await start('one', 'c')).toEqual(['a', 'b']);
  });

  test('may be alive for a start in a copy of the folder, made while they ran or after', async () => {
    await start('one', 'a', () => cp(join(folder, 'one'), join(folder, 'copy'), { recursive: true }));
    await cp(join(folder, 'one'), join(folder, 'later'), { recursive: true });
    expect(await start('copy', 'b')).toEqual([]);
    expect(await start('later', 'c')).toEqual([]);
    expect(await start('copy', 'd')).toEqual(['b']);
  });

  test('are remembered up to a number', async () => {
    for (let i = 0; i < 40; i++) await start('one', `start-${i}`);
    expect((await start('one', 'last')).at(-1)).toBe('start-39');
    expect((await start('one', 'another')).length).toBeLessThan(20);
  });
});

describe('an entry that an earlier start has left behind', () => {
  const record = (incarnation: string): MemberRecord => ({
    workerId: 'w',
    incarnation,
    host: '127.0.0.1',
    peerPort: 9002,
    s3Url: '',
    adminUrl: '',
    weight: 1,
    state: 'joined',
  });

  async function joinOver(predecessors: readonly string[]) {
    const store = createMemoryStore(systemClock, systemRandom);
    // Nothing ends its lease for as long as the test takes.
    const lease = await store.lease(600_000);
    await store.putIf(`${membersPrefix}w`, JSON.stringify(record('before')), 'absent', lease);
    const membership = new Membership(systemClock, silentLog(), store, 'w', predecessors);
    const given = new AbortController();
    const joined = membership.join(record('after'), given.signal);
    return { store, membership, joined, giveUp: () => given.abort(new Error('given up')) };
  }

  test('is removed if its process is gone for certain', async () => {
    const { store, membership, joined } = await joinOver(['long ago', 'before']);
    await joined;
    const entry = await store.get(`${membersPrefix}w`);
    expect(JSON.parse(entry?.value ?? '{}').incarnation).toBe('after');
    await membership.close();
  });

  test('is removed if it is of a try of this very start whose answer was lost, again and again', async () => {
    const store = createMemoryStore(systemClock, systemRandom);
    const [put, lease] = [store.putIf.bind(store), store.lease.bind(store)];
    let lost = 0;
    // Nor does its lease end.
    store.lease = async () => ({ ...(await lease(600_000)), revoke: async () => {} });
    store.putIf = async (...change) => {
      const revision = await put(...change);
      if (revision !== undefined && ++lost <= 3) throw new CoordError('unavailable', 'the answer is lost');
      return revision;
    };
    const membership = new Membership(systemClock, silentLog(), store, 'w');
    await membership.join(record('after'), never);
    expect(lost).toBe(4);
    await membership.close();
  });

  test('stays if it may be that of a process which is alive', async () => {
    const { store, membership, joined, giveUp } = await joinOver(['long ago']);
    await systemClock.sleep(600, never);
    giveUp();
    await expect(joined).rejects.toThrow('given up');
    const entry = await store.get(`${membersPrefix}w`);
    expect(JSON.parse(entry?.value ?? '{}').incarnation).toBe('before');
    await membership.close();
  });
});
