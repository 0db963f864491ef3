import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Metrics } from '../../src/common/metrics.ts';
import { notBeforeSeconds } from '../../src/common/policy.ts';
import type { DiskPageStore } from '../../src/worker/disk-page-store.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import type { PageKey } from '../../src/worker/page-store.ts';
import { PolicySweep } from '../../src/worker/policy-sweep.ts';
import { TieredPageStore } from '../../src/worker/tiered-page-store.ts';
import { pageBytes, pageKey } from '../contracts/page-store.ts';
import { ChangingPolicies } from './changing-policies.ts';
import { type BenchSettings, DiskBench } from './disk-bench.ts';

let bench: DiskBench;
let policies: ChangingPolicies;
beforeEach(async () => {
  bench = await DiskBench.make();
  policies = new ChangingPolicies();
});
afterEach(() => bench.close());

const open = (settings: BenchSettings = {}) => bench.open({ policies, ...settings });

/** The key of a path as a reader asks for it at this moment. */
function now(path: string): PageKey {
  return {
    ...pageKey({ path }),
    notBeforeSeconds: notBeforeSeconds(policies.of('', path), bench.clock.nowMs()),
  };
}

async function fill(store: DiskPageStore, folder: string, count: number, bytes = 10_000): Promise<PageKey[]> {
  const keys = Array.from({ length: count }, (_, i) => pageKey({ path: `${folder}k${i}` }));
  for (const key of keys) await store.write(key, pageBytes(bytes));
  return keys;
}

async function countHeld(store: DiskPageStore, keys: readonly PageKey[]): Promise<number> {
  let count = 0;
  for (const key of keys) if (await store.read(key, 0, 100)) count++;
  return count;
}

describe('a page older than its prefix allows', () => {
  test('is absent, also where the age was set after the page had come', async () => {
    const store = await open();
    await store.write(pageKey({ path: 'tmp/a' }), pageBytes(1000));
    await store.write(pageKey({ path: 'b' }), pageBytes(1000));
    await bench.clock.pass(30_000);
    policies.set('tmp/', { ttlMs: 60_000 });
    expect(await store.read(now('tmp/a'), 0, 1000)).toEqual(pageBytes(1000));
    await bench.clock.pass(30_000);
    expect([store.has(now('tmp/a')), await store.read(now('tmp/a'), 0, 1000)]).toEqual([false, undefined]);
    expect(await store.read(now('b'), 0, 1000)).toEqual(pageBytes(1000));
  });

  test.each(['closed', 'killed'])(
    'is so after a restart of a store that was %s, as if it had gone on',
    async (how) => {
      policies.set('tmp/', { ttlMs: 60_000 });
      const store = await open();
      await store.write(pageKey({ path: 'tmp/a' }), pageBytes(1000));
      if (how === 'closed') await store.close();
      const path = await bench.copy('later');
      await bench.clock.pass(40_000);
      const second = await open({ path });
      await second.settled();
      expect(await second.read(now('tmp/a'), 0, 1000)).toEqual(pageBytes(1000));
      await bench.clock.pass(19_000);
      expect(await second.read(now('tmp/a'), 0, 1000)).toEqual(pageBytes(1000));
      await bench.clock.pass(2_000);
      expect(await second.read(now('tmp/a'), 0, 1000)).toBeUndefined();
    },
  );

  test('does not grow younger when it is carried', async () => {
    policies.set('tmp/', { ttlMs: 60_000, pin: true });
    const store = await open({ capacityBytes: 400_000 });
    await store.write(pageKey({ path: 'tmp/a' }), pageBytes(1000));
    await bench.clock.pass(50_000);
    await fill(store, 'other/', 200);
    expect(await store.read(now('tmp/a'), 0, 1000)).toEqual(pageBytes(1000));
    await bench.clock.pass(11_000);
    expect(await store.read(now('tmp/a'), 0, 1000)).toBeUndefined();
  });

  test('makes way for the one that is filled in its place', async () => {
    policies.set('tmp/', { ttlMs: 60_000 });
    const store = await open();
    await store.write(now('tmp/a'), pageBytes(1000));
    await bench.clock.pass(61_000);
    await store.write(now('tmp/a'), pageBytes(1000));
    expect(await store.read(now('tmp/a'), 0, 1000)).toEqual(pageBytes(1000));
    expect(store.usage.pages).toBe(1);
  });

  test('is dropped in the background, from memory too, and others stay', async () => {
    policies.set('tmp/', { ttlMs: 60_000 });
    const settings = { capacityBytes: 1_000_000, maxPageBytes: 100_000, policies };
    const memory = new MemoryPageStore(new Metrics(), settings, bench.clock);
    const store = new TieredPageStore(memory, await open());
    await store.write(pageKey({ path: 'tmp/a' }), pageBytes(1000));
    await store.write(pageKey({ path: 'b' }), pageBytes(1000));
    const sweep = new PolicySweep(bench.clock, policies, store);
    await bench.clock.pass(30_000);
    expect(memory.usage.pages).toBe(2);
    await bench.clock.pass(31_000);
    await sweep.close();
    expect([store.usage.pages, memory.usage.pages]).toEqual([1, 1]);
    expect(await store.read(now('b'), 0, 1000)).toEqual(pageBytes(1000));
  });

  test('is looked for while there is a policy, and nothing is done while there is none', async () => {
    let applied = 0;
    const store = {
      applyPolicies: async () => {
        applied++;
      },
    };
    const sweep = new PolicySweep(bench.clock, policies, store);
    expect(bench.clock.sleeperCount).toBe(0);
    policies.set('tmp/', { ttlMs: 60_000 });
    await bench.clock.pass(0);
    expect([applied, bench.clock.sleeperCount]).toEqual([1, 1]);
    for (let i = 0; i < 3; i++) await bench.clock.pass(10_000);
    expect(applied).toBe(4);
    policies.remove('tmp/');
    await bench.clock.pass(10_000);
    const last = applied;
    for (let i = 0; i < 3; i++) await bench.clock.pass(10_000);
    expect([applied, bench.clock.sleeperCount]).toEqual([last, 0]);
    policies.set('tmp/', { ttlMs: 60_000 });
    await bench.clock.pass(10_000);
    expect(applied).toBe(last + 2);
    await sweep.close();
  });

  test('is absent from memory at the second it is from the disk, however late it came to memory', async () => {
    policies.set('tmp/', { ttlMs: 60_000 });
    const memory = new MemoryPageStore(
      new Metrics(),
      { capacityBytes: 1_000_000, maxPageBytes: 100_000, policies },
      bench.clock,
    );
    const disk = await open();
    const store = new TieredPageStore(memory, disk);
    await disk.write(now('tmp/a'), pageBytes(1000));
    await bench.clock.pass(50_000);
    await store.read(now('tmp/a'), 0, 1000);
    expect(store.readNow(now('tmp/a'), 0, 1000)).toEqual(pageBytes(1000));
    await bench.clock.pass(11_000);
    expect(store.readNow(now('tmp/a'), 0, 1000)).toBeUndefined();
    expect(await store.read(now('tmp/a'), 0, 1000)).toBeUndefined();
  });
});

