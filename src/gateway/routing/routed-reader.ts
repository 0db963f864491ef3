import { type ByteRange, rangeLength } from '../../common/byte-range.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { Cell } from '../../common/plain-metrics.ts';
import { PeerError } from '../../peers/errors.ts';
import type { ViewMember } from '../../ring/ownership.ts';
import { UfsError } from '../../ufs/errors.ts';
import type {
  Intake,
  MetadataTarget,
  Missing,
  PageRead,
  RangeReader,
  ReadTarget,
} from '../../worker/reader.ts';
import type { Fallbacks } from './fallbacks.ts';
import type { HandOff } from './hand-off.ts';
import { chunksOf } from './page-read-chunks.ts';
import { PeerBytes } from './peer-bytes.ts';
import type { PeerQuestions } from './peer-questions.ts';
import type { Routes } from './routes.ts';
import { StitchedRead } from './stitched-read.ts';

/** Answers up to here are gathered before they begin. */
const wholeBytes = 256 * 1024;

/**
 * Reads ranges wherever their pages lie, each segment from its own node, all of one version. A node that cannot be reached, or
 * that breaks off, is passed by: the node that would have the pages without it gives what is left, of the same version, or the storage.
 */
export class RoutedReader implements RangeReader {
  readonly #routes: Routes;
  readonly #local: RangeReader;
  readonly #questions: PeerQuestions;
  readonly #fallbacks: Fallbacks;
  readonly #handOff: HandOff;
  readonly #served: Cell;

  constructor(
    metrics: Metrics,
    routes: Routes,
    local: RangeReader,
    questions: PeerQuestions,
    fallbacks: Fallbacks,
    handOff: HandOff,
  ) {
    this.#routes = routes;
    this.#local = local;
    this.#questions = questions;
    this.#fallbacks = fallbacks;
    this.#handOff = handOff;
    this.#served = metrics.bytesServed.cell({ source: 'peer' });
  }

  async open(
    target: ReadTarget,
    range: ByteRange,
    signal?: AbortSignal,
    missing: Missing = 'fill',
  ): Promise<PageRead> {
    if (range.end <= this.#routes.segmentEnd(range.start))
      return this.#openPart(target, range, signal, missing);
    const parts = this.#routes.partsOf(range);
    const open = (part: ByteRange, place: number) =>
      this.#openPart(place === 0 ? target : withoutOpened(target), part, signal, missing);
    return StitchedRead.open(parts, open);
  }

  takeSent(target: ReadTarget, range: ByteRange): PageRead | undefined {
    const looked = target.opened?.look(target.meta.generation, range);
    if (!(looked instanceof PeerBytes) || !looked.areHere || rangeLength(range) > wholeBytes)
      return undefined;
    const sent = sentAlong(target, range);
    const body = sent?.whole();
    if (!sent || !body) return undefined;
    this.#served.count += body.length;
    return { cache: sent.cache, body };
  }

  openNow(target: ReadTarget, range: ByteRange, missing?: Missing): PageRead | undefined {
    if (range.end > this.#routes.segmentEnd(range.start)) return undefined;
    if (this.#ownerOf(target, range)) return undefined;
    return this.#local.openNow(target, range, missing);
  }

  holdsSome(at: Pick<ReadTarget, 'incarnation' | 'path'>): boolean {
    return this.#local.holdsSome(at);
  }

  takeIn(at: Omit<ReadTarget, 'meta'>, sizeBytes: number): Intake | undefined {
    if (this.#routes.placementOwner(at, 0)) return undefined;
    return this.#local.takeIn?.(at, sizeBytes, this.#routes.segmentEnd(0));
  }

  isElsewhere(at: MetadataTarget): boolean {
    return this.#routes.metadataOwner(at) !== undefined;
  }

  #own(target: ReadTarget, { start }: ByteRange): ReadTarget {
    const ownEnd = this.#routes.segmentEnd(start);
    const earlier = this.#handOff.of(target, start);
    const own = earlier ? { ...withoutPeers(target), earlier } : withoutPeers(target);
    return ownEnd < target.meta.sizeBytes ? { ...own, ownEnd } : own;
  }

  #ownerOf(target: ReadTarget, { start }: ByteRange, without?: ReadonlySet<string>): ViewMember | undefined {
    return this.#routes.placementOwner(target, Math.floor(start / this.#routes.segmentBytes), without);
  }

  async #openPart(
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    missing: Missing,
  ): Promise<PageRead> {
    const sent = sentAlong(target, range);
    const owner = sent ? undefined : this.#ownerOf(target, range);
    if (!sent && !owner) return this.#local.open(this.#own(target, range), range, signal, missing);
    try {
      const bytes = sent ?? (await this.#questions.read(owner as ViewMember, target, range, missing, signal));
      return await this.#given(bytes, target, range, signal, missing);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      if (error.kind === 'cancelled' || signal?.aborted) throw cancelled(target, error);
      return this.#passBy(target, range, signal, missing);
    }
  }

  async #given(
    bytes: PeerBytes,
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    missing: Missing,
    isLast = false,
  ): Promise<PageRead> {
    if (rangeLength(range) > wholeBytes) return this.#stream(bytes, target, range, signal, missing, isLast);
    return { cache: bytes.cache, body: await this.#gather(bytes, signal) };
  }

  /** `isLast`: the next node on the ring has been tried too. */
  async #passBy(
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    missing: Missing,
    isLast = false,
  ): Promise<PageRead> {
    const owner = isLast ? undefined : this.#ownerOf(target, range);
    const next = owner && this.#ownerOf(target, range, new Set([owner.workerId]));
    if (next) {
      try {
        const bytes = await this.#questions.read(next, target, range, missing, signal);
        return await this.#given(bytes, target, range, signal, missing, true);
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
        if (error.kind === 'cancelled' || signal?.aborted) throw cancelled(target, error);
      }
    }
    return this.#fallbacks.run(() => this.#local.open(withoutOpened(target), range, signal, missing));
  }

  async #gather(bytes: PeerBytes, signal: AbortSignal | undefined): Promise<Buffer> {
    let body = bytes.whole();
    if (!body) {
      const close = () => bytes.close();
      signal?.addEventListener('abort', close, { once: true });
      const parts: Buffer[] = [];
      try {
        for await (const part of bytes.read()) parts.push(part);
      } finally {
        signal?.removeEventListener('abort', close);
      }
      body = Buffer.concat(parts);
    }
    this.#served.count += body.length;
    return body;
  }

