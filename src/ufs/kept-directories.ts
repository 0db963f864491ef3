import { type FileSystem, isErrno } from './file-system.ts';
import { FolderCache } from './folder-cache.ts';

/**
 * What directories hold, decoded. Those read last are kept until they change, which they do through this process only, so that paging
 * through a large one reads it once.
 */
export class KeptDirectories<Entry> {
  private readonly fs: FileSystem;
  private readonly decode: (names: readonly string[]) => readonly Entry[];
  private readonly obstructed: (path: string, cause: unknown) => void;
  private readonly kept = new FolderCache<readonly Entry[]>((entries) => entries.length);
  /** Reads under way that no change has overtaken yet. */
  private readonly reading = new Map<string, Promise<readonly Entry[] | undefined>>();

  /** `obstructed` is told of a path where something lies that is no directory. */
  constructor(
    fs: FileSystem,
    decode: (names: readonly string[]) => readonly Entry[],
    obstructed: (path: string, cause: unknown) => void,
  ) {
    this.fs = fs;
    this.decode = decode;
    this.obstructed = obstructed;
  }

  /**
   * To be called after each change of a directory's entries. `update` makes what is there now of what was there before, where that is
   * known; without it the directory is read again.
   */
  changed(path: string, update?: (before: readonly Entry[]) => readonly Entry[]): void {
    this.reading.delete(path);
    const before = update && this.kept.get(path);
    if (before) this.kept.set(path, update(before));
    else this.kept.delete(path);
  }

  peek(path: string): readonly Entry[] | undefined {
    return this.kept.get(path);
  }

  /** Empty if the directory is gone, or something else lies in its place. An array given out is not changed. */
  async read(path: string): Promise<readonly Entry[]> {
    const kept = this.kept.get(path);
    if (kept) return kept;
    const underWay = this.reading.get(path);
    if (underWay) return (await underWay) ?? [];
    const work = this.readNow(path);
    this.reading.set(path, work);
    try {
      const entries = await work;
      // That there is none is not kept: most keys have no directory of their own.
      if (entries && this.reading.get(path) === work) this.kept.set(path, entries);
      return entries ?? [];
    } finally {
      if (this.reading.get(path) === work) this.reading.delete(path);
    }
  }

  private async readNow(path: string): Promise<readonly Entry[] | undefined> {
    try {
      return this.decode(await this.fs.readDirectory(path));
    } catch (error) {
      if (isErrno(error, 'ENOTDIR')) this.obstructed(path, error);
      else if (!isErrno(error, 'ENOENT')) throw error;
      return undefined;
    }
  }
}
