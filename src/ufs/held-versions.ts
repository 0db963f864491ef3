interface Held<Source> {
  readonly opening: Promise<Source>;
  users: number;
}

/** A part in something that several hold; to be given back exactly once. */
export interface Hold<Source> {
  readonly source: Source;
  release(): Promise<void>;
}

/** Gives a hold back without ever failing: a file that was only read loses nothing when closing it fails. */
export function pinOf(hold: Hold<unknown>): () => Promise<void> {
  return () => hold.release().catch(() => {});
}

/**
 * What the bytes of versions are read from, kept open as long as anybody holds it: readers under way, and those who want to be able to
 * read on later. All who hold one version share it, so that it is opened while it is the present one and serves its readers to their end.
 */
export class HeldVersions<Source> {
  private readonly close: (source: Source) => Promise<void>;
  private readonly held = new Map<string, Held<Source>>();

  constructor(close: (source: Source) => Promise<void>) {
    this.close = close;
  }

  /** Rejects with what `open` rejects with, which is not remembered. */
  async hold(name: string, open: () => Promise<Source>): Promise<Hold<Source>> {
    const held = this.held.get(name) ?? { opening: open(), users: 0 };
    this.held.set(name, held);
    held.users++;
    try {
      const source = await held.opening;
      return { source, release: () => this.release(name, held, source) };
    } catch (error) {
      if (this.held.get(name) === held) this.held.delete(name);
      throw error;
    }
  }

  private async release(name: string, held: Held<Source>, source: Source): Promise<void> {
    held.users--;
    if (held.users > 0) return;
    this.held.delete(name);
    await this.close(source);
  }
}
