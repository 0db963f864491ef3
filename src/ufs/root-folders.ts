import { join } from 'node:path';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { type FileSystem, isErrno } from './file-system.ts';
import type { FolderEntry, Folders } from './folder-walk.ts';
import { KeptDirectories } from './kept-directories.ts';
import { parseName } from './root-names.ts';

/** Which keys a view of the directories shows: those that have a present version, or all that have a version of any kind. */
type View = 'objects' | 'versions';

/** The root layout's directories, decoded and sorted. */
export class RootFolders implements Folders {
  /** The same directories with the keys of which only older versions are left. */
  readonly versions: Folders;
  private readonly objects: FolderView;
  private readonly all: FolderView;

  constructor(fs: FileSystem, damaged: DamagedRecords) {
    this.objects = new FolderView(fs, 'objects', damaged);
    this.all = new FolderView(fs, 'versions', damaged);
    this.versions = this.all;
  }

  /** To be called after each change of a directory's entries. */
  changed(path: string): void {
    this.objects.changed(path);
    this.all.changed(path);
  }

  read(path: string): Promise<readonly FolderEntry[]> {
    return this.objects.read(path);
  }

  isOccupied(path: string): Promise<boolean> {
    return this.objects.isOccupied(path);
  }
}

class FolderView implements Folders {
  private readonly fs: FileSystem;
  private readonly view: View;
  private readonly damaged: DamagedRecords;
  private readonly directories: KeptDirectories<FolderEntry>;

  constructor(fs: FileSystem, view: View, damaged: DamagedRecords) {
    this.fs = fs;
    this.view = view;
    this.damaged = damaged;
    const decode = (names: readonly string[]) => entriesOf(names, view);
    this.directories = new KeptDirectories(fs, decode, (path, cause) => damaged.obstructed(path, cause));
  }

  changed(path: string): void {
    this.directories.changed(path);
  }

  read(path: string): Promise<readonly FolderEntry[]> {
    return this.directories.read(path);
  }

  async isOccupied(path: string): Promise<boolean> {
    const kept = this.directories.peek(path);
    if (kept?.some((entry) => !entry.folder)) return true;
    const inner: string[] = [];
    try {
      for await (const name of this.fs.scanDirectory(path)) {
        const stored = parseName(name);
        if (stored?.kind === 'record' || (stored?.kind === 'history' && this.view === 'versions'))
          return true;
        if (stored?.kind === 'folder' || stored?.kind === 'continuation') inner.push(join(path, name));
      }
    } catch (error) {
      if (isErrno(error, 'ENOTDIR')) this.damaged.obstructed(path, error);
      else if (!isErrno(error, 'ENOENT')) throw error;
      return false;
    }
    for (const folder of inner) if (await this.isOccupied(folder)) return true;
    return false;
  }
}

function entriesOf(names: readonly string[], view: View): readonly FolderEntry[] {
  const entries: FolderEntry[] = [];
  for (const name of names) {
    const stored = parseName(name);
    if (!stored || stored.kind === 'body') continue;
    if (stored.kind === 'history' && view === 'objects') continue;
    const folder = stored.kind === 'folder' || stored.kind === 'continuation';
    entries.push({ text: stored.text, name, folder });
  }
  entries.sort((a, b) => compareUtf8(a.text, b.text));
  if (view === 'objects') return entries;
  // A key with a record and older versions is one key.
  return entries.filter((entry, i) => entry.folder || !isSameKey(entries[i - 1], entry));
}

function isSameKey(before: FolderEntry | undefined, entry: FolderEntry): boolean {
  return before !== undefined && !before.folder && before.text === entry.text;
}
