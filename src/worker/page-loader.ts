import { abortable } from '../common/abortable.ts';
import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import { cancelled } from './fill-run.ts';
import type { PageFills } from './page-fill.ts';
import type { PageFlight } from './page-flight.ts';
import { pageKeyOf, pageLength, pageName } from './page-key.ts';
import type { PageStore } from './page-store.ts';
import type { LoadedRange, MetadataTarget, Pace, RangeLoader, ReadTarget } from './reader.ts';

/** How long a load that has to give way waits before it looks again, ms. */
const giveWayMs = 20;

interface Parts {
  readonly clock: Clock;
  readonly store: PageStore;
  readonly fills: PageFills;
}

/**
 * Fills pages that nobody reads yet. It waits behind everybody who waits for bytes, takes no more than half of the limits of fills, and
 * asks for one page ahead of the one on its way, so that a run of pages is one read at the backend.
 */
export class PageLoader implements RangeLoader {
  private readonly parts: Parts;

  constructor(parts: Parts) {
    this.parts = parts;
  }

  async load(asked: ReadTarget, range: ByteRange, signal: AbortSignal, pace?: Pace): Promise<LoadedRange> {
    const target = { ...asked, isLoad: true } as const;
    const { pageSizeBytes } = target;
    const endPage = Math.ceil(range.end / pageSizeBytes);
    const found = { cachedBytes: 0, loadedBytes: 0 };
    // Nothing is kept of a version that cannot be told from the next one.
    if (!target.meta.generationSettled) return found;
    // Nor what a policy has kept never.
    if (target.policy?.keeps(target.path, target.meta.sizeBytes) === 'never') return found;
    let next: PageFlight | undefined;
    let page = Math.floor(range.start / pageSizeBytes);
    try {
      for (; page < endPage; page++) {
        const flight = next ?? (await this.ask(target, page, endPage, signal));
        next = undefined;
        const lengthBytes = pageLength(target.meta, pageSizeBytes, page);
        if (!flight) {
          found.cachedBytes += lengthBytes;
          continue;
        }
        try {
          // The run at the backend goes on while somebody wants its next page.
          if (page + 1 < endPage) next = this.askNow(target, page + 1, endPage);
          await abortable(flight.whole(), signal);
        } finally {
          flight.leaveAhead();
        }
        await abortable(flight.whenKept(), signal);
        if (this.isHere(target, page)) found.loadedBytes += lengthBytes;
        await pace?.(lengthBytes);
      }
    } catch (error) {
      if (signal.aborted) throw cancelled(target, error);
      throw error;
    } finally {
      next?.leaveAhead();
    }
    return found;
  }

  heldBytes(target: ReadTarget, range: ByteRange): number {
    const { pageSizeBytes, meta } = target;
    let bytes = 0;
    for (let page = Math.floor(range.start / pageSizeBytes); page * pageSizeBytes < range.end; page++) {
      if (this.isHere(target, page)) bytes += pageLength(meta, pageSizeBytes, page);
    }
    return bytes;
  }

  async checkedBytes(target: ReadTarget, range: ByteRange, signal: AbortSignal): Promise<number> {
    const { pageSizeBytes, meta } = target;
    let bytes = 0;
    for (let page = Math.floor(range.start / pageSizeBytes); page * pageSizeBytes < range.end; page++) {
      signal.throwIfAborted();
      const isWhole = await this.parts.store.check(pageKeyOf(target, page));
      if (isWhole) bytes += pageLength(meta, pageSizeBytes, page);
    }
    return bytes;
  }

  async free({ incarnation, path }: MetadataTarget): Promise<void> {
    await this.parts.store.remove(incarnation, path);
  }

  /** A flight of the page, joined, once there is room for it; undefined if the page is here. */
  private async ask(
    target: ReadTarget,
    page: number,
    endPage: number,
    signal: AbortSignal,
  ): Promise<PageFlight | undefined> {
    while (!this.isHere(target, page)) {
      const flight = this.askNow(target, page, endPage);
      if (flight) return flight;
      await this.parts.clock.sleep(giveWayMs, signal);
    }
    return undefined;
  }

  /** Undefined where the page is here, or others need the room. */
  private askNow(target: ReadTarget, page: number, endPage: number): PageFlight | undefined {
    const { fills } = this.parts;
    if (this.isHere(target, page)) return undefined;
    const isOnItsWay = fills.find(pageName(pageKeyOf(target, page))) !== undefined;
    if (!isOnItsWay && !fills.hasRoomAhead(pageLength(target.meta, target.pageSizeBytes, page)))
      return undefined;
    const flight = fills.demand(target, page, endPage);
    flight.joinAhead();
    return flight;
  }

  private isHere(target: ReadTarget, page: number): boolean {
    return this.parts.store.has(pageKeyOf(target, page));
  }
}
