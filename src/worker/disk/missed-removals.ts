import type { PageHash, VersionHash } from './page-hash.ts';

/** Removals that are remembered at most. */
const maxRemembered = 10_000;

/** What is removed while a directory's pages are not known, or not all of them: what is found later is compared with it. */
export class MissedRemovals {
  private readonly paths = new Map<number, VersionHash | undefined>();
  private readonly incarnations = new Set<string>();

  /** True if there were more than can be remembered: then nothing that is found may be kept. */
  get isOverrun(): boolean {
    return this.paths.size + this.incarnations.size >= maxRemembered;
  }

  get isEmpty(): boolean {
    return this.paths.size + this.incarnations.size === 0;
  }

  get removedIncarnations(): Iterable<string> {
    return this.incarnations;
  }

  /** Paths, by the hashes of their names, each with the version that was kept. */
  get removedPaths(): Iterable<readonly [path32: number, kept: VersionHash | undefined]> {
    return this.paths;
  }

  path(path32: number, kept: VersionHash | undefined): void {
    if (this.isOverrun) return;
    // What one removal keeps another may not keep, so after two of them nothing of the path is kept.
    this.paths.set(path32, this.paths.has(path32) ? undefined : kept);
  }

  incarnation(name: string): void {
    if (!this.isOverrun) this.incarnations.add(name);
  }

  has(row: { readonly hash: PageHash; readonly path32: number; readonly incarnation: string }): boolean {
    if (this.isOverrun || this.incarnations.has(row.incarnation)) return true;
    if (!this.paths.has(row.path32)) return false;
    const kept = this.paths.get(row.path32);
    return kept === undefined || kept[0] !== row.hash[0] || kept[1] !== row.hash[1];
  }

  clear(): void {
    this.paths.clear();
    this.incarnations.clear();
  }
}
