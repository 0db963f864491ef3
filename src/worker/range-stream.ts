import { abortable } from '../common/abortable.ts';
import type { ByteRange } from '../common/byte-range.ts';
import type { Metrics } from '../common/metrics.ts';
import { UfsError } from '../ufs/errors.ts';
import { AheadWindow } from './ahead-window.ts';
import { readBackend } from './bypass-read.ts';
import type { DeadPages } from './dead-pages.ts';
import { cancelled, type FillRun } from './fill-run.ts';
import { Loans } from './loans.ts';
import type { PageFills } from './page-fill.ts';
import type { PageFlight } from './page-flight.ts';
import { pageKeyOf, pageName } from './page-key.ts';
import { sliceOf } from './page-pieces.ts';
import type { PageStore } from './page-store.ts';
import type { ReadTarget } from './reader.ts';
import type { ServedBytes } from './served-bytes.ts';

export interface RangeStreamParts {
  readonly metrics: Metrics;
  readonly served: ServedBytes;
  readonly store: PageStore;
  readonly fills: PageFills;
  readonly dead: DeadPages;
  /** What is taken from the store at once: a multiple of its block size, so that no block is checked twice. */
  readonly sliceBytes: number;
  /** Pages on their way ahead of the one that is read, at most; the next one always is. */
  readonly maxAheadPages: number;
}

/** What the reader may be going on to after its range. */
export interface Following {
  /** Pages that are worth having ahead of it from the beginning. */
  readonly aheadPages: number;
  /** The last page of the range is being read. */
  goOn(): void;
  /** The reader has gone before it had everything. */
  end(): void;
}

/** Bytes that no other node has given. */
const fromBackend = { peerBytes: 0 };

interface Joined {
  readonly flight: PageFlight;
  /** `hit` if the page was whole already when this reader came. */
  readonly source: 'hit' | 'fill';
}

/**
 * One reader's way through a long range. It holds two pages' flights (the one it reads and the next), two slices from the store, and, as
 * long as nobody else needs the memory, pages further ahead: twice as many with each page that it comes to. `close` may be called at
 * any time and more than once.
 */
export class RangeStream {
  private readonly parts: RangeStreamParts;
  private readonly target: ReadTarget;
  private readonly range: ByteRange;
  private readonly signal: AbortSignal | undefined;
  private readonly endPage: number;
  private readonly joined = new Map<number, Joined>();
  private run: FillRun | undefined;
  private ahead:
    | { readonly at: number; readonly bytes: Promise<Buffer | undefined>; readonly loans: Loans }
    | undefined;
  /** What was lent for the slice that the reader has. */
  private lent: Loans | undefined;
  private retriedPage = -1;
  private readonly following: Following | undefined;
  private readonly window: AheadWindow;
  private aheadPages: number;
  /** The page that the reader has come to. */
  private page = -1;
  /** How that page was filled, if it was because this reader is coming. */
  private ownFill: PageFlight | undefined;
  private finished = false;
  private closed = false;
  /** The pages of the version stay in the store until it is called. */
  private readonly leavePages: () => void;
  private unpin: (() => Promise<void>) | undefined;
  private readonly onAbort = () => this.close();

