import { describe, expect, test } from '@jest/globals';
import type { Freshness } from '../../src/common/freshness.ts';
import { Metrics } from '../../src/common/metrics.ts';
import type { Mutants } from '../../src/common/mutants.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { MetadataCache } from '../../src/worker/metadata-cache.ts';
import type { MetadataTarget } from '../../src/worker/reader.ts';
import { Faults, Gate, withFaults } from './faulty-backend.ts';
import { ManualClock, turn } from './manual-clock.ts';
import { plainBody } from './reading.ts';
import { SeededRandom } from './seeded.ts';

class MetadataBench {
  readonly clock = new ManualClock();
  readonly faults = new Faults();
  readonly inner: MemoryBackend;
  readonly cache: MetadataCache;
  readonly target: MetadataTarget;

  constructor(freshness: Freshness, options: { exclusive?: boolean; mutants?: Mutants } = {}) {
    this.inner = new MemoryBackend(this.clock, new SeededRandom(1), { exclusive: options.exclusive });
    this.cache = new MetadataCache(this.clock, new Metrics(), {
      capacityBytes: 100_000,
      mutants: options.mutants,
    });
    this.target = {
      backend: withFaults(this.inner, this.faults),
      mount: 'root',
      incarnation: 'mount-1',
      path: 'key',
      freshness,
    };
  }

  /** Changes the object behind the cache's back. */
  putOutside(text: string, path = 'key'): Promise<ObjectMeta> {
    return this.inner.put(path, plainBody(Buffer.from(text)), { headers: {}, userMetadata: {} });
  }

  /** Changes it through the cache; `before` and `after` run around the backend's change. */
  put(text: string, before?: () => Promise<void>, after?: () => Promise<void>): Promise<ObjectMeta> {
    return this.cache.write(this.target, async () => {
      await before?.();
      const meta = await this.putOutside(text);
      await after?.();
      return meta;
    });
  }

  async size(revalidate = false): Promise<number> {
    return (await this.cache.get(this.target, { revalidate })).meta.sizeBytes;
  }
}

const lease: Freshness = { kind: 'lease', ms: 30_000 };

describe('how long metadata is used', () => {
  test('a lease ends by the clock that went further', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    await bench.size();
    bench.clock.steadyMs += 29_999;
    expect(bench.cache.peek(bench.target)?.meta.sizeBytes).toBe(1);
    bench.clock.wallMs += 30_000;
    expect(bench.cache.peek(bench.target)).toBeUndefined();
    await bench.size();
    bench.clock.wallMs -= 1_000_000;
    expect(bench.cache.peek(bench.target)).toBeDefined();
    bench.clock.steadyMs += 30_000;
    expect(bench.cache.peek(bench.target)).toBeUndefined();
  });

  test('a lease counts from when the question was sent', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    bench.faults.afterHead = () => bench.clock.pass(10_000);
    await bench.size();
    await bench.clock.pass(19_999);
    expect(bench.cache.peek(bench.target)).toBeDefined();
    await bench.clock.pass(1);
    expect(bench.cache.peek(bench.target)).toBeUndefined();
  });

  test('immutable metadata is asked for once, metadata under `always` each time', async () => {
    for (const [freshness, heads] of [
      [{ kind: 'immutable' }, 1],
      [{ kind: 'always' }, 3],
    ] as const) {
      const bench = new MetadataBench(freshness);
      await bench.putOutside('1');
      for (let i = 0; i < 3; i++) {
        await bench.size();
        await bench.clock.pass(1e9);
      }
      expect(bench.faults.heads).toBe(heads);
    }
  });

  test('metadata of a backend that nobody else writes is used until it is written, also under `always`', async () => {
    const bench = new MetadataBench({ kind: 'always' }, { exclusive: true });
    await bench.putOutside('1');
    expect(await bench.size()).toBe(1);
    await bench.clock.pass(1e9);
    expect(await bench.size()).toBe(1);
    expect(bench.faults.heads).toBe(1);
    await bench.put('22');
    expect(await bench.size()).toBe(2);
    expect(bench.faults.heads).toBe(1);
  });

  test('revalidation asks the backend and replaces what was known', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    await bench.size();
    await bench.putOutside('22');
    expect(await bench.size()).toBe(1);
    expect(await bench.size(true)).toBe(2);
    expect(await bench.size()).toBe(2);
  });

  test('a generation that may still change is not kept', async () => {
    const bench = new MetadataBench(lease);
    const meta = await bench.putOutside('1');
    bench.target.backend.head = async () => ({ ...meta, generationSettled: false });
    await bench.size();
    expect(bench.cache.peek(bench.target)).toBeUndefined();
    expect(bench.cache.usage.entries).toBe(0);
  });

  test('invalidation forgets', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    await bench.size();
    bench.cache.invalidate(bench.target);
    expect(bench.cache.peek(bench.target)).toBeUndefined();
  });
});

