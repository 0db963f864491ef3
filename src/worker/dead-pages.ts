import type { PageStore } from './page-store.ts';

/** The key of the backend that a version is of. */
export interface VersionedPath {
  readonly incarnation: string;
  readonly path: string;
}

interface PathState {
  /** How many read each generation, or fill pages of it. */
  readonly readers: Map<string, number>;
  /** The present version as it was last heard of: a generation, empty where there is no object, undefined while nothing was heard. */
  present: string | undefined;
}

/** Paths whose pages are known to be of the present version alone, so that the store need not be asked at each look. */
const rememberedCount = 10_000;
const none = '';

/**
 * Has the pages of versions that are no more removed from the store, as soon as nobody reads the path's older versions: readers
 * under way go on with the pages that are there.
 */
export class DeadPages {
  private readonly store: PageStore;
  /** Only of paths that somebody reads at length, or fills. */
  private readonly states = new Map<string, PathState>();
  /** By path, the generation that alone has pages; the most recently heard of last. */
  private readonly swept = new Map<string, string>();
  private readonly removing = new Set<Promise<void>>();

  constructor(store: PageStore) {
    this.store = store;
  }

  /** Keeps the pages of a version until the returned function is called (once). */
  enter(at: VersionedPath, generation: string): () => void {
    const name = nameOf(at);
    const state = this.states.get(name) ?? { readers: new Map(), present: undefined };
    this.states.set(name, state);
    state.readers.set(generation, (state.readers.get(generation) ?? 0) + 1);
    return () => this.leave(at, generation, state);
  }

  /** Says which version is the present one; undefined where there is no object. */
  heard(at: VersionedPath, generation: string = none): void {
    const name = nameOf(at);
    const state = this.states.get(name);
    if (state) state.present = generation;
    if (state && hasOlderReaders(state)) this.swept.delete(name);
    else if (this.swept.get(name) !== generation) this.sweep(at, generation);
  }

  /** Ends when what is being removed has been. */
  async close(): Promise<void> {
    await Promise.all(this.removing);
  }

  private leave(at: VersionedPath, generation: string, state: PathState): void {
    const others = (state.readers.get(generation) ?? 1) - 1;
    if (others > 0) state.readers.set(generation, others);
    else state.readers.delete(generation);
    if (state.readers.size === 0) this.states.delete(nameOf(at));
    const { present } = state;
    if (others > 0 || present === undefined || present === generation) return;
    // Also what a fill kept of a version after it had gone is removed now.
    if (!hasOlderReaders(state)) this.sweep(at, present);
  }

  private sweep(at: VersionedPath, present: string): void {
    const name = nameOf(at);
    this.swept.delete(name);
    this.swept.set(name, present);
    if (this.swept.size > rememberedCount) {
      const [oldest] = this.swept.keys();
      if (oldest !== undefined) this.swept.delete(oldest);
    }
    const keep = present === none ? undefined : present;
    const removal = this.store.remove(at.incarnation, at.path, keep).finally(() => {
      this.removing.delete(removal);
    });
    this.removing.add(removal);
  }
}

function hasOlderReaders({ readers, present }: PathState): boolean {
  return readers.size > (present !== undefined && readers.has(present) ? 1 : 0);
}

function nameOf({ incarnation, path }: VersionedPath): string {
  return `${incarnation}\0${path}`;
}
