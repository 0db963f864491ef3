import { join } from 'node:path';
import { compareUtf8 } from '../common/utf8-order.ts';
import { type FileStatus, type FileSystem, isErrno } from './file-system.ts';
import { FolderCache } from './folder-cache.ts';
import type { FolderEntry, Folders } from './folder-walk.ts';
import { generationOf, isMissing, type TreeFiles } from './tree-files.ts';
import { reservedName } from './tree-keys.ts';

interface ReadFolder {
  readonly generation: string;
  readonly entries: readonly FolderEntry[];
}

/**
 * The directories of a tree that others change too. What was read of one is used again only while its times say that no entry came or
 * went, so that paging through a large folder does not read it for each page.
 */
export class TreeFolders implements Folders {
  private readonly fs: FileSystem;
  private readonly files: TreeFiles;
  private readonly hasMarker: (key: string, status: FileStatus) => Promise<boolean>;
  private readonly kept = new FolderCache<ReadFolder>((folder) => folder.entries.length);

  /** `hasMarker` tells whether a directory was put as a folder marker, by its key with `/` at the end. */
  constructor(
    fs: FileSystem,
    files: TreeFiles,
    hasMarker: (key: string, status: FileStatus) => Promise<boolean>,
  ) {
    this.fs = fs;
    this.files = files;
    this.hasMarker = hasMarker;
  }

  async read(path: string): Promise<readonly FolderEntry[]> {
    let status: FileStatus;
    let entries: readonly FolderEntry[];
    try {
      status = await this.fs.status(path);
      entries = await this.entriesOf(path, status);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.files.absent();
      return [];
    }
    if (path === this.files.root || !(await this.hasMarker(this.keyOf(path), status))) return entries;
    return [{ text: '', name: '', folder: false }, ...entries];
  }

  async isOccupied(path: string): Promise<boolean> {
    const inner: string[] = [];
    try {
      if (await this.hasMarker(this.keyOf(path), await this.fs.status(path))) return true;
      for await (const name of this.fs.scanDirectory(path)) {
        if (name === reservedName) continue;
        const entryPath = join(path, name);
        const kind = await this.kindOf(path, name, (await this.fs.linkStatus(entryPath)).kind);
        if (kind === 'file') return true;
        if (kind === 'directory') inner.push(entryPath);
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Somebody changes the folder at this moment. What was seen of it until now still counts.
    }
    for (const folder of inner) if (await this.isOccupied(folder)) return true;
    return false;
  }

  private async entriesOf(path: string, status: FileStatus): Promise<readonly FolderEntry[]> {
    const generation = generationOf(status);
    const kept = this.kept.get(path);
    if (kept?.generation === generation) return kept.entries;
    // To be asked before the directory is read: a change while it is read must not count as seen.
    const settled = this.files.generationSettled(status);
    let hasLinks = false;
    const entries: FolderEntry[] = [];
    for (const entry of await this.fs.readEntries(path)) {
      if (entry.name === reservedName) continue;
      if (entry.kind !== 'file' && entry.kind !== 'directory') hasLinks = true;
      const kind = await this.kindOf(path, entry.name, entry.kind);
      if (kind === 'file') entries.push({ text: entry.name, name: entry.name, folder: false });
      if (kind === 'directory') entries.push({ text: `${entry.name}/`, name: entry.name, folder: true });
    }
    entries.sort((a, b) => compareUtf8(a.text, b.text));
    // Where a link leads may change without a change of the directory.
    if (settled && !hasLinks) this.kept.set(path, { generation, entries });
    return entries;
  }

  /** What an entry counts as: a file, a directory, or nothing that has a key. */
  private async kindOf(
    directory: string,
    name: string,
    kind: FileStatus['kind'],
  ): Promise<'file' | 'directory' | undefined> {
    const path = join(directory, name);
    // A name that is no UTF-8 is decoded with U+FFFD, and what it is decoded to is not there.
    if (name.includes('\ufffd') && !(await this.exists(path))) return undefined;
    if (kind === 'file' || kind === 'directory') return kind;
    const target = await this.files.followLink(path);
    if (target?.status.kind === 'file') return 'file';
    if (target?.status.kind !== 'directory') return undefined;
    // A link to where it lies in, or further up, would be an endless folder.
    const here = await this.fs.realPath(directory);
    const loops = here === target.realPath || `${here}/`.startsWith(`${target.realPath}/`);
    return loops ? undefined : 'directory';
  }

  private async exists(path: string): Promise<boolean> {
    try {
      await this.fs.linkStatus(path);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  private keyOf(path: string): string {
    return `${path.slice(this.files.root === '/' ? 1 : this.files.root.length + 1)}/`;
  }
}
