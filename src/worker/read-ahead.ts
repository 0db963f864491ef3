import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import { AheadWindow, type AheadWindowParts } from './ahead-window.ts';
import type { VersionedPath } from './dead-pages.ts';
import type { ReadTarget } from './reader.ts';
import { type Sequence, SequentialReaders } from './sequential-readers.ts';

export interface ReadAheadSettings {
  /** Pages that are filled ahead of one reader at most; 0: none. */
  readonly maxAheadPages: number;
  readonly maxReaders: number;
  /** What was begun for a reader that asks no more is given up after so long. */
  readonly idleMs: number;
}

export interface AheadOf {
  readonly target: ReadTarget;
  readonly window: AheadWindow;
  readonly path: string;
  /** The page at which what is ahead was looked at last. */
  page: number;
}

/** A request of a reader that goes through an object in order. */
export type ReadSequence = Sequence<AheadOf>;

/**
 * Fills pages ahead of readers that ask for an object range by range, each where the last one ended. Nothing is read that the next few requests
 * would not ask for: within the object, of one version, and only while its reader goes on.
 */
export class ReadAhead {
  private readonly clock: Clock;
  private readonly parts: AheadWindowParts;
  private readonly settings: ReadAheadSettings;
  private readonly readers: SequentialReaders<AheadOf>;
  /** Those that have a window, by the path that they read. */
  private readonly active = new Map<string, Set<ReadSequence>>();
  private waking: AbortController | undefined;
  private closed = false;

  constructor(clock: Clock, parts: AheadWindowParts, settings: ReadAheadSettings) {
    this.clock = clock;
    this.parts = parts;
    this.settings = settings;
    this.readers = new SequentialReaders((sequence) => this.stop(sequence), settings);
  }

  /** Takes a request that reads through the cache; undefined where nothing can be ahead of it. */
  take(target: ReadTarget, { start, end }: ByteRange): ReadSequence | undefined {
    const { meta, pageSizeBytes } = target;
    if (this.settings.maxAheadPages === 0 || meta.sizeBytes <= pageSizeBytes) return undefined;
    if (start === 0 && end === meta.sizeBytes) return undefined;
    const name = `${pathOf(target)}\0${meta.generation}\0${pageSizeBytes}`;
    return this.readers.take(name, start, end, pageSizeBytes, this.clock.monotonicMs());
  }

  /** The reader of the sequence has, or is getting, everything up to `end`: what follows is filled. */
  goOn(sequence: ReadSequence, target: ReadTarget, end: number): void {
    // What nobody expects to go on would never be given up.
    if (sequence.aheadPages === 0 || this.closed || !this.readers.renew(sequence, this.clock.monotonicMs()))
      return;
    const lastPage = Math.floor((end - 1) / target.pageSizeBytes);
    const endBytes = Math.min(target.meta.sizeBytes, target.ownEnd ?? Number.POSITIVE_INFINITY);
    const objectEnd = Math.ceil(endBytes / target.pageSizeBytes);
    const windowEnd = Math.min(objectEnd, lastPage + 1 + sequence.aheadPages);
    const held = sequence.held ?? this.start(sequence, target);
    if (held.page === lastPage) return;
    held.page = lastPage;
    const { window } = held;
    window.arrive(target, lastPage);
    window.ask(target, lastPage + 1, windowEnd, windowEnd);
    if (lastPage + 1 === objectEnd) this.end(sequence);
  }

  /** The reader of the sequence has gone. */
  end(sequence: ReadSequence): void {
    this.readers.forget(sequence);
    this.stop(sequence);
  }

  /** To be told which generation of a path is the present one: nobody goes on with others. */
  heardOfVersion(at: VersionedPath, generation: string | undefined): void {
    if (this.active.size === 0) return;
    for (const sequence of this.active.get(pathOf(at)) ?? []) {
      if (sequence.held?.target.meta.generation !== generation) this.end(sequence);
    }
  }

  close(): void {
    this.closed = true;
    this.readers.forgetAll();
  }

  private start(sequence: ReadSequence, target: ReadTarget): AheadOf {
    const path = pathOf(target);
    const held: AheadOf = { target, window: new AheadWindow(this.parts), path, page: -1 };
    sequence.held = held;
    const ofPath = this.active.get(path) ?? new Set();
    this.active.set(path, ofPath.add(sequence));
    if (!this.waking) void this.watch();
    return held;
  }

  private stop(sequence: ReadSequence): void {
    const { held } = sequence;
    if (!held) return;
    sequence.held = undefined;
    const ofPath = this.active.get(held.path);
    ofPath?.delete(sequence);
    if (ofPath?.size === 0) this.active.delete(held.path);
    held.window.close();
    if (this.active.size === 0) this.waking?.abort();
  }

  /** Ends what readers left behind, as long as there is any. */
  private async watch(): Promise<void> {
    while (this.active.size > 0) {
      this.waking = new AbortController();
      const leftMs = this.readers.forgetSilent(this.clock.monotonicMs());
      // Cut short when nothing is left that could end.
      await this.clock.sleep(leftMs, this.waking.signal).catch(() => undefined);
    }
    this.waking = undefined;
  }
}

function pathOf({ incarnation, path }: VersionedPath): string {
  return `${incarnation}\0${path}`;
}
