import type { ByteRange } from '../../common/byte-range.ts';
import type { LoadedRange, MetadataTarget, Pace, RangeLoader, ReadTarget } from '../../worker/reader.ts';
import type { HandOff } from './hand-off.ts';
import type { PeerQuestions } from './peer-questions.ts';
import type { Routes, SegmentPart } from './routes.ts';

/** What another node is asked to load in one go, in pages: it answers when it has. */
const pagesAsked = 4;

/**
 * Loads each segment at the node that holds its pages, and frees objects at every node. A node that says nothing is not passed by: pages
 * that lie elsewhere would be of no use. Rejects with `PeerError` then.
 */
export class RoutedLoader implements RangeLoader {
  readonly #routes: Routes;
  readonly #local: RangeLoader;
  readonly #questions: PeerQuestions;
  readonly #handOff: HandOff;

  constructor(routes: Routes, local: RangeLoader, questions: PeerQuestions, handOff: HandOff) {
    this.#routes = routes;
    this.#local = local;
    this.#questions = questions;
    this.#handOff = handOff;
  }

  async load(target: ReadTarget, range: ByteRange, signal: AbortSignal, pace?: Pace): Promise<LoadedRange> {
    let loadedBytes = 0;
    let cachedBytes = 0;
    for (const part of this.#slicesOf(target, range)) {
      const { owner, ...slice } = part;
      const loaded = owner
        ? await this.#questions.load(owner, target, slice, 'load', signal)
        : await this.#local.load(this.#own(target, part), slice, signal, pace);
      loadedBytes += loaded.loadedBytes;
      cachedBytes += loaded.cachedBytes;
      if (owner) await pace?.(loaded.loadedBytes);
    }
    return { loadedBytes, cachedBytes };
  }

  async heldBytes(target: ReadTarget, range: ByteRange, signal: AbortSignal): Promise<number> {
    let bytes = 0;
    for (const part of this.#routes.partsOf(range)) {
      const owner = this.#routes.placementOwner(target, part.segment);
      if (!owner) bytes += await this.#local.heldBytes(target, part, signal);
      else bytes += (await this.#questions.load(owner, target, part, 'look', signal)).cachedBytes;
    }
    return bytes;
  }

  async checkedBytes(target: ReadTarget, range: ByteRange, signal: AbortSignal): Promise<number> {
    let bytes = 0;
    for (const { owner, ...slice } of this.#slicesOf(target, range)) {
      if (!owner) bytes += await this.#local.checkedBytes(target, slice, signal);
      else bytes += (await this.#questions.load(owner, target, slice, 'check', signal)).cachedBytes;
    }
    return bytes;
  }

  async free(at: MetadataTarget, signal: AbortSignal): Promise<void> {
    const { ownership } = this.#routes;
    const others = ownership.view().members.filter(({ workerId }) => workerId !== ownership.workerId);
    await Promise.all([
      this.#local.free(at, signal),
      ...others.map((member) => this.#questions.free(member, at, signal)),
    ]);
  }

  /** Of one's own a whole segment at once; who holds what is looked up when its turn comes. */
  *#slicesOf(target: ReadTarget, range: ByteRange) {
    const step = pagesAsked * target.pageSizeBytes;
    for (const part of this.#routes.partsOf(range)) {
      for (let start = part.start; start < part.end; ) {
        const owner = this.#routes.placementOwner(target, part.segment);
        const end = owner ? Math.min(part.end, start + step) : part.end;
        yield { segment: part.segment, start, end, owner };
        start = end;
      }
    }
  }

  #own(target: ReadTarget, { start }: SegmentPart): ReadTarget {
    const earlier = this.#handOff.of(target, start);
    const own = { ...target, ownEnd: this.#routes.segmentEnd(start) };
    return earlier ? { ...own, earlier } : own;
  }
}
