import { join } from 'node:path';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListedPrefix } from './backend.ts';
import { type KeyCursor, lowerBound } from './grouping.ts';

/** One name in a directory, as part of keys. */
export interface FolderEntry {
  /** What the entry adds to the keys below it, or to its own key. */
  readonly text: string;
  readonly name: string;
  readonly folder: boolean;
}

/** The directories of a layout, decoded. */
export interface Folders {
  /**
   * In UTF-8 byte order of `text`, which is to be the order of the keys below. Empty if the directory is gone.
   * An array given out is not changed.
   */
  read(path: string): Promise<readonly FolderEntry[]>;
  /** Whether any key lies below. */
  isOccupied(path: string): Promise<boolean>;
}

export interface FoundKey {
  readonly key: string;
  /** Of the entry, not of the directory that holds it. */
  readonly path: string;
}

interface Frame {
  readonly path: string;
  /** What the keys of this directory begin with. */
  readonly key: string;
  readonly entries: readonly FolderEntry[];
  index: number;
}

/** Walks nested directories in order of key; reads only those towards what is asked for. */
export class FolderWalk implements KeyCursor<FoundKey> {
  private readonly folders: Folders;
  private readonly root: string;
  private readonly prefix: string;
  private readonly foldsSlash: boolean;
  private stack: Frame[] = [];

  /** With `foldsSlash`, a folder behind the prefix is given as a common prefix instead of being walked. */
  constructor(folders: Folders, root: string, prefix: string, foldsSlash: boolean) {
    this.folders = folders;
    this.root = root;
    this.prefix = prefix;
    this.foldsSlash = foldsSlash;
  }

  async seek(from: string): Promise<FoundKey | ListedPrefix | undefined> {
    // Frames that still lie on the way are kept, so that going on in one folder does not start at the root.
    while (this.stack.length > 0 && !from.startsWith((this.stack.at(-1) as Frame).key)) this.stack.pop();
    const top = this.stack.at(-1);
    if (top) top.index = firstIndex(top.entries, from.slice(top.key.length));
    else await this.push(this.root, '', from);
    return this.advance(from);
  }

  async next(): Promise<FoundKey | ListedPrefix | undefined> {
    return this.advance('');
  }

  /** The first item at or behind the present indices; `from` limits where a directory that is entered begins. */
  private async advance(from: string): Promise<FoundKey | ListedPrefix | undefined> {
    for (let frame = this.stack.at(-1); frame; frame = this.stack.at(-1)) {
      const entry = frame.entries[frame.index];
      if (!entry) {
        this.stack.pop();
        continue;
      }
      frame.index++;
      const key = frame.key + entry.text;
      const path = join(frame.path, entry.name);
      if (!entry.folder) return { key, path };
      if (!key.startsWith(this.prefix) && !this.prefix.startsWith(key)) {
        // All that follows lies behind the prefix, if this does.
        if (compareUtf8(key, this.prefix) > 0) return undefined;
      } else if (this.foldsSlash && key.indexOf('/', this.prefix.length) >= 0) {
        if (await this.folders.isOccupied(path)) return { kind: 'prefix', key };
      } else {
        await this.push(path, key, from);
      }
    }
    return undefined;
  }

  private async push(path: string, key: string, from: string): Promise<void> {
    const entries = await this.folders.read(path);
    const index = from.startsWith(key) ? firstIndex(entries, from.slice(key.length)) : 0;
    this.stack.push({ path, key, entries, index });
  }
}

/** The first entry that is, or may hold, a key at or behind `from`; both are relative to the directory. */
function firstIndex(entries: readonly FolderEntry[], from: string): number {
  return lowerBound(entries.length, (index) => {
    const { text, folder } = entries[index] as FolderEntry;
    return compareUtf8(text, from) < 0 && !(folder && from.startsWith(text));
  });
}
