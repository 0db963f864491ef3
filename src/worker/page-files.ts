import { join } from 'node:path';
import { type FileSystem, FileSystemError, isErrno } from '../ufs/file-system.ts';
import { KeyLock } from '../ufs/key-lock.ts';
import { OpenPages } from './open-pages.ts';
import {
  blocksAreWhole,
  blocksAround,
  decodeHeader,
  headerLength,
  type PageHeader,
  pageFileName,
} from './page-format.ts';
import { samePage } from './page-key.ts';
import type { PageKey } from './page-store.ts';

export type PageFault = 'checksum' | 'io' | 'missing' | 'no-space' | 'short';

/** A page file that cannot be read or written, and why. */
export class PageFileError extends Error {
  override name = 'PageFileError';
  readonly reason: PageFault;
  /** False where another try may go well: the page itself need not be at fault. */
  readonly lasting: boolean;
  constructor(reason: PageFault, message: string, options: { cause?: unknown; lasting?: boolean } = {}) {
    super(message, options);
    this.reason = reason;
    this.lasting = options.lasting ?? true;
  }
}

export interface PageFilesSettings {
  readonly path: string;
  readonly maxOpenFiles: number;
  readonly skipChecksums: boolean;
}

/** Files up to this size are read whole, in one go, and not kept open. */
const smallFileBytes = 128 * 1024;
/** Read when a file's size is not known from the index: most headers are shorter. */
const firstReadBytes = 4096;

/**
 * The files of a page directory: `pages/xx/<name>` in 256 folders, `tmp/` for those being written. All methods reject with
 * `PageFileError`. Reading a page while it is replaced or removed gives the old bytes or `missing`.
 */
export class PageFiles {
  static readonly shards = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
  private readonly fs: FileSystem;
  private readonly settings: PageFilesSettings;
  private readonly open: OpenPages;
  private readonly lock = new KeyLock();
  private temporaryCount = 0;

  constructor(fs: FileSystem, settings: PageFilesSettings) {
    this.fs = fs;
    this.settings = settings;
    this.open = new OpenPages(settings.maxOpenFiles);
  }

  /** Makes the folders that are missing and removes what was left half written; not while anything is being written. */
  async prepare(): Promise<void> {
    await attempt(async () => {
      await this.makeFolder(this.settings.path);
      await this.makeFolder(join(this.settings.path, 'tmp'));
      await this.makeFolder(join(this.settings.path, 'pages'));
      const present = new Set(await this.fs.readDirectory(join(this.settings.path, 'pages')));
      for (const shard of PageFiles.shards) {
        if (!present.has(shard)) await this.makeFolder(join(this.settings.path, 'pages', shard));
      }
      for (const name of await this.fs.readDirectory(join(this.settings.path, 'tmp'))) {
        await this.fs.unlink(join(this.settings.path, 'tmp', name));
      }
    });
  }

  /** Bytes `[start, end)` of a page; every block they touch was checked. */
  async read(name: string, key: PageKey, fileBytes: number, start: number, end: number): Promise<Buffer> {
    if (fileBytes <= smallFileBytes) {
      return attempt(() => this.open.once(() => this.readSmall(name, key, fileBytes, start, end)));
    }
    return attempt(() =>
      this.open.use(
        name,
        () => this.openLarge(name, key),
        async ({ file, header }) => {
          const blocks = blocksAround(header, start, end);
          const bytes = Buffer.allocUnsafeSlow(blocks.end - blocks.start);
          const count = await file.read(bytes, header.headerBytes + blocks.start);
          return this.checked(header, blocks.start, bytes.subarray(0, count), start, end);
        },
      ),
    );
  }

  /** Puts a page in place whole. `isWanted` is asked last of all, under the name's lock; false leaves nothing. */
  async write(name: string, pieces: readonly Buffer[], isWanted: () => boolean): Promise<void> {
    const temporary = join(this.settings.path, 'tmp', `${this.temporaryCount++}`);
    await attempt(() =>
      this.lock.run(name, async () => {
        try {
          await this.writeFile(temporary, pieces);
          if (!isWanted()) return this.fs.unlink(temporary);
          await this.fs.rename(temporary, this.pathOf(name));
          if (!isWanted()) await this.fs.unlink(this.pathOf(name));
        } catch (error) {
          // Whatever is left is removed at the next start.
          await this.fs.unlink(temporary).catch(() => undefined);
          throw error;
        }
      }),
    );
  }

