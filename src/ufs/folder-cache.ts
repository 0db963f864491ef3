/** How many entries of directories are kept, in all. */
const keptEntryCount = 200_000;

/** What was read of directories, those used last, bounded by the number of their entries. */
export class FolderCache<Folder> {
  private readonly countOf: (folder: Folder) => number;
  /** The most recently used are the last. */
  private readonly kept = new Map<string, Folder>();
  private entryCount = 0;

  constructor(countOf: (folder: Folder) => number) {
    this.countOf = countOf;
  }

  get(path: string): Folder | undefined {
    const folder = this.kept.get(path);
    if (folder === undefined) return undefined;
    this.kept.delete(path);
    this.kept.set(path, folder);
    return folder;
  }

  set(path: string, folder: Folder): void {
    this.delete(path);
    this.kept.set(path, folder);
    this.entryCount += this.countOf(folder) + 1;
    for (const other of this.kept.keys()) {
      // A single directory above the limit is kept as long as it is the only one.
      if (this.entryCount <= keptEntryCount || other === path) return;
      this.delete(other);
    }
  }

  delete(path: string): void {
    const folder = this.kept.get(path);
    if (folder === undefined) return;
    this.kept.delete(path);
    this.entryCount -= this.countOf(folder) + 1;
  }
}