describe('absence', () => {
  async function headsForAbsence(freshness: Freshness, waitMs: number, exclusive = false): Promise<number> {
    const bench = new MetadataBench(freshness, { exclusive });
    for (let i = 0; i < 2; i++) {
      await expect(bench.size()).rejects.toMatchObject({ kind: 'not-found' });
      await bench.clock.pass(waitMs);
    }
    return bench.faults.heads;
  }

  test('is remembered for five seconds or the lease, whichever is shorter', async () => {
    expect(await headsForAbsence(lease, 4999)).toBe(1);
    expect(await headsForAbsence(lease, 5000)).toBe(2);
    expect(await headsForAbsence({ kind: 'lease', ms: 100 }, 100)).toBe(2);
    expect(await headsForAbsence({ kind: 'immutable' }, 5000)).toBe(2);
  });

  test('is not remembered under `always` or at an exclusive backend', async () => {
    expect(await headsForAbsence({ kind: 'always' }, 0)).toBe(2);
    expect(await headsForAbsence(lease, 0, true)).toBe(2);
  });

  test('ends with a write', async () => {
    const bench = new MetadataBench(lease);
    await expect(bench.size()).rejects.toMatchObject({ kind: 'not-found' });
    await bench.put('333');
    expect(await bench.size()).toBe(3);
  });

  test('is the only error that is remembered', async () => {
    for (const kind of ['denied', 'unavailable', 'io'] as const) {
      const bench = new MetadataBench(lease);
      await bench.putOutside('1');
      bench.faults.beforeHead = () => {
        throw new UfsError(kind, 'planned', { backend: 'test' });
      };
      await expect(bench.size()).rejects.toMatchObject({ kind });
      bench.faults.beforeHead = () => undefined;
      expect(await bench.size()).toBe(1);
    }
  });
});

describe('questions at the same time', () => {
  test('are one question where an earlier answer will do', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    const gate = new Gate();
    bench.faults.beforeHead = gate.pass;
    const gets = Array.from({ length: 50 }, () => bench.size());
    gate.open();
    await Promise.all(gets);
    expect(bench.faults.heads).toBe(1);
  });

  test('of one who may keep nothing is not joined by one who may', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    const gate = new Gate();
    bench.faults.afterHead = gate.pass;
    const early = bench.cache.get(bench.target, { noStore: true });
    await turn();
    await bench.putOutside('22');
    const late = bench.size();
    gate.open();
    expect((await early).meta.sizeBytes).toBe(1);
    expect(await late).toBe(2);
    expect(bench.cache.peek(bench.target)?.meta.sizeBytes).toBe(2);
  });

  async function validateDuringHead(mutants: Mutants): Promise<number> {
    const bench = new MetadataBench({ kind: 'always' }, { mutants });
    await bench.putOutside('1');
    const gate = new Gate();
    bench.faults.afterHead = gate.pass;
    const early = bench.size();
    await turn();
    await bench.putOutside('22');
    const late = Array.from({ length: 20 }, () => bench.size());
    gate.open();
    expect(await early).toBe(1);
    expect(new Set(await Promise.all(late))).toEqual(new Set([2]));
    return bench.faults.heads;
  }

  test('that must see the present are not answered by one sent before they came', async () => {
    expect(await validateDuringHead({})).toBe(2);
  });

  test('planted defect: would be seen to get an old answer if they were', async () => {
    await expect(validateDuringHead({ joinEarlierValidation: true })).rejects.toThrow();
  });

  test('end for a reader that goes away, and at the backend when the last one has gone', async () => {
    const bench = new MetadataBench(lease);
    await bench.putOutside('1');
    const seen: AbortSignal[] = [];
    const gate = new Gate();
    bench.target.backend.head = async (_key, options) => {
      if (options?.signal) seen.push(options.signal);
      await gate.pass();
      throw new UfsError('cancelled', 'given up', { backend: 'test' });
    };
    const clients = [new AbortController(), new AbortController()];
    const gets = clients.map((client) => bench.cache.get(bench.target, { signal: client.signal }));
    clients[0]?.abort();
    await expect(gets[0]).rejects.toMatchObject({ kind: 'cancelled' });
    expect(seen[0]?.aborted).toBe(false);
    clients[1]?.abort();
    await expect(gets[1]).rejects.toMatchObject({ kind: 'cancelled' });
    expect(seen[0]?.aborted).toBe(true);
    gate.open();
    await turn();
    expect(bench.cache.usage.keysInFlight).toBe(0);
  });
});

describe('memory', () => {
  test('stays within its limit and nothing is kept per key that is idle', async () => {
    const bench = new MetadataBench(lease);
    for (let i = 0; i < 2000; i++) {
      await bench.putOutside('1', `key-${i}`);
      await bench.cache.get({ ...bench.target, path: `key-${i}` });
    }
    expect(bench.cache.usage.bytes).toBeLessThanOrEqual(100_000);
    expect(bench.cache.usage.entries).toBeGreaterThan(50);
    expect(bench.cache.usage.keysInFlight).toBe(0);
  });
});