describe('a prefix that is not to be kept', () => {
  test('loses what it has, and nothing else goes', async () => {
    const store = await open();
    const [secret, other] = [await fill(store, 'secret/', 5), await fill(store, 'other/', 5)];
    policies.set('secret/', { cache: 'never' });
    await store.applyPolicies();
    expect([await countHeld(store, secret), await countHeld(store, other)]).toEqual([0, 5]);
  });
});

describe('a pinned page', () => {
  test('stays while others that nobody reads go, also where it was pinned after it had come', async () => {
    const store = await open({ capacityBytes: 400_000 });
    const keys = await fill(store, 'models/', 4, 2000);
    policies.set('models/', { pin: true });
    await fill(store, 'other/', 300);
    for (const key of keys) expect(await store.read(key, 0, 2000)).toEqual(pageBytes(2000));
  });

  test.each([
    ['pages of 10,000 bytes', 10_000],
    ['small ones', 500],
  ])('stays while many others come at once: %s', async (_, bytes) => {
    policies.set('models/', { pin: true });
    const store = await open({ capacityBytes: 4_000_000 });
    // A little less than half, with their headers.
    const keys = await fill(store, 'models/', Math.floor(1_800_000 / (bytes + 100)), bytes);
    for (let i = 0; i < 60; i++) {
      const others = Array.from({ length: 20 }, (__, k) => pageKey({ path: `other/${i}/k${k}` }));
      await Promise.all(others.map((key) => store.write(key, pageBytes(10_000))));
      await store.settled();
      // Room for a region, and for most of what the log may grow by, old and new, stays free, whatever comes together.
      expect(store.usedBytes).toBeLessThanOrEqual(4_000_000 * (1 - 1 / 32 - 1 / 40));
    }
    expect(keys.filter((key) => !store.has(key))).toEqual([]);
  });

  test('goes as others do once it is not pinned any more', async () => {
    policies.set('models/', { pin: true });
    const store = await open({ capacityBytes: 400_000 });
    const keys = await fill(store, 'models/', 4, 2000);
    await fill(store, 'other/', 100);
    policies.remove('models/');
    // Only what is read itself takes the place of what once was kept for good.
    for (let i = 0; i < 300; i++) {
      const [key] = await fill(store, `more/${i}/`, 1);
      for (let reads = 0; reads < 3; reads++) await store.read(key as PageKey, 0, 100);
    }
    expect(keys.filter((key) => store.has(key))).toEqual([]);
  });

  test('does not keep room from being made', async () => {
    policies.set('', { pin: true });
    const store = await open({ capacityBytes: 400_000 });
    for (let i = 0; i < 300; i++) {
      await store.write(pageKey({ path: `k${i}` }), pageBytes(10_000));
      expect(store.usedBytes).toBeLessThanOrEqual(400_000);
    }
    expect(store.has(pageKey({ path: 'k299' }))).toBe(true);
  });
});

