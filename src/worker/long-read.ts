import type { ByteRange } from '../common/byte-range.ts';
import { cancelled } from './fill-run.ts';
import { Loans } from './loans.ts';
import { pageKeyOf } from './page-key.ts';
import { sliceOf } from './page-pieces.ts';
import type { PageStore } from './page-store.ts';
import type { PageRead, ReadTarget } from './reader.ts';
import type { ServedBytes } from './served-bytes.ts';
import type { SharedDiskReader } from './shared-disk-reader.ts';

/** A version whose pages stay where they are, as long as they can, until it is released. */
export interface KeptVersion {
  /** The bytes of the range from `at` on, read by the thread that fills: a page that was at hand is not any more. Once at most. */
  rest(at: number): AsyncIterable<Buffer>;
  /** Nobody reads it any more. Again does nothing. */
  release(): void;
}

/** The thread that fills, as a thread asks it that does not. */
export interface VersionKeeper {
  /** Undefined where it does not keep the version: it may not be the one it was any more. Ends early with the signal. */
  keep(target: ReadTarget, range: ByteRange, signal?: AbortSignal): Promise<KeptVersion | undefined>;
}

export interface LongReadParts {
  readonly memory: Pick<PageStore, 'has' | 'readNow'>;
  readonly disk: Pick<SharedDiskReader, 'pageBytesOf' | 'read'> | undefined;
  readonly keeper: VersionKeeper;
  readonly served: ServedBytes;
  /** As `RangeStreamParts.sliceBytes`. */
  readonly sliceBytes: number;
}

interface Slice {
  readonly at: number;
  readonly bytes: Promise<Buffer | undefined>;
  readonly loans: Loans;
}

/** Looking for more pages than that takes longer than to have another thread answer. */
const maxPages = 4096;

/** Undefined if not all of the range is at hand in this thread, in memory or on disk. */
export async function openLongRead(
  parts: LongReadParts,
  target: ReadTarget,
  range: ByteRange,
  signal: AbortSignal | undefined,
): Promise<PageRead | undefined> {
  if (!isAtHand(parts, target, range)) return undefined;
  const kept = await parts.keeper.keep(target, range, signal);
  if (!kept) return undefined;
  const read = new LongRead(parts, target, range, kept, signal);
  if (await read.begin()) return { cache: 'hit', body: read.chunks() };
  read.close();
  return undefined;
}

function isAtHand({ memory, disk }: LongReadParts, target: ReadTarget, range: ByteRange): boolean {
  const size = target.pageSizeBytes;
  const first = Math.floor(range.start / size);
  const end = Math.ceil(range.end / size);
  if (end - first > maxPages) return false;
  for (let page = first; page < end; page++) {
    const key = pageKeyOf(target, page);
    if (!memory.has(key) && disk?.pageBytesOf(key) === undefined) return false;
  }
  return true;
}

/**
 * One reader's way through a range whose pages are at hand, in a thread that fills nothing. It holds two slices: the one its reader has and
 * the next. Where a page has gone, or is damaged, the thread that fills gives the rest. `close` may be called at any time and more than once.
 */
class LongRead {
  private readonly parts: LongReadParts;
  private readonly target: ReadTarget;
  private readonly range: ByteRange;
  private readonly kept: KeptVersion;
  private readonly signal: AbortSignal | undefined;
  private ahead: Slice;
  /** What was lent for the slice that the reader has. */
  private lent: Loans | undefined;
  private closed = false;
  private readonly onAbort = () => this.close();

  constructor(
    parts: LongReadParts,
    target: ReadTarget,
    range: ByteRange,
    kept: KeptVersion,
    signal: AbortSignal | undefined,
  ) {
    this.parts = parts;
    this.target = target;
    this.range = range;
    this.kept = kept;
    this.signal = signal;
    this.ahead = this.slice(range.start);
    // An answer that is dropped before anyone iterates over it frees what it holds through the signal.
    signal?.addEventListener('abort', this.onAbort, { once: true });
    if (signal?.aborted) this.close();
  }

  /** Whether the first bytes are there. */
  async begin(): Promise<boolean> {
    return (await this.ahead.bytes) !== undefined;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    const { range } = this;
    try {
      for (let at = range.start; at < range.end; ) {
        const { bytes: coming, loans } = this.ahead;
        this.lent = loans;
        const bytes = await coming;
        this.check();
        if (!bytes) {
          yield* this.kept.rest(at);
          return;
        }
        at += bytes.length;
        if (at < range.end) this.ahead = this.slice(at);
        this.parts.served.count('hit', bytes.length);
        yield bytes;
        this.giveBack();
        this.check();
      }
    } catch (error) {
      throw this.signal?.aborted ? cancelled(this.target, error) : error;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.signal?.removeEventListener('abort', this.onAbort);
    // The reader is done, or its connection is: in neither case anybody looks at the bytes again.
    this.giveBack();
    this.ahead.loans.giveBack();
    this.kept.release();
  }

  private giveBack(): void {
    this.lent?.giveBack();
    this.lent = undefined;
  }

  private check(): void {
    if (this.closed) throw cancelled(this.target, this.signal?.reason);
  }

  private slice(at: number): Slice {
    const { memory, disk, sliceBytes } = this.parts;
    const { key, start, end, pageEnd } = sliceOf(this.target, this.range, at, sliceBytes);
    const loans = new Loans();
    const now = memory.readNow(key, start, pageEnd, loans) ?? memory.readNow(key, start, end, loans);
    const bytes = now ? Promise.resolve(now) : disk?.read(key, start, end, loans);
    return { at, bytes: bytes ?? Promise.resolve(undefined), loans };
  }
}
