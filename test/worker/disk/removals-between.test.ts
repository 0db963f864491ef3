import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileSystemError } from '../../../src/ufs/file-system.ts';
import type { DiskPageStore } from '../../../src/worker/disk-page-store.ts';
import { pageBytes, pageKey } from '../../contracts/page-store.ts';
import { ChangingPolicies } from '../changing-policies.ts';
import { DiskBench } from '../disk-bench.ts';
import { turn } from '../manual-clock.ts';

const MiB = 1024 * 1024;
const small = pageKey({ path: 'pinned/small' });
const other = pageKey({ path: 'other' });
const keys = Array.from({ length: 20 }, (_, i) => pageKey({ path: `k${i}`, pageIndex: i }));

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

/** Where an operation waits until the test lets it go on. */
class Hold {
  waiting = 0;
  private readonly opened = Promise.withResolvers<void>();
  pass(): Promise<void> {
    this.waiting++;
    return this.opened.promise;
  }
  open(): void {
    this.opened.resolve();
  }
}

async function waitFor(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

/** What another process finds where this one is gone at this moment. */
async function afterCrash(capacityBytes = MiB): Promise<DiskPageStore> {
  const path = await bench.copy('crashed');
  bench.fs.fault = () => undefined;
  const store = await bench.open({ path, capacityBytes });
  await store.settled();
  return store;
}

/** A store of twenty pages in several regions, which was killed. */
async function killed(): Promise<string> {
  const store = await bench.open({ regionBytes: 8000 });
  for (const [i, key] of keys.entries()) await store.write(key, pageBytes(1000 + i, i));
  await store.settled();
  return bench.copy('killed');
}

async function served(store: DiskPageStore): Promise<number> {
  let count = 0;
  for (const [i, key] of keys.entries()) if (await store.read(key, 0, 1000 + i)) count++;
  return count;
}

describe('a page that is removed', () => {
  test('while it is carried out of a region that was said to be given up does not come back', async () => {
    const capacityBytes = 40 * MiB;
    const policies = ChangingPolicies.of({ 'pinned/': { pin: true } });
    const store = await bench.open({ capacityBytes, policies });
    await store.write(other, pageBytes(1000));
    await store.write(small, pageBytes(1000));
    // More than is carried in one step, and carried first.
    await store.write(pageKey({ path: 'pinned/large' }), pageBytes(1.1 * MiB));
    const [first] = await bench.regions();
    const [read, append] = [new Hold(), new Hold()];
    let reads = 0;
    bench.fs.fault = (operation, path) => {
      if (operation === 'read' && path === first && ++reads === 1) return read.pass();
      // The header of the region, the large page, and in the next step this one.
      if (operation === 'write' && path.endsWith('.region') && reads === 3) return append.pass();
      return undefined;
    };
    const writing = (async () => {
      for (let i = 0; reads === 0; i++) await store.write(pageKey({ path: `f${i}` }), pageBytes(MiB));
    })();
    await waitFor(() => read.waiting > 0);
    // Has everything made durable that was said so far, between one step and the next.
    const otherRemoved = store.remove('mount-1', 'other');
    read.open();
    await otherRemoved;
    await waitFor(() => append.waiting > 0);
    const removed = store.remove('mount-1', small.path);
    append.open();
    await removed;
    await writing;
    await store.settled();
    expect(await (await afterCrash(capacityBytes)).read(small, 0, 1000)).toBeUndefined();
  });

  test('after a write of it had failed when the disk was full does not come back', async () => {
    const store = await bench.open();
    await store.write(other, pageBytes(1000));
    await bench.clock.pass(1000);
    // All of the first record and a part of the second are on the disk.
    bench.fs.cutWrites = (path) => (path.endsWith('.region') ? 1500 : undefined);
    await Promise.all([
      store.write(small, pageBytes(1000)),
      store.write(pageKey({ path: 'next' }), pageBytes(1000)),
    ]);
    bench.fs.cutWrites = () => undefined;
    expect([store.isUp, store.has(small)]).toEqual([false, false]);
    await bench.tryAgain(store);
    await store.remove('mount-1', small.path);
    expect(store.isUp).toBe(true);
    await store.settled();
    const next = await afterCrash();
    expect([await next.read(other, 0, 1000), await next.read(small, 0, 1000)]).toEqual([
      pageBytes(1000),
      undefined,
    ]);
  });

  test('while its region is found unreadable does not come back when that can be read again', async () => {
    const path = await killed();
    const last = (await bench.regions('region', path)).at(-1) as string;
    const [scan, append, unlink] = [new Hold(), new Hold(), new Hold()];
    let reads = 0;
    bench.fs.fault = (operation, at) => {
      // Its header is read twice before.
      if (operation === 'read' && at === last && ++reads > 2) return scan.pass().then(failed);
      if (operation === 'write' && at.endsWith('.region')) return append.pass();
      if (operation === 'unlink' && at.endsWith('.region')) return unlink.pass();
      return undefined;
    };
    const store = await bench.open({ path, regionBytes: 8000 });
    await waitFor(() => scan.waiting > 0);
    const writing = store.write(other, pageBytes(1000));
    await waitFor(() => append.waiting > 0);
    const crashed = store.remove('mount-1', 'k19').then(() => bench.copy('crashed', path));
    scan.open();
    await turn(5);
    append.open();
    await writing;
    const copy = await crashed;
    unlink.open();
    await store.settled();
    bench.fs.fault = () => undefined;
    const next = await bench.open({ path: copy });
    await next.settled();
    expect(await next.read(keys[19] as (typeof keys)[0], 0, 1019)).toBeUndefined();
  });

  const removals: Record<string, (store: DiskPageStore) => Promise<void>> = {
    'by its path': (store) => store.remove('mount-1', 'k0'),
    'with its mount': (store) => store.removeIncarnation('mount-1'),
  };
  for (const [how, remove] of Object.entries(removals)) {
    test(`(${how}) while its folder is being looked through again is absent from then on`, async () => {
      const store = await bench.open({ regionBytes: 8000 });
      for (const [i, key] of keys.entries()) await store.write(key, pageBytes(1000 + i, i));
      await store.settled();
      bench.fs.fault = (operation) => (operation === 'write' ? 'EIO' : undefined);
      await bench.clock.pass(1000);
      await store.write(other, pageBytes(1000));
      expect(store.isUp).toBe(false);
      const gate = new Hold();
      const second = (await bench.regions('index'))[1] as string;
      bench.fs.fault = (operation, path) =>
        operation === 'read' && path === second ? gate.pass() : undefined;
      await bench.clock.pass(30_000);
      await waitFor(() => gate.waiting > 0);
      const removed = remove(store);
      await turn(5);
      gate.open();
      await removed;
      await waitFor(() => store.isUp);
      await store.settled();
      const left = how === 'by its path' ? 19 : 0;
      expect([await served(store), store.usage.pages]).toEqual([left, left]);
      expect(await served(await afterCrash())).toBe(left);
    });
  }
});

describe('a folder of which one index cannot be read', () => {
  test('has all of its pages, read from the region', async () => {
    const path = await killed();
    const [first] = await bench.regions('index', path);
    bench.fs.fault = (operation, at) => (operation === 'read' && at === first ? 'EIO' : undefined);
    const store = await bench.open({ path, regionBytes: 8000 });
    await store.settled();
    expect([await served(store), store.usage.pages, store.isUp]).toEqual([20, 20, true]);
    await store.removeIncarnation('mount-1');
    await store.settled();
    expect([await served(store), store.usage.pages]).toEqual([0, 0]);
  });
});

describe('a folder whose regions cannot be opened for want of file descriptors', () => {
  test('is tried again, and has all of its pages then', async () => {
    const path = await killed();
    const regions = await bench.regions('region', path);
    bench.fs.fault = (operation, at) => (operation === 'open' && at === regions[1] ? 'EMFILE' : undefined);
    const store = await bench.open({ path, regionBytes: 8000 });
    expect([store.isUp, store.usage.pages]).toEqual([false, 0]);
    await store.removeIncarnation('mount-2');
    bench.fs.fault = () => undefined;
    await bench.tryAgain(store);
    await store.settled();
    expect([await served(store), store.usage.pages, store.isUp]).toEqual([20, 20, true]);
    expect(await bench.regions('region', path)).toEqual(expect.arrayContaining(regions));
  });
});

function failed(): never {
  throw new FileSystemError('EIO', 'planned');
}