describe('a quota', () => {
  test('is never exceeded, and only what counts for it goes for it', async () => {
    policies.set('team/', { quotaBytes: 100_000 });
    const store = await open({ capacityBytes: 4_000_000 });
    const others = await fill(store, 'other/', 100);
    for (let i = 0; i < 200; i++) {
      await store.write(pageKey({ path: `team/k${i}` }), pageBytes(10_000));
      const { bytes } = await store.heldBelow('mount-1', 'team/');
      expect(bytes).toBeLessThanOrEqual(100_000);
    }
    expect(await store.heldBelow('mount-1', 'team/')).toEqual({ pages: 10, bytes: 100_000 });
    expect(await countHeld(store, others)).toBe(100);
  });

  test('that turns the whole disk over costs others no page: what it gave up is where room is made', async () => {
    policies.set('team/', { quotaBytes: 50_000 });
    const store = await open({ capacityBytes: 1_000_000 });
    const others = await fill(store, 'other/', 40);
    await fill(store, 'team/', 500);
    expect(await countHeld(store, others)).toBe(40);
    expect(store.usedBytes).toBeLessThanOrEqual(1_000_000);
  });

  test('keeps of its own what is read', async () => {
    policies.set('team/', { quotaBytes: 100_000 });
    const store = await open({ capacityBytes: 4_000_000 });
    const [hot] = await fill(store, 'team/hot/', 1);
    for (let i = 0; i < 100; i++) {
      await store.write(pageKey({ path: `team/cold/k${i}` }), pageBytes(10_000));
      await store.read(hot as PageKey, 0, 100);
    }
    expect(store.has(hot as PageKey)).toBe(true);
  });

  test('holds for what is inside another one too', async () => {
    policies.set('team/', { quotaBytes: 100_000 });
    policies.set('team/tmp/', { quotaBytes: 30_000 });
    const store = await open({ capacityBytes: 4_000_000 });
    await fill(store, 'team/tmp/', 20);
    expect((await store.heldBelow('mount-1', 'team/tmp/')).bytes).toBe(30_000);
    await fill(store, 'team/', 50);
    expect((await store.heldBelow('mount-1', 'team/')).bytes).toBe(100_000);
  });

  test('is this node’s part of it, and what is beyond goes when it is made smaller', async () => {
    policies.set('team/', { quotaBytes: 100_000 });
    const store = await open({ capacityBytes: 4_000_000 });
    await fill(store, 'team/', 20);
    policies.quotaPart = 0.5;
    await store.applyPolicies();
    expect((await store.heldBelow('mount-1', 'team/')).bytes).toBe(50_000);
    policies.set('team/', { quotaBytes: 40_000 });
    await store.applyPolicies();
    expect((await store.heldBelow('mount-1', 'team/')).bytes).toBe(20_000);
  });

  test('counts what an earlier process kept, and what is there when it is set', async () => {
    const store = await open({ capacityBytes: 4_000_000 });
    await fill(store, 'team/', 30);
    await store.close();
    policies.set('team/', { quotaBytes: 100_000 });
    const second = await open({ capacityBytes: 4_000_000 });
    await second.settled();
    expect((await second.heldBelow('mount-1', 'team/')).bytes).toBe(300_000);
    await second.applyPolicies();
    expect((await second.heldBelow('mount-1', 'team/')).bytes).toBe(100_000);
  });

  test('takes no page that is larger, and none while all of it is pinned', async () => {
    policies.set('team/', { quotaBytes: 25_000 });
    policies.set('team/pinned/', { pin: true });
    const store = await open({ capacityBytes: 4_000_000 });
    const pinned = await fill(store, 'team/pinned/', 2);
    await store.write(pageKey({ path: 'team/large' }), pageBytes(30_000));
    await fill(store, 'team/', 5);
    expect(await countHeld(store, pinned)).toBe(2);
    expect(await store.heldBelow('mount-1', 'team/')).toEqual({ pages: 2, bytes: 20_000 });
  });

  test('leaves nothing in memory that is not on the disk any more', async () => {
    policies.set('team/', { quotaBytes: 30_000 });
    const memory = new MemoryPageStore(
      new Metrics(),
      { capacityBytes: 1_000_000, maxPageBytes: 100_000, policies },
      bench.clock,
    );
    const store = new TieredPageStore(memory, await open({ capacityBytes: 4_000_000 }));
    for (let i = 0; i < 10; i++) await store.write(pageKey({ path: `team/k${i}` }), pageBytes(10_000));
    await store.applyPolicies();
    expect([memory.usage.pages, await store.heldBelow('mount-1', 'team/')]).toEqual([
      3,
      { pages: 3, bytes: 30_000 },
    ]);
  });
});

