import type { OpenFile } from '../ufs/file-system.ts';
import type { PageHeader } from './page-format.ts';

/** An open page file and its checked header. */
export interface OpenPage {
  readonly file: OpenFile;
  readonly header: PageHeader;
}

interface Held {
  readonly opening: Promise<OpenPage>;
  users: number;
  /** The page was given up meanwhile; the last user closes it. */
  stale: boolean;
}

/** Page files that stay open between reads, at most so many; the one longest unused is closed for the next. */
export class OpenPages {
  private readonly limit: number;
  /** In order of last use. Includes those being used. */
  private readonly held = new Map<string, Held>();
  private readonly waiting: (() => void)[] = [];
  private openCount = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get count(): number {
    return this.openCount;
  }

  /** Runs `work` on the page's file, opening it if need be. Rejects with what `open` or `work` rejects with. */
  async use<T>(
    name: string,
    open: () => Promise<OpenPage>,
    work: (page: OpenPage) => Promise<T>,
  ): Promise<T> {
    while (!this.held.has(name) && !this.makeRoom()) await this.room();
    const held = this.held.get(name) ?? this.start(open);
    this.held.delete(name);
    this.held.set(name, held);
    held.users++;
    try {
      return await work(await held.opening);
    } catch (error) {
      this.drop(name, held);
      throw error;
    } finally {
      held.users--;
      if (held.stale && held.users === 0) this.close(held);
      this.waiting.shift()?.();
    }
  }

  /** Runs `work`, which opens one file and closes it, when there is room for one. */
  async once<T>(work: () => Promise<T>): Promise<T> {
    while (!this.makeRoom()) await this.room();
    this.openCount++;
    try {
      return await work();
    } finally {
      this.openCount--;
      this.waiting.shift()?.();
    }
  }

  /** Opens the file anew from the next use on. */
  forget(name: string): void {
    const held = this.held.get(name);
    if (!held) return;
    this.drop(name, held);
    if (held.users === 0) this.close(held);
  }

  /** Closes what is not in use, and the rest after its last use. */
  closeAll(): void {
    for (const name of [...this.held.keys()]) this.forget(name);
  }

  private room(): Promise<void> {
    return new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private start(open: () => Promise<OpenPage>): Held {
    this.openCount++;
    return { opening: open(), users: 0, stale: false };
  }

  private drop(name: string, held: Held): void {
    held.stale = true;
    if (this.held.get(name) === held) this.held.delete(name);
  }

  /** True if another file may be opened now. */
  private makeRoom(): boolean {
    if (this.openCount < this.limit) return true;
    for (const [name, held] of this.held) {
      if (held.users > 0) continue;
      this.drop(name, held);
      this.close(held);
      return true;
    }
    return false;
  }

  private close(held: Held): void {
    this.openCount--;
    this.waiting.shift()?.();
    held.opening
      .then(({ file }) => file.close())
      // What could not be opened needs no closing, and a read-only file loses nothing when closing fails.
      .catch(() => undefined);
  }
}
