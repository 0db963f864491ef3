import type { Metrics } from '../common/metrics.ts';
import type { PageFills } from './page-fill.ts';
import type { PageFlight } from './page-flight.ts';
import { pageKeyOf, pageLength, pageName } from './page-key.ts';
import type { PageStore } from './page-store.ts';
import type { ReadTarget } from './reader.ts';

export interface AheadWindowParts {
  readonly metrics: Metrics;
  readonly store: PageStore;
  readonly fills: PageFills;
}

/**
 * Pages that are filled ahead of one reader. They wait behind everybody's pages for memory, and what has not begun is dropped when the
 * window closes.
 */
export class AheadWindow {
  private readonly parts: AheadWindowParts;
  private readonly held = new Map<number, PageFlight>();
  /** Pages that were asked for and that the reader has not come to. */
  private readonly coming = new Set<number>();
  /** The store does not keep what is filled ahead, or the backend does not give it: it is not tried again for this reader. */
  private inVain = false;

  constructor(parts: AheadWindowParts) {
    this.parts = parts;
  }

  get isEmpty(): boolean {
    return this.held.size === 0;
  }

  /** The flight by which this window has asked for the page, if the reader has not come to it before. */
  asked(page: number): PageFlight | undefined {
    return this.coming.has(page) ? this.held.get(page) : undefined;
  }

  /** Has those of the pages `[first, end)` filled that are neither here nor on their way, as far as there is room. Both lie within the object. */
  ask(target: ReadTarget, first: number, end: number, planEnd: number): void {
    for (let page = first; page < end && !this.inVain; page++) {
      if (this.held.has(page) || !this.isMissing(target, page)) continue;
      if (!this.parts.fills.hasRoomAhead(pageLength(target.meta, target.pageSizeBytes, page))) return;
      const flight = this.parts.fills.demand(target, page, planEnd);
      flight.joinAhead();
      this.held.set(page, flight);
      this.coming.add(page);
      this.parts.metrics.readAheadPages.inc({ result: 'asked' });
    }
  }

  /** The reader has come to the page, or past it. Whoever needs its flight has joined it before. */
  arrive(target: ReadTarget, page: number): void {
    for (const asked of this.coming) {
      if (asked > page) continue;
      if (this.held.get(asked)?.state === 'failed' || this.isMissing(target, asked)) this.inVain = true;
      this.coming.delete(asked);
      this.parts.metrics.readAheadPages.inc({ result: this.inVain ? 'lost' : 'used' });
      this.leave(asked);
    }
  }

  /** May be called more than once. */
  close(): void {
    this.parts.metrics.readAheadPages.inc({ result: 'unused' }, this.coming.size);
    this.coming.clear();
    for (const page of [...this.held.keys()].toReversed()) this.leave(page);
  }

  private leave(page: number): void {
    const flight = this.held.get(page);
    this.held.delete(page);
    flight?.leaveAhead();
  }

  private isMissing(target: ReadTarget, page: number): boolean {
    const key = pageKeyOf(target, page);
    return !this.parts.fills.find(pageName(key)) && !this.parts.store.has(key);
  }
}
