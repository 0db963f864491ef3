import type { Clock } from '../../common/clock.ts';
import { nextTurn } from '../../common/next-turn.ts';
import type { PageBook } from './page-book.ts';

export interface EntrySweepEvents {
  /** Takes an entry out whose incarnation was removed. */
  readonly sweep: (entry: number) => void;
  /** Takes a page out that is still there. */
  readonly drop: (entry: number) => void;
  /** A turn through the table is over. */
  readonly swept: () => void;
}

/** Entries of the table that are looked at in one go. */
const sweptAtOnce = 65_536;

/** Goes through the table, a piece at a time, and takes out what is not wanted. */
export class EntrySweep {
  private readonly clock: Clock;
  private readonly book: PageBook;
  private readonly events: EntrySweepEvents;
  private sweeping: Promise<void> | undefined;
  private isDue = false;
  private closed = false;

  constructor(clock: Clock, book: PageBook, events: EntrySweepEvents) {
    this.clock = clock;
    this.book = book;
    this.events = events;
  }

  /** Has entries of removed incarnations taken out, and pages that policies do not want, if there are any. Resolves when they are. */
  async run(): Promise<void> {
    const { folders } = this.book;
    if (folders.needsSweep || folders.hasUnwanted) {
      this.isDue = true;
      this.sweeping ??= this.runWhileDue();
    }
    await this.sweeping;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.sweeping;
  }

  private async runWhileDue(): Promise<void> {
    while (this.isDue && !this.closed) {
      await nextTurn();
      this.isDue = false;
      await this.turn();
    }
    this.sweeping = undefined;
  }

  private async turn(): Promise<void> {
    const { table, folders } = this.book;
    for (let entry = 1; entry <= table.lastEntry && !this.closed; entry++) {
      if (table.regionOf(entry) !== 0) {
        const folder = table.folderOf(entry);
        const filledSeconds = table.filledSecondsOf(entry);
        if (table.isRemoved(folder)) this.events.sweep(entry);
        else if (folders.isUnwanted(folder, filledSeconds, this.clock.nowMs())) this.events.drop(entry);
      }
      if (entry % sweptAtOnce === 0) await nextTurn();
    }
    this.events.swept();
  }
}
