import type { Loans } from './loans.ts';
import { pageName } from './page-key.ts';
import type { PageKey } from './page-store.ts';
import type { SharedCacheMemory } from './shared-cache-memory.ts';
import { SharedCacheView } from './shared-cache-view.ts';
import { SmallObjects } from './small-objects.ts';

/**
 * Up to here bytes are copied out, since a copy costs less than following it to the network. Copies are cut from a slab: memory for each
 * of its own, which the kernel clears and the garbage collector counts, costs more than the copy.
 */
const copiedBytes = 16 * 1024;
const slabBytes = 64 * 1024;
/** More than this is lent or not given: a copy of it for each slow reader would be too much. */
const maxCopiedBytes = 1024 * 1024;

/** Pages in shared memory, as one thread reads them. */
export class SharedPageReader {
  readonly smallObjects: SmallObjects;
  private readonly view: SharedCacheView;
  /** Segments that all threads may lend from at once, so that slow readers leave room for new pages. */
  private readonly maxLentSegments: number;
  private readonly lent = new Map<number, number>();
  private slab = Buffer.alloc(0);
  private slabUsed = 0;

  constructor(memory: SharedCacheMemory, view: SharedCacheView) {
    this.view = view;
    this.smallObjects = new SmallObjects(view, this);
    this.maxLentSegments = Math.max(1, Math.floor(memory.segmentCount / 2));
  }

  /** One thread's reader. `thread`: its row of pins; 0 is the writer's. */
  static of(memory: SharedCacheMemory, thread: number): SharedPageReader {
    return new SharedPageReader(memory, new SharedCacheView(memory, thread));
  }

  /**
   * Bytes `[start, end)` within the page, or undefined if it is not here, or if so much could only be copied. They are the caller's own, or, with `loans`, perhaps the
   * cache's, which stay as they are until the loans are given back.
   */
  readNow(key: PageKey, start: number, end: number, loans?: Loans): Buffer | undefined {
    const { view } = this;
    if (!view.hold(pageName(key))) return undefined;
    const { segment, start: valueStart, length, filledSeconds } = view;
    const isTooOld = key.notBeforeSeconds !== undefined && filledSeconds < key.notBeforeSeconds;
    const isLent = loans !== undefined && end - start > copiedBytes && this.mayLend(segment);
    if (isTooOld || end > length || (!isLent && end - start > maxCopiedBytes)) {
      view.release(segment);
      return undefined;
    }
    view.touch(start, end);
    const bytes = view.segments[segment] as Buffer;
    if (isLent) {
      this.lend(segment, loans);
      return bytes.subarray(valueStart + start, valueStart + end);
    }
    const copy = this.room(end - start);
    bytes.copy(copy, 0, valueStart + start, valueStart + end);
    view.release(segment);
    return copy;
  }

  has(key: PageKey): boolean {
    const { view } = this;
    if (!view.hold(pageName(key))) return false;
    view.release(view.segment);
    return key.notBeforeSeconds === undefined || view.filledSeconds >= key.notBeforeSeconds;
  }

  private mayLend(segment: number): boolean {
    return this.lent.has(segment) || this.view.lentCount < this.maxLentSegments;
  }

  private lend(segment: number, loans: Loans): void {
    const already = this.lent.get(segment) ?? 0;
    if (already === 0) this.view.countLent(1);
    this.lent.set(segment, already + 1);
    loans.add(() => {
      const others = (this.lent.get(segment) ?? 1) - 1;
      if (others > 0) this.lent.set(segment, others);
      else {
        this.lent.delete(segment);
        this.view.countLent(-1);
      }
      this.view.release(segment);
    });
  }

  private room(length: number): Buffer {
    if (length > copiedBytes) return Buffer.allocUnsafeSlow(length);
    if (this.slabUsed + length > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(slabBytes);
      this.slabUsed = 0;
    }
    const start = this.slabUsed;
    this.slabUsed += length;
    return this.slab.subarray(start, this.slabUsed);
  }
}
