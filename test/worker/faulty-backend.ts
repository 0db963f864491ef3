import type { ByteRange } from '../../src/common/byte-range.ts';
import type { ObjectMeta } from '../../src/common/object-meta.ts';
import type { Backend, CallOptions } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';

/** What goes wrong, or slowly, on the way to a backend; every field may be changed while the test runs. */
export class Faults {
  /** Chunks are cut to this size. */
  chunkBytes = 1024;
  /** Runs before each chunk is given, with its place in the object; may wait, throw or return a replacement. */
  beforeChunk: (at: number) => Promise<void> | void = () => undefined;
  beforeHead: () => Promise<void> | void = () => undefined;
  /** Runs between the backend's answer and its delivery. */
  afterHead: () => Promise<void> | void = () => undefined;
  /** Bytes left out at the end of a read (positive) or added (negative). */
  cutBytes = 0;
  readonly reads: ByteRange[] = [];
  /** Bytes given per read, in the order of `reads`. */
  readonly given: number[] = [];
  heads = 0;
  openReads = 0;

  get givenBytes(): number {
    return this.given.reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** The backend with the faults between it and its user. */
export function withFaults(inner: Backend, faults: Faults): Backend {
  const outer: Backend = Object.create(inner);
  outer.head = async (key: string, options?: CallOptions) => {
    faults.heads++;
    await faults.beforeHead();
    const meta = await inner.head(key, options);
    await faults.afterHead();
    return meta;
  };
  outer.read = (key, meta, range, options) => readFaultily(inner, faults, key, meta, range, options);
  return outer;
}

async function* readFaultily(
  inner: Backend,
  faults: Faults,
  key: string,
  meta: ObjectMeta,
  range: ByteRange,
  options: CallOptions = {},
): AsyncGenerator<Buffer> {
  const index = faults.reads.push(range) - 1;
  faults.given[index] = 0;
  faults.openReads++;
  try {
    const end = range.end - Math.max(0, faults.cutBytes);
    for (let at = range.start; at < end; at += faults.chunkBytes) {
      await faults.beforeChunk(at);
      if (options.signal?.aborted) throw new UfsError('cancelled', 'given up', { backend: inner.uri, key });
      const part = { start: at, end: Math.min(end, at + faults.chunkBytes) };
      for await (const chunk of inner.read(key, meta, part, options)) {
        faults.given[index] = (faults.given[index] ?? 0) + chunk.length;
        yield chunk;
      }
    }
    if (faults.cutBytes < 0) yield Buffer.alloc(-faults.cutBytes);
  } finally {
    faults.openReads--;
  }
}

/** A gate that holds back whoever passes until it is opened. */
export class Gate {
  private readonly opened = Promise.withResolvers<void>();
  readonly pass = (): Promise<void> => this.opened.promise;
  open(): void {
    this.opened.resolve();
  }
}
