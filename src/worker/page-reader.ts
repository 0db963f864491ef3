import { abortable } from '../common/abortable.ts';
import { type ByteRange, rangeLength } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Mutants } from '../common/mutants.ts';
import { isMoved } from '../ufs/errors.ts';
import { afterFirstChunk, readBackend, readBackendWhole } from './bypass-read.ts';
import { isOnePage, type PageStatus, statusOfStream, statusOfWhole } from './cache-status.ts';
import { DeadPages, type VersionedPath } from './dead-pages.ts';
import { cancelled } from './fill-run.ts';
import { openHeld } from './held-pages.ts';
import { KeepRule } from './keep-rule.ts';
import { PageFills } from './page-fill.ts';
import type { PageFlight } from './page-flight.ts';
import { PageIntake } from './page-intake.ts';
import { pageKeyOf, pageName } from './page-key.ts';
import { PageLoader } from './page-loader.ts';
import { cut, join, type Piece, takePiece } from './page-pieces.ts';
import type { PageKey, PageStore } from './page-store.ts';
import { readPagesNow } from './pages-now.ts';
import { type Following, RangeStream, type RangeStreamParts } from './range-stream.ts';
import { ReadAhead, type ReadAheadSettings, type ReadSequence } from './read-ahead.ts';
import { type LocalReader, type Missing, type PageRead, type ReadTarget, WorkerError } from './reader.ts';
import { ServedBytes } from './served-bytes.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface PageReaderSettings {
  /** Memory for pages being filled, bytes, shared by all readers. */
  readonly maxFillBytes: number;
  /** Pages being filled at once. */
  readonly maxFills: number;
  /** Fills that may wait for memory before new readers are told `overloaded`. */
  readonly maxQueuedFills: number;
  /** A backend read that nobody continues for so long is given up. */
  readonly idleRunMs: number;
  /** Answers up to here are gathered before they begin; what is longer goes out piece by piece, at its reader's pace. */
  readonly wholeBytes: number;
  /** What a long answer takes from the store at once; a multiple of the store's block size. A slow reader keeps two of them. */
  readonly sliceBytes: number;
  /** Pages that are filled ahead of a reader that goes through an object in order; 0: only the next one of a long answer. */
  readonly readAheadPages: number;
  /** A reader that asks range by range has gone when it was silent for so long. */
  readonly readAheadIdleMs: number;
  readonly mutants?: Mutants;
}

export const defaultPageReaderSettings: PageReaderSettings = {
  maxFillBytes: 64 * 1024 * 1024,
  maxFills: 256,
  maxQueuedFills: 1024,
  idleRunMs: 30_000,
  wholeBytes: 256 * 1024,
  sliceBytes: 512 * 1024,
  readAheadPages: 8,
  readAheadIdleMs: 5_000,
};

/** Readers that ask range by range and that are followed at once. */
const maxFollowedReaders = 1024;

/** Pages beyond which the status of a long answer is taken from those before. */
const maxPagesLookedAt = 16_384;

/** Reads ranges through the page store and fills what it lacks. */
export class PageReader implements LocalReader {
  private readonly store: PageStore;
  private readonly settings: PageReaderSettings;
  private readonly served: ServedBytes;
  private readonly dead: DeadPages;
  private readonly fills: PageFills;
  private readonly streamParts: Writable<RangeStreamParts>;
  private readonly aheadSettings: Writable<ReadAheadSettings>;
  private readonly readAhead: ReadAhead;
  readonly loader: PageLoader;
  private readonly keepRule: KeepRule;

  constructor(clock: Clock, metrics: Metrics, store: PageStore, settings: PageReaderSettings) {
    this.store = store;
    this.settings = settings;
    this.served = new ServedBytes(metrics);
    this.dead = new DeadPages(store);
    this.keepRule = new KeepRule(store.usage.capacityBytes);
    this.fills = new PageFills(clock, metrics, store, this.dead, {
      ...settings,
      mutants: settings.mutants ?? {},
    });
    this.streamParts = {
      metrics,
      served: this.served,
      store,
      fills: this.fills,
      dead: this.dead,
      sliceBytes: settings.sliceBytes,
      maxAheadPages: settings.readAheadPages,
    };
    this.aheadSettings = {
      maxAheadPages: settings.readAheadPages,
      maxReaders: maxFollowedReaders,
      idleMs: settings.readAheadIdleMs,
    };
    this.readAhead = new ReadAhead(clock, this.streamParts, this.aheadSettings);
    this.loader = new PageLoader({ clock, store, fills: this.fills });
  }

  /** From now on these limits hold; what is under way goes on. */
  tune(
    limits: Pick<PageReaderSettings, 'maxFillBytes' | 'maxFills' | 'maxQueuedFills' | 'readAheadPages'>,
  ): void {
    this.fills.tune(limits);
    this.streamParts.maxAheadPages = limits.readAheadPages;
    this.aheadSettings.maxAheadPages = limits.readAheadPages;
  }

  /** What fills hold at the moment. */
  get usage() {
    return this.fills.usage;
  }

