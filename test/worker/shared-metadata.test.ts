import { describe, expect, test } from '@jest/globals';
import type { Freshness } from '../../src/common/freshness.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { MetadataCache } from '../../src/worker/metadata-cache.ts';
import type { MetadataTarget } from '../../src/worker/reader.ts';
import { SharedLease } from '../../src/worker/shared-lease.ts';
import { SharedMetadata } from '../../src/worker/shared-metadata.ts';
import { SharedMetadataReader } from '../../src/worker/shared-metadata-reader.ts';
import { ManualClock } from './manual-clock.ts';
import { plainBody } from './reading.ts';
import { SeededRandom } from './seeded.ts';

/** A store thread's cache, and what two other threads see of it. */
class SharedBench {
  readonly clock = new ManualClock();
  readonly inner: MemoryBackend;
  readonly cache: MetadataCache;
  readonly readers: readonly SharedMetadataReader[];
  /** A thread of a node in a cluster. */
  readonly leased: SharedMetadataReader;
  readonly lease = new SharedLease();
  private readonly freshness: Freshness;

  constructor(freshness: Freshness, { exclusive = false, capacityBytes = 1_000_000 } = {}) {
    this.freshness = freshness;
    this.inner = new MemoryBackend(this.clock, new SeededRandom(1), { exclusive });
    const shared = new SharedMetadata({ capacityBytes: 1_000_000, threadCount: 3, hashSeed: 7 });
    this.cache = new MetadataCache(this.clock, new Metrics(), { capacityBytes, shared });
    const threadsLease = new SharedLease(this.lease.memory);
    this.leased = new SharedMetadataReader(this.clock, new Metrics(), shared.shared, 1, threadsLease);
    this.readers = [1, 2].map(
      (thread) => new SharedMetadataReader(this.clock, new Metrics(), shared.shared, thread),
    );
  }

  target(path = 'key'): MetadataTarget {
    return { backend: this.inner, mount: 'm', incarnation: 'mount-1', path, freshness: this.freshness };
  }

  put(text: string, userMetadata: Record<string, string> = {}, path = 'key') {
    return this.inner.put(path, plainBody(Buffer.from(text)), { headers: {}, userMetadata });
  }

  /** The size that each thread knows of; undefined where it knows nothing. */
  seen(path = 'key', maxAgeMs?: number): (number | undefined)[] {
    return this.readers.map((reader) => reader.peek(this.target(path), { maxAgeMs })?.meta.sizeBytes);
  }
}

const lease: Freshness = { kind: 'lease', ms: 30_000 };

