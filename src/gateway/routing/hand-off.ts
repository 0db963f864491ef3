import type { AtOnce } from '../../common/at-once.ts';
import { type ByteRange, rangeLength } from '../../common/byte-range.ts';
import type { Clock } from '../../common/clock.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { Cell } from '../../common/plain-metrics.ts';
import { PeerError } from '../../peers/errors.ts';
import type { ViewMember } from '../../ring/ownership.ts';
import {
  type EarlierPages,
  type LookUpOptions,
  type MetadataTarget,
  type ReadTarget,
  WorkerError,
} from '../../worker/reader.ts';
import type { OwnedMetadata } from './owned-metadata.ts';
import type { PeerBytes } from './peer-bytes.ts';
import type { PeerQuestions } from './peer-questions.ts';
import { hashOf, type Routes } from './routes.ts';

export interface HandOffSettings {
  readonly isOn: boolean;
  /** How long the other node may be silent, before its answer and in the middle of it, ms. */
  readonly timeoutMs: number;
}

/** Questions under way at once; what is beyond goes to the storage. */
const maxUnderWay = 128;
/** What the nodes before were found to lack is remembered of so many pages and objects. */
const maxLacking = 16_384;
/** A node that did not answer is not asked for so long, ms. */
const restMs = 5_000;

type Result = 'given' | 'lacking' | 'failed';

/**
 * After a change of the ring a page's new owner asks the one before it, as long as views know which one that is, and fills its cache
 * from there. Only pages of the very version are given, and none is read from the storage for it. Whatever goes wrong, the storage has
 * the bytes.
 */
export class HandOff implements EarlierPages {
  readonly #clock: Clock;
  readonly #routes: Routes;
  readonly #owned: Pick<OwnedMetadata, 'peek'>;
  readonly #questions: PeerQuestions;
  readonly #settings: HandOffSettings;
  readonly #results: Record<Result, Cell>;
  /** By worker, until when it is not asked. Members only. */
  readonly #resting = new Map<string, number>();
  /** Pages and objects that the node before lacks, by the view that is applied; the oldest first. */
  readonly #lacking = new Set<string>();
  #underWay = 0;

  constructor(
    clock: Clock,
    metrics: Metrics,
    routes: Routes,
    owned: Pick<OwnedMetadata, 'peek'>,
    questions: PeerQuestions,
    settings: HandOffSettings,
  ) {
    this.#clock = clock;
    this.#routes = routes;
    this.#owned = owned;
    this.#questions = questions;
    this.#settings = settings;
    const cell = (result: Result) => metrics.handOffs.cell({ result });
    this.#results = { given: cell('given'), lacking: cell('lacking'), failed: cell('failed') };
    routes.ownership.onView(({ view }) => {
      this.#lacking.clear();
      for (const workerId of this.#resting.keys()) if (!view.member(workerId)) this.#resting.delete(workerId);
    });
  }

  /** For a target's `earlier`: undefined where nobody is to be asked for the pages of the segment that `start` lies in. */
  of(target: ReadTarget | MetadataTarget, start: number): EarlierPages | undefined {
    return this.#before(target, start) ? this : undefined;
  }

  /**
   * How to look for metadata: the storage is not asked for the bytes along with it where the node before may have them. One question to
   * that node, only of what nothing is known of here.
   */
  withoutBytes(target: MetadataTarget, options: LookUpOptions): AtOnce<LookUpOptions> {
    const { read, noStore, onlyIfCached, revalidate, together } = options;
    if (!read || noStore || onlyIfCached || together) return options;
    const before = this.#before(target, read.start);
    if (!before || this.#lacking.has(nameOf(target))) return options;
    if (!revalidate && this.#owned.peek(target, options)) return options;
    return this.#askWhetherItHolds(before, target, options);
  }

  async *read(target: ReadTarget, range: ByteRange, signal: AbortSignal): AsyncGenerator<Buffer> {
    const before = this.#before(target, range.start);
    const page = `${nameOf(target)}\0${target.meta.generation}\0${range.start}`;
    if (!before || this.#isLacking(target, page) || this.#underWay >= maxUnderWay) return;
    this.#underWay++;
    let bytes: PeerBytes | undefined;
    try {
      bytes = await this.#questions.held(before, target, range, this.#settings.timeoutMs, signal);
      let missing = rangeLength(range);
      for await (const piece of this.#pieces(bytes, signal)) {
        missing -= piece.length;
        if (missing === 0) this.#results.given.count++;
        yield piece;
      }
    } catch (error) {
      this.#failed(before, page, error, signal);
    } finally {
      this.#underWay--;
      bytes?.close();
    }
  }

  async #askWhetherItHolds(
    before: ViewMember,
    target: MetadataTarget,
    options: LookUpOptions,
  ): Promise<LookUpOptions> {
    if (this.#underWay >= maxUnderWay) return options;
    this.#underWay++;
    try {
      const holds = await this.#questions.holds(before, target, this.#settings.timeoutMs, options.signal);
      if (holds) return { ...options, read: undefined };
      this.#lacks(nameOf(target));
    } catch (error) {
      this.#failed(before, undefined, error, options.signal);
    } finally {
      this.#underWay--;
    }
    return options;
  }

  async *#pieces(bytes: PeerBytes, signal: AbortSignal): AsyncGenerator<Buffer> {
    const close = () => bytes.close();
    signal.addEventListener('abort', close, { once: true });
    const pieces = bytes.read();
    try {
      for (;;) {
        const timer = setTimeout(close, this.#settings.timeoutMs).unref();
        const next = await pieces.next().finally(() => clearTimeout(timer));
        if (next.done) return;
        yield next.value;
      }
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  /** The member that kept these pages before this node came to keep them. */
  #before(target: ReadTarget | MetadataTarget, start: number): ViewMember | undefined {
    // How old its pages are is not told: where that matters they come from the storage.
    if (!this.#settings.isOn || target.notBeforeSeconds !== undefined) return undefined;
    const { ownership, segmentBytes } = this.#routes;
    const view = ownership.view();
    const hash = hashOf(target);
    const segment = Math.floor(start / segmentBytes);
    const before = view.previousPlacementOwnerOf(hash, segment);
    if (before === undefined || view.placementOwnerOf(hash, segment) !== ownership.workerId) return undefined;
    if (this.#clock.monotonicMs() < (this.#resting.get(before) ?? 0)) return undefined;
    return view.member(before);
  }

  #isLacking(target: ReadTarget, page: string): boolean {
    return this.#lacking.has(page) || this.#lacking.has(nameOf(target));
  }

  #lacks(name: string): void {
    this.#results.lacking.count++;
    this.#lacking.add(name);
    const [oldest] = this.#lacking;
    if (this.#lacking.size > maxLacking && oldest !== undefined) this.#lacking.delete(oldest);
  }

  /** Whatever it was, the storage is asked next. */
  #failed(before: ViewMember, page: string | undefined, error: unknown, signal?: AbortSignal): void {
    if (page !== undefined && error instanceof WorkerError && error.kind === 'not-cached') {
      this.#lacks(page);
      return;
    }
    if (signal?.aborted) return;
    this.#results.failed.count++;
    if (error instanceof PeerError) this.#resting.set(before.workerId, this.#clock.monotonicMs() + restMs);
  }
}

/** An object, or one of its versions. */
function nameOf({ incarnation, path }: Pick<MetadataTarget, 'incarnation' | 'path'>): string {
  return `${incarnation}\0${path}`;
}
