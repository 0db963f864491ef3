import { nextTurn } from '../../common/next-turn.ts';
import type { QuotaUse } from './folders.ts';
import type { PageBook } from './page-book.ts';

export interface QuotaRoomParts {
  readonly book: PageBook;
  /** Which part of each quota is this node's. */
  readonly part: () => number;
  /** Takes a page out that is still there. */
  readonly drop: (entry: number) => void;
}

/** Entries that are looked at in one go. */
const lookedAtAtOnce = 65_536;
/** Reads that a page can count. */
const maxReads = 3;

/**
 * Makes room within quotas: only what counts for a quota goes for it. A hand goes round the table; what was read since it last came by stays, and
 * counts one read less (CLOCK). Pinned pages stay.
 */
export class QuotaRoom {
  private readonly parts: QuotaRoomParts;
  private hand = 0;

  constructor(parts: QuotaRoomParts) {
    this.parts = parts;
  }

  /** Reserves room for a page that is coming; false, and nothing reserved, if a quota has none that it could make. */
  async take(uses: readonly QuotaUse[], pageBytes: number): Promise<boolean> {
    if (uses.some((use) => pageBytes > this.limitOf(use))) return false;
    for (const use of uses) use.comingBytes += pageBytes;
    for (const use of uses) await this.shrink(use);
    if (!uses.some((use) => this.isOver(use))) return true;
    this.giveBack(uses, pageBytes);
    return false;
  }

  /** The page is there, or will not come. */
  giveBack(uses: readonly QuotaUse[], pageBytes: number): void {
    for (const use of uses) use.comingBytes -= pageBytes;
  }

  /** Drops pages until the quota holds, or nothing more can go. */
  async shrink(use: QuotaUse): Promise<void> {
    const { table } = this.parts.book;
    const turn = table.lastEntry;
    for (let step = 1; step <= (maxReads + 1) * turn && this.isOver(use); step++) {
      this.hand = this.hand >= table.lastEntry ? 1 : this.hand + 1;
      this.pass(this.hand, use);
      if (step % lookedAtAtOnce === 0) await nextTurn();
    }
  }

  private pass(entry: number, use: QuotaUse): void {
    const { table, folders } = this.parts.book;
    if (table.regionOf(entry) === 0) return;
    const folder = table.folderOf(entry);
    const isOfIt = !table.isRemoved(folder) && folders.quotasOf(folder).includes(use);
    if (!isOfIt || folders.policyOf(folder)?.isPinned) return;
    if (table.readsOf(entry) > 0) table.forgetRead(entry);
    else this.parts.drop(entry);
  }

  private isOver(use: QuotaUse): boolean {
    return use.usedBytes + use.comingBytes > this.limitOf(use);
  }

  private limitOf({ limitBytes }: QuotaUse): number {
    return Math.floor(limitBytes * this.parts.part());
  }
}