  #stream(
    bytes: PeerBytes,
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    missing: Missing,
    isLast: boolean,
  ): PageRead {
    // An answer that is dropped before anyone iterates over it is ended through the signal.
    const close = () => bytes.close();
    signal?.addEventListener('abort', close, { once: true });
    const over = () => signal?.removeEventListener('abort', close);
    return { cache: bytes.cache, body: this.#chunks(bytes, target, range, signal, missing, isLast, over) };
  }

  async *#chunks(
    bytes: PeerBytes,
    target: ReadTarget,
    range: ByteRange,
    signal: AbortSignal | undefined,
    missing: Missing,
    isLast: boolean,
    over: () => void,
  ): AsyncGenerator<Buffer> {
    let at = range.start;
    try {
      for await (const piece of bytes.read()) {
        at += piece.length;
        this.#served.count += piece.length;
        yield piece;
      }
      return;
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      if (signal?.aborted) throw cancelled(target, error);
    } finally {
      over();
      bytes.close();
    }
    const rest = await this.#passBy(target, { start: at, end: range.end }, signal, missing, isLast);
    yield* chunksOf(rest);
  }
}

/** What came from another node together with the metadata, if it is just this. */
function sentAlong({ opened, meta }: ReadTarget, range: ByteRange): PeerBytes | undefined {
  const end = opened?.endFrom(meta.generation, range.start);
  if (end !== range.end || !opened?.isOf(PeerBytes)) return undefined;
  return opened.take(meta.generation, range) as PeerBytes | undefined;
}

/** What is on its way from the storage is the local reader's; what comes from another node is not in whole pages. */
function withoutPeers(target: ReadTarget): ReadTarget {
  return target.opened?.isOf(PeerBytes) ? withoutOpened(target) : target;
}

function withoutOpened(target: ReadTarget): ReadTarget {
  return target.opened ? { ...target, opened: undefined } : target;
}

function cancelled({ backend, path }: ReadTarget, cause: unknown): UfsError {
  return new UfsError('cancelled', 'the read was given up', { backend: backend.uri, key: path, cause });
}