  /** Removes a page's file, if it is there. `isUnwanted` is asked under the name's lock. */
  async remove(name: string, isUnwanted: () => boolean): Promise<void> {
    this.open.forget(name);
    await attempt(() =>
      this.lock.run(name, async () => {
        if (!isUnwanted()) return;
        this.open.forget(name);
        await this.fs.unlink(this.pathOf(name)).catch((error: unknown) => {
          if (!isErrno(error, 'ENOENT')) throw error;
        });
      }),
    );
  }

  /** The names of a folder's page files. Whatever else lies there is removed. */
  list(shard: string): Promise<string[]> {
    return attempt(async () => {
      const folder = join(this.settings.path, 'pages', shard);
      const entries = await this.fs.readDirectory(folder);
      const isName = (entry: string) => /^[0-9a-f]{32}$/.test(entry) && entry.startsWith(shard);
      for (const entry of entries) if (!isName(entry)) await this.fs.unlink(join(folder, entry));
      return entries.filter(isName);
    });
  }

  /** Looks at a file that no index knows; undefined if it is not a whole page of that name. */
  async inspect(name: string): Promise<{ header: PageHeader; fileBytes: number } | undefined> {
    return attempt(async () => {
      const file = await this.fs.openForReading(this.pathOf(name), 'read');
      try {
        const { sizeBytes } = await file.status();
        const start = await readStart(file, firstReadBytes);
        const length = headerLength(start);
        if (length === undefined) return undefined;
        const header = decodeHeader(length > start.length ? await readStart(file, length) : start);
        if (!header || pageFileName(header.key) !== name) return undefined;
        return header.headerBytes + header.pageBytes === sizeBytes
          ? { header, fileBytes: sizeBytes }
          : undefined;
      } finally {
        await file.close();
      }
    });
  }

  get openCount(): number {
    return this.open.count;
  }

  /** Closes the files that are held open; a later read opens its own again. */
  close(): void {
    this.open.closeAll();
  }

  private async readSmall(name: string, key: PageKey, fileBytes: number, start: number, end: number) {
    const file = await this.fs.openForReading(this.pathOf(name), 'read');
    try {
      const all = Buffer.allocUnsafeSlow(fileBytes);
      const count = await file.read(all, 0);
      const header = this.headerOf(all.subarray(0, count), key);
      const blocks = blocksAround(header, start, end);
      const from = header.headerBytes + blocks.start;
      const bytes = all.subarray(from, Math.min(count, header.headerBytes + blocks.end));
      return this.checked(header, blocks.start, bytes, start, end);
    } finally {
      await file.close();
    }
  }

  private async openLarge(name: string, key: PageKey) {
    const file = await this.fs.openForReading(this.pathOf(name), 'read');
    try {
      const start = await readStart(file, firstReadBytes);
      const length = headerLength(start) ?? 0;
      const header = this.headerOf(length > start.length ? await readStart(file, length) : start, key);
      return { file, header };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private headerOf(start: Buffer, key: PageKey): PageHeader {
    const header = decodeHeader(start);
    if (!header) throw new PageFileError('checksum', 'the header of a page file is damaged');
    if (!samePage(header.key, key)) throw new PageFileError('checksum', 'a page file holds another page');
    return header;
  }

  private checked(
    header: PageHeader,
    blocksStart: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): Buffer {
    if (bytes.length < end - blocksStart || end > header.pageBytes) {
      throw new PageFileError('short', 'a page file is shorter than its header says');
    }
    if (!this.settings.skipChecksums && !blocksAreWhole(header, blocksStart, bytes)) {
      throw new PageFileError('checksum', 'a block of a page does not have its checksum');
    }
    return bytes.subarray(start - blocksStart, end - blocksStart);
  }

  private async writeFile(path: string, pieces: readonly Buffer[]): Promise<void> {
    const file = await this.fs.createFile(path);
    try {
      await file.write(pieces, 0);
    } finally {
      await file.close();
    }
  }

  private async makeFolder(path: string): Promise<void> {
    await this.fs.makeDirectory(path).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw error;
    });
  }

  private pathOf(name: string): string {
    return join(this.settings.path, 'pages', name.slice(0, 2), name);
  }
}

async function readStart(file: { read(buffer: Buffer, position: number): Promise<number> }, length: number) {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, await file.read(buffer, 0));
}

/** Runs `work` and turns the file system's faults into reasons. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    const { code, message } = error;
    if (code === 'ENOENT') throw new PageFileError('missing', message, { cause: error });
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new PageFileError('no-space', message, { cause: error });
    const lasting = !['EMFILE', 'ENFILE', 'ENOMEM'].includes(code);
    throw new PageFileError('io', message, { cause: error, lasting });
  }
}