  open(
    target: ReadTarget,
    range: ByteRange,
    signal?: AbortSignal,
    missing: Missing = 'fill',
  ): Promise<PageRead> {
    const isUnsettled = !target.meta.generationSettled && !this.settings.mutants?.keepUnsettledPages;
    if (isUnsettled || this.keepRule.isNever(target)) return this.openPast(target, range, signal, missing);
    const now = this.openNow(target, range, missing);
    if (now) return Promise.resolve(now);
    const isHere =
      (missing !== 'fill' || target.policy !== undefined) && this.statusOf(target, range) === 'hit';
    const rule = isHere ? missing : this.keepRule.missing(target, range, missing);
    // A page that goes, or is found damaged, after this look is filled all the same.
    if (rule !== 'fill' && !isHere) return this.openPast(target, range, signal, rule);
    const sequence = this.sequenceOf(target, range, rule);
    const read =
      rangeLength(range) <= this.settings.wholeBytes
        ? this.openWhole(target, range, signal, sequence)
        : this.openStream(target, range, signal, sequence);
    return target.opened ? read.catch((error) => this.openSent(error, target, range, signal)) : read;
  }

  /** A fill that was joined came too late for its version; what is on its way with the metadata is of that version all the same. */
  private openSent(
    error: unknown,
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
  ): Promise<PageRead> {
    if (!isMoved(error) || !target.opened?.look(target.meta.generation, range)) throw error;
    return this.openBypass(target, range, signal);
  }

  openNow(target: ReadTarget, range: ByteRange, missing: Missing = 'fill'): PageRead | undefined {
    if (rangeLength(range) > target.pageSizeBytes) return undefined;
    if (!target.meta.generationSettled && !this.settings.mutants?.keepUnsettledPages) return undefined;
    if (target.policy !== undefined && this.keepRule.isNever(target)) return undefined;
    const now = readPagesNow(this.store, target, range);
    if (!now) return undefined;
    const sequence = this.sequenceOf(target, range, missing);
    if (sequence) this.readAhead.goOn(sequence, target, range.end);
    (target.served ?? this.served).count('hit', now.body.length);
    return { cache: 'hit', ...now };
  }

  /** To be asked once for each request. What leaves nothing in the cache is not followed. */
  private sequenceOf(target: ReadTarget, range: ByteRange, missing: Missing) {
    return missing === 'fill' ? this.readAhead.take(target, range) : undefined;
  }

  private async openPast(
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    missing: Missing,
  ): Promise<PageRead> {
    if (missing === 'refuse') throw new WorkerError('not-cached', 'not all of its pages are here');
    return this.openBypass(target, range, signal);
  }

  openHeld(target: ReadTarget, range: ByteRange): Promise<AsyncIterable<Buffer> | undefined> {
    return openHeld(this.store, target, range, this.settings.sliceBytes, target.served ?? this.served);
  }

  hold(target: ReadTarget, range: ByteRange): () => void {
    const leave = this.dead.enter(target, target.meta.generation);
    let isOver = false;
    const tellStore = async () => {
      for (const { key, start } of cut(target, range)) {
        if (isOver) return;
        if (start === 0) await this.store.expect?.(key);
      }
    };
    void tellStore();
    return () => {
      isOver = true;
      leave();
    };
  }

  takeIn(at: Omit<ReadTarget, 'meta'>, sizeBytes: number, endBytes = sizeBytes): PageIntake | undefined {
    // Where only second reads count a write is none.
    if (sizeBytes === 0 || (at.policy && at.policy.keeps(at.path, sizeBytes) !== 'always')) return undefined;
    return new PageIntake(this.fills, this.store, this.dead, at, sizeBytes, Math.min(sizeBytes, endBytes));
  }

  holdsSome({ incarnation, path }: VersionedPath): boolean {
    return this.store.hasSome(incarnation, path);
  }

  /**
   * To be told which version of a key is the present one (undefined: there is none): the pages of others are removed. Readers under way
   * keep theirs.
   */
  heardOfVersion(at: VersionedPath, generation: string | undefined): void {
    this.readAhead.heardOfVersion(at, generation);
    this.dead.heard(at, generation);
  }

  /** Ends every fill. Readers under way are cut off. */
  async close(): Promise<void> {
    this.readAhead.close();
    await this.fills.close();
    await this.dead.close();
  }

  private async openWhole(
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    sequence: ReadSequence | undefined,
  ): Promise<PageRead> {
    try {
      const answer = await this.fillWhole(target, cut(target, range), signal);
      if (sequence) this.readAhead.goOn(sequence, target, range.end);
      return answer;
    } catch (error) {
      if (sequence) this.readAhead.end(sequence);
      if (signal?.aborted) throw cancelled(target, error);
      throw error;
    }
  }

