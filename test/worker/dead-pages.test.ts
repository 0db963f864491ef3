import { describe, expect, test } from '@jest/globals';
import { Metrics } from '../../src/common/metrics.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import { MetadataCache } from '../../src/worker/metadata-cache.ts';
import { pageKeyOf } from '../../src/worker/page-key.ts';
import type { MetadataTarget, ReadTarget } from '../../src/worker/reader.ts';
import { Gate } from './faulty-backend.ts';
import { turn } from './manual-clock.ts';
import { bytesOf, iteratorOf, pageSizeBytes, plainBody, ReadingBench } from './reading.ts';

const page = pageSizeBytes;
const pageCount = 6;
const whole = { start: 0, end: pageCount * page };

/** A reader and a metadata cache as a node joins them. */
class Bench extends ReadingBench {
  readonly metadata = new MetadataCache(
    this.clock,
    new Metrics(),
    { capacityBytes: 100_000 },
    (at, generation) => this.reader.heardOfVersion(at, generation),
  );
  readonly at: MetadataTarget = {
    backend: this.backend,
    mount: 'root',
    incarnation: 'mount-1',
    path: 'object',
    freshness: { kind: 'always' },
  };

  /** Puts the object through the cache, as the gateway does. */
  async write(): Promise<{ bytes: Buffer; target: ReadTarget }> {
    const bytes = this.random.bytes(whole.end);
    const meta = await this.metadata.write<ObjectMeta>(this.at, () => this.put('object', bytes));
    return { bytes, target: this.target('object', meta) };
  }

  async delete(): Promise<void> {
    await this.metadata.write(this.at, async () => {
      await this.inner.delete('object');
      return undefined;
    });
  }

  /** Which pages of a version the store has. */
  pagesOf(target: ReadTarget): number[] {
    const all = Array.from({ length: pageCount }, (_, index) => index);
    return all.filter((index) => this.store.has(pageKeyOf(target, index)));
  }
}

describe('the pages of a version that is no more', () => {
  test('are removed when the object is overwritten, and when it is deleted', async () => {
    const bench = new Bench();
    const first = await bench.write();
    await bench.read(first.target, 0, whole.end);
    expect(bench.pagesOf(first.target)).toHaveLength(pageCount);
    const second = await bench.write();
    await bench.read(second.target, 0, whole.end);
    await turn(2);
    expect([bench.pagesOf(first.target), bench.pagesOf(second.target).length]).toEqual([[], pageCount]);
    await bench.delete();
    await turn(2);
    expect(bench.store.usage.pages).toBe(0);
  });

  test('are removed when the backend is found to have another, or none', async () => {
    const bench = new Bench();
    const first = await bench.write();
    await bench.read(first.target, 0, whole.end);
    await bench.inner.put('object', plainBody(Buffer.from('outside')), { headers: {}, userMetadata: {} });
    expect(bench.pagesOf(first.target)).toHaveLength(pageCount);
    await bench.metadata.get(bench.at);
    await turn(2);
    expect(bench.store.usage.pages).toBe(0);

    const second = await bench.write();
    await bench.read(second.target, 0, whole.end);
    await bench.inner.delete('object');
    await expect(bench.metadata.get(bench.at)).rejects.toMatchObject({ kind: 'not-found' });
    await turn(2);
    expect(bench.store.usage.pages).toBe(0);
  });

  test('stay while they are being read, to the end, without the backend being asked', async () => {
    const bench = new Bench({ pins: false });
    const { bytes, target } = await bench.write();
    await bench.read(target, 0, whole.end);
    const chunks = iteratorOf(await bench.reader.open(target, whole));
    const got = [(await chunks.next()).value];
    const second = await bench.write();
    await bench.read(second.target, 0, 1);
    await turn(2);
    const reads = bench.faults.reads.length;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) got.push(next.value);
    expect(Buffer.concat(got).equals(bytes)).toBe(true);
    expect(bench.faults.reads).toHaveLength(reads);
    await turn(2);
    expect([bench.pagesOf(target), bench.pagesOf(second.target)]).toEqual([[], [0]]);
  });

  test('stay until the last of several readers has gone, however each goes', async () => {
    const bench = new Bench();
    const { target } = await bench.write();
    await bench.read(target, 0, whole.end);
    const leaving = new AbortController();
    const first = iteratorOf(await bench.reader.open(target, whole));
    await bench.reader.open(target, whole, leaving.signal);
    await first.next();
    await bench.delete();
    leaving.abort();
    await turn(2);
    expect(bench.pagesOf(target)).toHaveLength(pageCount);
    await first.return?.();
    await turn(2);
    expect(bench.pagesOf(target)).toEqual([]);
  });

  test('that a fill brings after the version has gone are removed too', async () => {
    const bench = new Bench();
    const { target } = await bench.write();
    const release = await bench.inner.pin('object', target.meta);
    const gate = new Gate();
    bench.faults.beforeChunk = gate.pass;
    const reading = bench.reader.open(target, { start: 0, end: page });
    await turn(2);
    await bench.write();
    gate.open();
    await bytesOf(await reading);
    await release();
    await turn(10);
    expect(bench.pagesOf(target)).toEqual([]);
  });
});

describe('a reader of a version of which some pages are cached', () => {
  test('goes on to its end when the object is overwritten or deleted, as it holds the version at the backend', async () => {
    for (const change of ['write', 'delete'] as const) {
      const bench = new Bench();
      const { bytes, target } = await bench.write();
      await bench.read(target, 0, 3 * page);
      const read = await bench.reader.open(target, whole);
      expect(read.cache).toBe('partial');
      const chunks = iteratorOf(read);
      const got = [(await chunks.next()).value];
      await bench[change]();
      await turn(5);
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) got.push(next.value);
      expect(Buffer.concat(got).equals(bytes)).toBe(true);
      await turn(5);
      expect(bench.pagesOf(target)).toEqual([]);
      await expect(bench.inner.pin('object', target.meta)).rejects.toMatchObject({ kind: 'moved' });
    }
  });

  test('is told before its first byte that the version has gone', async () => {
    const bench = new Bench();
    const { target } = await bench.write();
    await bench.read(target, 0, 3 * page);
    await bench.put('object', Buffer.from('outside'));
    await expect(bench.reader.open(target, whole)).rejects.toMatchObject({ kind: 'moved' });
  });
});