describe('priority', () => {
  test('has what is high stay unread, and what is low go though it was read', async () => {
    policies.set('high/', { priority: 'high' });
    policies.set('low/', { priority: 'low' });
    const store = await open({ capacityBytes: 1_000_000 });
    const [high, normal, low] = [
      await fill(store, 'high/', 5),
      await fill(store, 'normal/', 5),
      await fill(store, 'low/', 5),
    ];
    // Which would have each stay.
    for (const key of [...normal, ...low]) for (let i = 0; i < 2; i++) await store.read(key, 0, 100);
    await fill(store, 'more/', 120);
    const held = (keys: readonly PageKey[]) => keys.filter((key) => store.has(key)).length;
    expect([held(high), held(normal), held(low)]).toEqual([5, 5, 0]);
  });
});

describe('what is held below a prefix', () => {
  test('is exact: over overwrites, removals, restarts, in memory as on disk, and of no other incarnation', async () => {
    const store = await open();
    await fill(store, 'a/', 3, 1000);
    await fill(store, 'a/b/', 2, 500);
    await fill(store, 'ab/', 1, 100);
    await store.write(pageKey({ path: 'top' }), pageBytes(50));
    await store.write(pageKey({ path: 'a/k0', incarnation: 'mount-2' }), pageBytes(7));
    await store.write(pageKey({ path: 'a/b/k0\0version/1', generation: 'g2' }), pageBytes(9));
    await store.remove('mount-1', 'a/k1');
    const expected = [
      { pages: 7, bytes: 2000 + 1000 + 100 + 50 + 9 },
      { pages: 5, bytes: 2000 + 1000 + 9 },
      { pages: 3, bytes: 1000 + 9 },
    ];
    const held = async (of: DiskPageStore) => [
      await of.heldBelow('mount-1', ''),
      await of.heldBelow('mount-1', 'a/'),
      await of.heldBelow('mount-1', 'a/b/'),
    ];
    expect(await held(store)).toEqual(expected);
    const crashed = await bench.copy('crashed');
    await store.close();
    const second = await open();
    expect(await held(second)).toEqual(expected);
    const third = await open({ path: crashed });
    await third.settled();
    expect(await held(third)).toEqual(expected);
    await third.removeIncarnation('mount-1');
    expect(await third.heldBelow('mount-1', '')).toEqual({ pages: 0, bytes: 0 });
    expect(await third.heldBelow('mount-2', 'a/')).toEqual({ pages: 1, bytes: 7 });
  });

  test('counts a page once that lies in memory and on disk, and one that lies in memory alone', async () => {
    const memory = new MemoryPageStore(new Metrics(), { capacityBytes: 1_000_000, maxPageBytes: 100_000 });
    const disk = await open();
    const store = new TieredPageStore(memory, disk);
    await store.write(pageKey({ path: 'a/k' }), pageBytes(1000));
    memory.keep(pageKey({ path: 'a/only' }), pageBytes(500));
    expect(await store.heldBelow('mount-1', 'a/')).toEqual({ pages: 2, bytes: 1500 });
  });
});
