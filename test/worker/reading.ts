import { ByteText } from '../../src/common/byte-text.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import type { Mutants } from '../../src/common/mutants.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { PlainBody } from '../../src/ufs/plain-body.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { PageReader, type PageReaderSettings } from '../../src/worker/page-reader.ts';
import type { PageStore } from '../../src/worker/page-store.ts';
import type { PageRead, ReadTarget } from '../../src/worker/reader.ts';
import { Faults, withFaults } from './faulty-backend.ts';
import { ManualClock } from './manual-clock.ts';
import { SeededRandom } from './seeded.ts';

export const pageSizeBytes = 4096;
export const log = silentLog();

/** A page reader over a backend with faults in between, and what a test needs to look at. */
export class ReadingBench {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly random: SeededRandom;
  readonly faults = new Faults();
  readonly inner: MemoryBackend;
  readonly backend: Backend;
  readonly store: PageStore;
  readonly reader: PageReader;

  constructor(
    options: {
      seed?: number;
      capacityBytes?: number;
      settings?: Partial<PageReaderSettings>;
      mutants?: Mutants;
      store?: PageStore;
      /** Whether the backend keeps versions for those who read them; true unless said otherwise. */
      pins?: boolean;
    } = {},
  ) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.inner = new MemoryBackend(this.clock, this.random);
    this.backend = withFaults(this.inner, this.faults);
    if (options.pins === false) this.backend.pin = undefined;
    this.store =
      options.store ??
      new MemoryPageStore(
        this.metrics,
        { capacityBytes: options.capacityBytes ?? 1024 * 1024, maxPageBytes: pageSizeBytes },
        this.clock,
      );
    this.reader = new PageReader(this.clock, this.metrics, this.store, {
      maxFillBytes: 16 * pageSizeBytes,
      maxFills: 16,
      maxQueuedFills: 64,
      idleRunMs: 30_000,
      wholeBytes: pageSizeBytes,
      sliceBytes: 1024,
      readAheadPages: 0,
      readAheadIdleMs: 5_000,
      ...options.settings,
      mutants: options.mutants,
    });
  }

  async put(path: string, bytes: Buffer): Promise<ObjectMeta> {
    return this.inner.put(path, plainBody(bytes), { headers: {}, userMetadata: {} });
  }

  async object(sizeBytes: number, path = 'object'): Promise<{ bytes: Buffer; target: ReadTarget }> {
    const bytes = this.random.bytes(sizeBytes);
    const meta = await this.put(path, bytes);
    return { bytes, target: this.target(path, { ...meta, generationSettled: true }) };
  }

  target(path: string, meta: ObjectMeta): ReadTarget {
    return { backend: this.backend, mount: 'root', incarnation: 'mount-1', path, meta, pageSizeBytes };
  }

  async read(target: ReadTarget, start: number, end: number, signal?: AbortSignal) {
    const read = await this.reader.open(target, { start, end }, signal);
    return { cache: read.cache, bytes: await bytesOf(read) };
  }

  async served(source: string): Promise<number> {
    const metric = await this.metrics.bytesServed.get();
    return metric.values.find((value) => value.labels.source === source)?.value ?? 0;
  }
}

export function plainBody(bytes: Buffer): PlainBody {
  async function* once() {
    yield bytes;
  }
  return new PlainBody(once(), bytes.length);
}

export async function bytesOf(read: PageRead): Promise<Buffer> {
  if (Buffer.isBuffer(read.body)) return read.body;
  if (read.body instanceof ByteText) return read.body.toBuffer();
  const chunks: Buffer[] = [];
  for await (const chunk of read.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function iteratorOf(read: PageRead): AsyncIterator<Buffer> {
  if (Buffer.isBuffer(read.body) || read.body instanceof ByteText)
    throw new Error('a streamed answer was expected');
  return read.body[Symbol.asyncIterator]();
}
