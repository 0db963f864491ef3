import { beforeEach, describe, expect, test } from '@jest/globals';
import { SecretBox } from '../../src/auth/secret-box.ts';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import { parseMountRequest } from '../../src/mounts/mount-spec.ts';
import { MountStore } from '../../src/mounts/mount-store.ts';
import { maximumPolicies } from '../../src/mounts/policy.ts';
import type { PolicyError } from '../../src/mounts/policy-error.ts';
import { type PolicyRequest, parsePolicyRequest } from '../../src/mounts/policy-spec.ts';
import { PolicyStore } from '../../src/mounts/policy-store.ts';
import { until } from '../support/until.ts';

let store: CoordStore;
let mounts: MountStore;
let policies: PolicyStore;

beforeEach(async () => {
  store = createMemoryStore(systemClock, systemRandom);
  mounts = await MountStore.open(
    systemClock,
    systemRandom,
    store,
    new SecretBox(systemRandom, Buffer.alloc(32, 7)),
    {
      rootUser: 'root',
    },
  );
  policies = await PolicyStore.open(systemClock, store, mounts);
});

async function set(request: PolicyRequest, at = policies): Promise<void> {
  const { row, unset } = parsePolicyRequest(request);
  await at.put(at.changed(row, unset));
}

const failure = (work: () => unknown) => {
  try {
    work();
    return 'no failure';
  } catch (error) {
    return `${(error as PolicyError).kind}: ${(error as PolicyError).message}`;
  }
};

describe('a policy', () => {
  test('holds where it was set at once and elsewhere when the store says so, for mounts that come later too', async () => {
    const elsewhere = await PolicyStore.open(systemClock, store, mounts);
    await set({ target: 's3://lake/tmp', ttl: '1h' });
    const mount = await mounts.add(parseMountRequest({ target: 'lake', uri: 'file:///srv/lake' }));
    for (const one of [policies, elsewhere]) {
      await until(() => one.of(mount.incarnation, 'tmp/k')?.ttlMs === 3_600_000);
      expect(one.of(mount.incarnation, 'k')).toBeUndefined();
    }
    expect(elsewhere.digest).toBe(policies.digest);
    const before = policies.digest;
    await policies.remove('lake', 'tmp/');
    await until(() => elsewhere.of(mount.incarnation, 'tmp/k') === undefined);
    expect([elsewhere.digest === policies.digest, policies.digest === before]).toEqual([true, false]);
  });

  test('keeps what a change does not name, loses what it takes away, and is there after the store was opened anew', async () => {
    await set({ target: 'lake', ttl: '1h', quota: '1GiB' });
    await set({ target: 'lake', pin: 'yes', ttl: 'none' });
    const again = await PolicyStore.open(systemClock, store, mounts);
    expect(again.table.rows).toEqual([{ bucket: 'lake', prefix: '', quotaBytes: 1024 ** 3, pin: true }]);
    expect(failure(() => policies.changed({ bucket: 'lake', prefix: '' }, ['pin', 'quotaBytes']))).toMatch(
      /^invalid: nothing would be left/,
    );
  });

  test('is refused beyond a bound, and so is one that is not there to be removed', async () => {
    for (let i = 0; i < maximumPolicies; i++) await set({ target: `lake/p${i}`, ttl: '1h' });
    expect(failure(() => policies.changed({ bucket: 'lake', prefix: 'x/', pin: true }, []))).toBe(
      'limit: there are 1000 policies already',
    );
    await set({ target: 'lake/p7', ttl: '2h' });
    await expect(policies.remove('lake', 'x/')).rejects.toThrow('there is no policy for s3://lake/x/');
  });
});

describe('a policy as it is asked for', () => {
  test.each<[Partial<PolicyRequest>, RegExp]>([
    [{}, /nothing is set: name at least one of --ttl/],
    [{ ttl: '5' }, /--ttl must be a duration from 1s to 3650d, as in 12h, or forever, or none, not "5"/],
    [{ ttl: '10ms' }, /--ttl must be/],
    [{ pin: 'maybe' }, /--pin must be one of yes, no, or none, not "maybe"/],
    [{ cache: 'twice' }, /--cache must be one of always, second-read, never/],
    [{ quota: 'lots' }, /--quota must be a size, as in 100GiB/],
    [{ minSize: '2KiB', maxSize: '1KiB' }, /--min-size is above --max-size/],
    [{ include: ['x'.repeat(300)] }, /--include: a pattern has 1 to 256 characters/],
    [{ exclude: Array.from({ length: 33 }, () => '*') }, /--exclude takes at most 32 patterns/],
    [{ freshness: 'sometimes' }, /--freshness: the freshness must be always/],
    [{ target: 's3://UPPER/x', ttl: '1h' }, /is no bucket name/],
    [{ target: 's3://lake/a//b', ttl: '1h' }, /empty part/],
  ])('%j is refused in words', (request, message) => {
    expect(() => parsePolicyRequest({ target: 'lake', ...request })).toThrow(message);
  });
});