  constructor(
    parts: RangeStreamParts,
    target: ReadTarget,
    range: ByteRange,
    signal?: AbortSignal,
    following?: Following,
  ) {
    this.parts = parts;
    this.target = target;
    this.range = range;
    this.signal = signal;
    this.endPage = Math.ceil(range.end / target.pageSizeBytes);
    this.following = following;
    this.window = new AheadWindow(parts);
    this.aheadPages = Math.max(1, following?.aheadPages ?? 1);
    this.leavePages = parts.dead.enter(target, target.meta.generation);
    // An answer that is dropped before anyone iterates over it frees what it holds through the signal.
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  /**
   * Waits until the first page is at hand, or its first bytes where more pages follow: until then an error can still be answered, or the read begun again.
   * Tells whether it was there before, or another node gave all of it that is here. Closes the stream when it rejects. With `pinned`, the version is kept readable at its backend
   * to the end of the stream, if it can be: `moved` then comes here and not in the middle.
   */
  async ready(pinned: boolean): Promise<'hit' | 'peer' | 'fill'> {
    try {
      if (pinned) await this.pin();
      return await this.firstPage();
    } catch (error) {
      this.close();
      throw this.signal?.aborted ? cancelled(this.target, error) : error;
    }
  }

  async *chunks(): AsyncGenerator<Buffer> {
    try {
      for (let at = this.range.start; at < this.range.end; ) {
        this.check();
        const page = this.pageAt(at);
        const end = Math.min(this.range.end, (page + 1) * this.target.pageSizeBytes);
        this.leaveBefore(page);
        const joined = this.join(page);
        this.prefetch(page + 1);
        if (page !== this.page) this.arrive(page);
        if (joined) at = yield* this.fromFlight(joined, at, end);
        else at = yield* this.fromStore(at, end);
      }
      this.finished = true;
    } catch (error) {
      throw this.signal?.aborted ? cancelled(this.target, error) : error;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (!this.closed) {
      this.leavePages();
      void this.unpin?.();
      this.window.close();
      if (!this.finished) this.following?.end();
    }
    this.closed = true;
    this.signal?.removeEventListener('abort', this.onAbort);
    for (const { flight } of this.joined.values()) flight.leave();
    this.joined.clear();
    this.follow(undefined);
    // The reader is done, or its connection is: in neither case anybody looks at the bytes again.
    this.giveBack();
    this.ahead?.loans.giveBack();
  }

  private giveBack(): void {
    this.lent?.giveBack();
    this.lent = undefined;
  }

  private async pin(): Promise<void> {
    const { backend, path, meta } = this.target;
    const unpin = await backend.pin?.(path, meta, { signal: this.signal });
    if (this.closed) await unpin?.();
    else this.unpin = unpin;
  }

  private async firstPage(): Promise<'hit' | 'peer' | 'fill'> {
    const first = this.pageAt(this.range.start);
    this.check();
    if (!this.join(first)) {
      this.readAhead(this.range.start);
      if (await this.ahead?.bytes) return 'hit';
      this.ahead = undefined;
      this.check();
    }
    const { flight, source } = this.join(first) ?? this.demand(first);
    // Of more than one page something may go wrong after the first byte anyhow.
    const isLong = this.range.end - this.range.start > this.target.pageSizeBytes;
    const ready: Promise<unknown> = isLong ? this.begun(flight) : flight.whole();
    this.prefetch(first + 1);
    await abortable(ready, this.signal);
    return source === 'fill' && flight.isHandedOver ? 'peer' : source;
  }

  /** Until the backend has said of which version its bytes are. */
  private async begun(flight: PageFlight): Promise<void> {
    while (flight.state === 'waiting') await flight.change();
    if (flight.state === 'failed') throw flight.error;
  }

  /** A closed stream joins nothing any more: nobody would leave it again. */
  private check(): void {
    if (this.closed) throw cancelled(this.target, this.signal?.reason);
  }

  /** Hands out what the flight has as it comes; ends before `end` if its memory was given up meanwhile. */
  private async *fromFlight(
    { flight, source }: Joined,
    start: number,
    end: number,
  ): AsyncGenerator<Buffer, number> {
    let at = start;
    let chunkIndex = 0;
    let chunkStart = flight.key.pageIndex * this.target.pageSizeBytes;
    while (at < end) {
      const chunk = flight.chunks[chunkIndex];
      if (chunk) {
        const from = at - chunkStart;
        const to = Math.min(chunk.length, end - chunkStart);
        chunkIndex++;
        chunkStart += chunk.length;
        if (from >= to) continue;
        at += to - from;
        yield this.handOut(
          chunk.subarray(from, to),
          at - (to - from),
          source === 'fill' ? flight : undefined,
        );
        this.check();
      } else if (flight.state === 'waiting' || flight.state === 'filling') {
        await abortable(flight.change(), this.signal);
      } else if (flight.state === 'failed') {
        this.leave(flight.key.pageIndex);
        if (at > start || !this.mayRetry(flight)) throw flight.error;
        this.check();
        this.demand(flight.key.pageIndex);
        return at;
      } else {
        this.leave(flight.key.pageIndex);
        return yield* this.afterRetirement(at, end);
      }
    }
    return at;
  }

  /** The rest of a page whose flight gave its memory up: from the store, or, where that did not keep it, from the backend. */
  private async *afterRetirement(at: number, end: number): AsyncGenerator<Buffer, number> {
    if (this.parts.store.has(this.key(this.pageAt(at)))) return at;
    for await (const chunk of readBackend(this.target, { start: at, end }, this.signal)) {
      yield this.handOut(chunk, at, fromBackend);
    }
    return end;
  }

  /** Hands out slices while the store has them; where the page turns out to be absent a fill is under way on return. */
  private async *fromStore(start: number, end: number): AsyncGenerator<Buffer, number> {
    let at = start;
    while (at < end) {
      if (this.ahead?.at !== at) this.readAhead(at);
      const bytes = await this.ahead?.bytes;
      this.lent = this.ahead?.loans;
      this.ahead = undefined;
      this.check();
      if (!bytes) {
        this.demand(this.pageAt(at));
        return at;
      }
      at += bytes.length;
      if (at < this.range.end && this.parts.store.has(this.key(this.pageAt(at)))) this.readAhead(at);
      yield this.handOut(bytes, at - bytes.length, this.ownFill);
      this.giveBack();
      this.check();
    }
    return at;
  }

  private readAhead(at: number): void {
    const { key, start, end, pageEnd } = sliceOf(this.target, this.range, at, this.parts.sliceBytes);
    this.ahead?.loans.giveBack();
    const loans = new Loans();
    const { store } = this.parts;
    const now = store.readNow(key, start, pageEnd, loans) ?? store.readNow(key, start, end, loans);
    this.ahead = {
      at,
      bytes: now ? Promise.resolve(now) : store.read(key, start, end, loans),
      loans,
    };
  }

  /** Makes sure that the page after the one being read is on its way, if it has to come from the backend. */
  private prefetch(page: number): void {
    if (page >= this.endPage || this.join(page)) return;
    if (!this.parts.store.has(this.key(page))) this.demand(page);
  }

  private arrive(page: number): void {
    this.page = page;
    this.ownFill = this.window.asked(page);
    this.window.arrive(this.target, page);
    const end = Math.min(this.endPage, page + 1 + this.aheadPages);
    this.window.ask(this.target, page + 2, end, this.endPage);
    this.aheadPages = Math.min(2 * this.aheadPages, this.parts.maxAheadPages);
    if (page === this.endPage - 1) this.following?.goOn();
  }

  /** The page's flight, if it is on its way. */
  private join(page: number): Joined | undefined {
    const joined = this.joined.get(page);
    if (joined) return joined;
    const flight = this.parts.fills.find(pageName(this.key(page)));
    if (!flight) return undefined;
    this.parts.metrics.coalescedFills.inc();
    return this.hold(page, flight);
  }

  private demand(page: number): Joined {
    return this.hold(page, this.parts.fills.demand(this.target, page, this.endPage));
  }

  private hold(page: number, flight: PageFlight): Joined {
    flight.join();
    // What was filled because this reader is coming is no hit, even if it was there before the reader.
    const isHit = flight.state === 'whole' && !this.window.asked(page);
    const joined: Joined = { flight, source: isHit ? 'hit' : 'fill' };
    this.joined.set(page, joined);
    this.follow(flight.run);
    return joined;
  }

  /** Keeps the backend read open that the reader will want to go on with. */
  private follow(run: FillRun | undefined): void {
    if (run === this.run) return;
    run?.join();
    this.run?.leave();
    this.run = run;
  }

  private leave(page: number): void {
    const joined = this.joined.get(page);
    this.joined.delete(page);
    joined?.flight.leave();
  }

  private leaveBefore(page: number): void {
    for (const earlier of this.joined.keys()) if (earlier < page) this.leave(earlier);
  }

  /** A backend read that lay still between two pages may have been cut by the other side: worth one fresh read. */
  private mayRetry(flight: PageFlight): boolean {
    if (!flight.continued || !flight.receivedNothing || this.retriedPage === flight.key.pageIndex) {
      return false;
    }
    this.retriedPage = flight.key.pageIndex;
    const error = flight.error;
    const kinds = ['io', 'unavailable', 'timeout', 'cancelled'];
    return error instanceof UfsError && kinds.includes(error.kind);
  }

  /** `at`: where the bytes begin; `filled`: their page's flight, if they are no hit. */
  private handOut(bytes: Buffer, at: number, filled: Pick<PageFlight, 'peerBytes'> | undefined): Buffer {
    const served = this.target.served ?? this.parts.served;
    const start = at % this.target.pageSizeBytes;
    if (filled) served.countFilled(filled, start, start + bytes.length);
    else served.count('hit', bytes.length);
    return bytes;
  }

  private key(page: number) {
    return pageKeyOf(this.target, page);
  }

  private pageAt(at: number): number {
    return Math.floor(at / this.target.pageSizeBytes);
  }
}
