import type { ObjectMeta } from '../common/object-meta.ts';
import type { DeadPages } from './dead-pages.ts';
import type { PageFills } from './page-fill.ts';
import { pageKeyOf } from './page-key.ts';
import type { PageStore } from './page-store.ts';
import type { Intake, ReadTarget } from './reader.ts';

interface TakenPage {
  readonly bytes: Buffer;
  filledBytes: number;
  readonly release: () => void;
}

/**
 * Pages of an object that is being written, out of the bytes that go to its storage. Each takes its memory out of that for fills, as long as nobody
 * waits for it: the pages before the first that finds no room are kept, and none after it.
 */
export class PageIntake implements Intake {
  readonly #fills: PageFills;
  readonly #store: PageStore;
  readonly #dead: DeadPages;
  readonly #at: Omit<ReadTarget, 'meta'>;
  readonly #sizeBytes: number;
  readonly #endBytes: number;
  readonly #pages: TakenPage[] = [];
  #takenBytes = 0;
  #isOver = false;

  /** `endBytes`: nothing behind it is kept; the end of a page, or of the object. */
  constructor(
    fills: PageFills,
    store: PageStore,
    dead: DeadPages,
    at: Omit<ReadTarget, 'meta'>,
    sizeBytes: number,
    endBytes: number,
  ) {
    this.#fills = fills;
    this.#store = store;
    this.#dead = dead;
    this.#at = at;
    this.#sizeBytes = sizeBytes;
    this.#endBytes = endBytes;
    fills.onPressure(this);
  }

  add(chunk: Buffer): void {
    for (let from = 0; from < chunk.length && !this.#isOver; ) {
      const page = this.#page();
      if (!page) return;
      const count = chunk.copy(page.bytes, page.filledBytes, from);
      page.filledBytes += count;
      this.#takenBytes += count;
      from += count;
    }
  }

  /** Only whole pages, and only of a version whose bytes are surely these. */
  async keep(meta: ObjectMeta): Promise<void> {
    this.#isOver = true;
    try {
      if (!meta.generationSettled || meta.sizeBytes !== this.#sizeBytes) return;
      const target = { ...this.#at, meta };
      const leave = this.#dead.enter(target, meta.generation);
      try {
        for (const [index, { bytes, filledBytes }] of this.#pages.entries()) {
          if (filledBytes === bytes.length) await this.#store.write(pageKeyOf(target, index), bytes);
        }
      } finally {
        leave();
      }
    } finally {
      this.drop();
    }
  }

  drop(): void {
    this.#isOver = true;
    this.#fills.offPressure(this);
    for (const { release } of this.#pages.splice(0)) release();
  }

  /** The page that the next byte belongs to; undefined where nothing more is kept. */
  #page(): TakenPage | undefined {
    const last = this.#pages.at(-1);
    if (last && last.filledBytes < last.bytes.length) return last;
    const length = Math.min(this.#at.pageSizeBytes, this.#endBytes - this.#takenBytes);
    const release = length > 0 ? this.#fills.tryBorrow(length) : undefined;
    if (!release) {
      this.#isOver = true;
      return undefined;
    }
    const page = { bytes: Buffer.allocUnsafeSlow(length), filledBytes: 0, release };
    this.#pages.push(page);
    return page;
  }
}
