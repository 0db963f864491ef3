import { join } from 'node:path';
import { compareUtf8 } from '../common/utf8-order.ts';
import { type FileSystem, isErrno } from './file-system.ts';
import { FolderCache } from './folder-cache.ts';
import type { FolderEntry, Folders } from './folder-walk.ts';
import { parseName } from './root-names.ts';

/**
 * The root layout's directories, decoded and sorted. Those read last are kept until they change, which they do through this
 * process only, so that paging through a large folder reads it once.
 */
export class RootFolders implements Folders {
  private readonly fs: FileSystem;
  private readonly kept = new FolderCache<readonly FolderEntry[]>((entries) => entries.length);
  /** Reads under way that no change has overtaken yet. */
  private readonly reading = new Map<string, Promise<readonly FolderEntry[]>>();

  constructor(fs: FileSystem) {
    this.fs = fs;
  }

  /** To be called after each change of a directory's entries. */
  changed(path: string): void {
    this.reading.delete(path);
    this.kept.delete(path);
  }

  async read(path: string): Promise<readonly FolderEntry[]> {
    const kept = this.kept.get(path);
    if (kept) return kept;
    const underWay = this.reading.get(path);
    if (underWay) return underWay;
    const work = this.readNow(path);
    this.reading.set(path, work);
    try {
      const entries = await work;
      if (this.reading.get(path) === work) this.kept.set(path, entries);
      return entries;
    } finally {
      if (this.reading.get(path) === work) this.reading.delete(path);
    }
  }

  async isOccupied(path: string): Promise<boolean> {
    const kept = this.kept.get(path);
    if (kept?.some((entry) => !entry.folder)) return true;
    const inner: string[] = [];
    try {
      for await (const name of this.fs.scanDirectory(path)) {
        const stored = parseName(name);
        if (stored?.kind === 'record') return true;
        if (stored && stored.kind !== 'body') inner.push(join(path, name));
      }
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
    for (const folder of inner) if (await this.isOccupied(folder)) return true;
    return false;
  }

  private async readNow(path: string): Promise<readonly FolderEntry[]> {
    let names: string[];
    try {
      names = await this.fs.readDirectory(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
    const entries: FolderEntry[] = [];
    for (const name of names) {
      const stored = parseName(name);
      if (!stored || stored.kind === 'body') continue;
      entries.push({ text: stored.text, name, folder: stored.kind !== 'record' });
    }
    return entries.sort((a, b) => compareUtf8(a.text, b.text));
  }
}