describe('metadata in shared memory', () => {
  test('every thread sees what the store thread found out, all of it', async () => {
    const bench = new SharedBench(lease);
    await bench.put('12345', { colour: 'grün', empty: '' });
    expect(bench.seen()).toEqual([undefined, undefined]);
    const known = await bench.cache.get(bench.target());
    for (const reader of bench.readers) expect(reader.peek(bench.target())).toEqual(known);
    expect(bench.seen('other')).toEqual([undefined, undefined]);
  });

  test('in a cluster no thread uses anything when the view lease is over, by either clock', async () => {
    const bench = new SharedBench(lease);
    await bench.put('12345');
    await bench.cache.get(bench.target());
    const seen = () => bench.leased.peek(bench.target())?.meta.sizeBytes;
    expect(seen()).toBeUndefined();
    const { steadyMs, wallMs } = bench.clock;
    bench.lease.set({ monotonicMs: steadyMs + 2_000, wallMs: wallMs + 2_000 });
    expect(seen()).toBe(5);
    bench.clock.steadyMs += 2_000;
    expect(seen()).toBeUndefined();
    bench.lease.set({ monotonicMs: Number.POSITIVE_INFINITY, wallMs: wallMs + 2_000 });
    expect(seen()).toBe(5);
    bench.clock.wallMs += 2_000;
    expect(seen()).toBeUndefined();
    bench.lease.set({ monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY });
    expect(seen()).toBeUndefined();
  });

  test('what leaves open which checksums there are is published to none', async () => {
    const bench = new SharedBench(lease);
    await bench.put('12345');
    const target = bench.target();
    const meta = await bench.inner.head('key');
    const answers = [{ ...meta, checksumsUnknown: true as const }, meta];
    const head = async () => answers.shift() as typeof meta;
    const partly = {
      ...target,
      backend: { ...target.backend, capabilities: bench.inner.capabilities, head },
    };
    await bench.cache.get(partly as unknown as MetadataTarget);
    expect(bench.seen()).toEqual([undefined, undefined]);
    await bench.cache.get(partly as unknown as MetadataTarget, { checksums: true });
    expect(bench.seen()).toEqual([5, 5]);
  });

  test('a key is known to no thread from before a change begins until after it has ended', async () => {
    const bench = new SharedBench(lease);
    await bench.put('1');
    await bench.cache.get(bench.target());
    expect(bench.seen()).toEqual([1, 1]);
    const during: unknown[] = [];
    await bench.cache.write(bench.target(), async () => {
      during.push(bench.seen());
      const meta = await bench.put('22');
      during.push(bench.seen());
      return meta;
    });
    expect(during).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(bench.seen()).toEqual([2, 2]);
  });

  test('a change that failed leaves nothing known to any thread', async () => {
    const bench = new SharedBench(lease);
    await bench.put('1');
    await bench.cache.get(bench.target());
    const failed = bench.cache.write(bench.target(), async () => {
      throw new Error('the storage is away');
    });
    await expect(failed).rejects.toThrow('away');
    expect(bench.seen()).toEqual([undefined, undefined]);
  });

  test('what is found to be wrong is withdrawn from every thread, also where it had made room in the store thread', async () => {
    const bench = new SharedBench(lease, { capacityBytes: 3000 });
    await bench.put('1');
    await bench.cache.get(bench.target());
    bench.cache.invalidate(bench.target());
    expect(bench.seen()).toEqual([undefined, undefined]);
    await bench.cache.get(bench.target());
    for (let i = 0; i < 50; i++) {
      await bench.put('x', {}, `other-${i}`);
      await bench.cache.get(bench.target(`other-${i}`));
    }
    expect(bench.cache.peek(bench.target())).toBeUndefined();
    expect(bench.seen()).toEqual([1, 1]);
    await bench.put('333');
    await bench.cache.get(bench.target(), { noStore: true });
    expect(bench.seen()).toEqual([undefined, undefined]);
  });

  test('an object that is gone is known to no thread', async () => {
    const bench = new SharedBench(lease);
    await bench.put('1');
    await bench.cache.get(bench.target());
    await bench.inner.delete('key', {});
    await expect(bench.cache.get(bench.target(), { revalidate: true })).rejects.toThrow();
    expect(bench.seen()).toEqual([undefined, undefined]);
  });

  test('a lease ends in every thread by the clock that went further, and a reader may want less', async () => {
    const bench = new SharedBench(lease);
    await bench.put('1');
    await bench.cache.get(bench.target());
    bench.clock.steadyMs += 29_999;
    expect(bench.seen()).toEqual([1, 1]);
    expect(bench.seen('key', 20_000)).toEqual([undefined, undefined]);
    bench.clock.steadyMs += 1;
    expect(bench.seen()).toEqual([undefined, undefined]);
    bench.clock.steadyMs -= 20_000;
    expect(bench.seen()).toEqual([1, 1]);
    bench.clock.wallMs += 30_000;
    expect(bench.seen()).toEqual([undefined, undefined]);
  });

  test('of a mount that is asked each time nothing is known, of a root that nobody else changes everything for ever', async () => {
    const asked = new SharedBench({ kind: 'always' });
    await asked.put('1');
    await asked.cache.get(asked.target());
    expect(asked.seen()).toEqual([undefined, undefined]);
    const own = new SharedBench({ kind: 'always' }, { exclusive: true });
    await own.put('1');
    await own.cache.get(own.target());
    await own.clock.pass(100_000_000);
    expect(own.seen()).toEqual([1, 1]);
  });

  test('names that fill the memory push each other out, and none is taken for another', async () => {
    const bench = new SharedBench(lease);
    const count = 6000;
    for (let i = 0; i < count; i++) {
      await bench.put('x'.repeat(i % 97), {}, `key-${i}`);
      await bench.cache.get(bench.target(`key-${i}`));
    }
    let known = 0;
    for (let i = 0; i < count; i++) {
      const [one, two] = bench.seen(`key-${i}`);
      expect(one).toBe(two);
      if (one === undefined) continue;
      known++;
      expect(one).toBe(i % 97);
    }
    expect(known).toBeGreaterThan(500);
    expect(known).toBeLessThan(count);
  });
});