  private async fillWhole(target: ReadTarget, pieces: Piece[], signal?: AbortSignal): Promise<PageRead> {
    const held = await abortable(Promise.all(pieces.map((piece) => this.heldPiece(piece))), signal);
    const missing = pieces.filter((_, index) => !held[index]);
    const served = target.served ?? this.served;
    const heldBytes = held.reduce((sum, part) => sum + (part?.length ?? 0), 0);
    if (missing.length === 0) {
      served.count('hit', heldBytes);
      return { cache: 'hit', body: join(held as Buffer[]) };
    }
    const endPage = (pieces.at(-1)?.pageIndex ?? 0) + 1;
    const joined: PageFlight[] = [];
    try {
      const whole = missing.map((piece) => this.joinFlight(target, piece, endPage, joined));
      const filled = await abortable(Promise.all(whole), signal);
      const bytes = missing.map((piece, index) => takePiece(filled[index] ?? [], piece));
      served.count('hit', heldBytes);
      for (const [index, { start, end }] of missing.entries())
        served.countFilled(joined[index] as PageFlight, start, end);
      const all = held.map((part) => part ?? bytes.shift() ?? Buffer.alloc(0));
      const fromBackend = missing.filter((piece, index) => piece.end > (joined[index]?.peerBytes ?? 0));
      return { cache: statusOfWhole(fromBackend.length, pieces.length), body: join(all) };
    } finally {
      for (const flight of joined) flight.leave();
    }
  }

  /** The piece, if its page is here: in a fill that is whole, or in the store. */
  private async heldPiece(piece: Piece): Promise<Buffer | undefined> {
    const name = pageName(piece.key);
    const flight = this.fills.find(name);
    if (flight) return flight.state === 'whole' ? takePiece(flight.chunks, piece) : undefined;
    if (!this.store.has(piece.key)) return undefined;
    const bytes = await this.store.read(piece.key, piece.start, piece.end);
    // A page that was found bad may have been filled again by another reader while this one looked.
    if (bytes || this.fills.find(name) || !this.store.has(piece.key)) return bytes;
    return this.store.read(piece.key, piece.start, piece.end);
  }

  /** All chunks of the piece's page, asked for before anything else can take them away. */
  private joinFlight(
    target: ReadTarget,
    piece: Piece,
    endPage: number,
    joined: PageFlight[],
  ): Promise<readonly Buffer[]> {
    if (!this.fills.find(pageName(piece.key))) this.fills.checkRoom();
    const flight = this.fills.demand(target, piece.pageIndex, endPage);
    flight.join();
    joined.push(flight);
    return flight.whole();
  }

  private async openStream(
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    sequence: ReadSequence | undefined,
  ): Promise<PageRead> {
    const planned = this.statusOf(target, range);
    if (!this.isHeld(pageKeyOf(target, Math.floor(range.start / target.pageSizeBytes)))) {
      this.fills.checkRoom();
    }
    const stream = new RangeStream(
      this.streamParts,
      target,
      range,
      signal,
      this.following(sequence, target, range),
    );
    const source = await stream.ready(planned !== 'hit');
    return { cache: statusOfStream(planned, source, isOnePage(target, range)), body: stream.chunks() };
  }

  private following(
    sequence: ReadSequence | undefined,
    target: ReadTarget,
    range: ByteRange,
  ): Following | undefined {
    if (!sequence) return undefined;
    return {
      aheadPages: sequence.aheadPages,
      goOn: () => this.readAhead.goOn(sequence, target, range.end),
      end: () => this.readAhead.end(sequence),
    };
  }

  private statusOf(target: ReadTarget, range: ByteRange): PageStatus {
    const firstPage = Math.floor(range.start / target.pageSizeBytes);
    const endPage = Math.ceil(range.end / target.pageSizeBytes);
    const first = this.isHeld(pageKeyOf(target, firstPage));
    for (let page = firstPage + 1; page < endPage; page++) {
      if (page - firstPage > maxPagesLookedAt) return 'partial';
      if (this.isHeld(pageKeyOf(target, page)) !== first) return 'partial';
    }
    return first ? 'hit' : 'miss';
  }

  private isHeld(key: PageKey): boolean {
    const flight = this.fills.find(pageName(key));
    return flight ? flight.state === 'whole' : this.store.has(key);
  }

  private async openBypass(target: ReadTarget, range: ByteRange, signal?: AbortSignal): Promise<PageRead> {
    const served = target.served ?? this.served;
    if (rangeLength(range) <= this.settings.wholeBytes) {
      const body = await this.bypassWhole(target, range, signal);
      served.count('bypass', body.length);
      return { cache: 'bypass', body };
    }
    const chunks = readBackend(target, range, signal);
    const body = await afterFirstChunk(chunks, (chunk) => served.count('bypass', chunk.length), signal);
    return { cache: 'bypass', body };
  }

  private async bypassWhole(target: ReadTarget, range: ByteRange, signal?: AbortSignal): Promise<Buffer> {
    const release = await this.fills.borrow(rangeLength(range), signal ?? neverAborted());
    if (!release) throw cancelled(target, signal?.reason);
    try {
      return await readBackendWhole(target, range, signal);
    } finally {
      release();
    }
  }
}

function neverAborted(): AbortSignal {
  return new AbortController().signal;
}
