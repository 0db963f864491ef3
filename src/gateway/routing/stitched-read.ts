import type { ByteRange } from '../../common/byte-range.ts';
import type { PageRead } from '../../worker/reader.ts';
import { chunksOf, dropRead } from './page-read-chunks.ts';

type OpenPart = (part: ByteRange, place: number) => Promise<PageRead>;

/** A range that lies on several nodes, as one read: part by part, the next one asked for when the present one begins. */
export class StitchedRead {
  readonly #parts: readonly ByteRange[];
  readonly #open: OpenPart;

  private constructor(parts: readonly ByteRange[], open: OpenPart) {
    this.#parts = parts;
    this.#open = open;
  }

  /** Rejects as the first part does. A hit is told of no more than was looked at, so never of the whole. */
  static async open(parts: readonly ByteRange[], open: OpenPart): Promise<PageRead> {
    const stitched = new StitchedRead(parts, open);
    const first = await open(parts[0] as ByteRange, 0);
    return { cache: first.cache === 'hit' ? 'partial' : first.cache, body: stitched.#chunks(first) };
  }

  async *#chunks(first: PageRead): AsyncGenerator<Buffer> {
    let present = first;
    let next: Promise<PageRead> | undefined;
    try {
      for (let place = 1; ; place++) {
        const after = this.#parts[place];
        next = after && this.#open(after, place);
        // It is looked at when its turn comes.
        next?.catch(() => {});
        yield* chunksOf(present);
        if (!next) return;
        present = await next;
      }
    } finally {
      void next?.then(dropRead, () => {});
    }
  }
}
