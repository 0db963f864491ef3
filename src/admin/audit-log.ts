import { join } from 'node:path';
import {
  type FileSystem,
  FileSystemError,
  isErrno,
  makeDirectoryOnce,
  type OpenFile,
  readWhole,
} from '../ufs/file-system.ts';

export interface AuditLogSettings {
  /** Made if it is not there; nothing else lies in it. */
  readonly folder: string;
  /** Bytes of all files together; the oldest file goes when a new one is begun. */
  readonly capacityBytes: number;
}

/** A sixteenth of the log goes at once. */
const filesOfCapacity = 16;
/** Of a node that is started again and again, each time for one line. */
const maxFiles = 1_000;
const namePattern = /^(\d{12})\.jsonl$/;

interface KeptFile {
  readonly number: number;
  sizeBytes: number;
}

/**
 * Lines of JSON in numbered files, each process' own. A line is on disk when `append` has resolved. What a crash tore is the end of a file, to
 * which nothing is added any more.
 */
export class AuditLog {
  readonly #fs: FileSystem;
  readonly #settings: AuditLogSettings;
  /** The oldest first; the last is written to while `#open` is there. */
  readonly #files: KeptFile[] = [];
  #open: OpenFile | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #fault: string | undefined;

  private constructor(fs: FileSystem, settings: AuditLogSettings) {
    this.#fs = fs;
    this.#settings = settings;
  }

  /** Rejects with `FileSystemError` where the folder cannot be made or read. */
  static async open(fs: FileSystem, settings: AuditLogSettings): Promise<AuditLog> {
    const log = new AuditLog(fs, settings);
    const { folder } = settings;
    await makeDirectoryOnce(fs, folder);
    for (const name of (await fs.readDirectory(folder)).sort()) {
      const number = namePattern.exec(name)?.[1];
      if (number === undefined) continue;
      const { sizeBytes } = await fs.status(join(folder, name));
      log.#files.push({ number: Number(number), sizeBytes });
    }
    return log;
  }

  /** What the last line could not be written for; undefined where it could. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** One after the other, in the order of the calls. Rejects with `FileSystemError` where the line may not be there. */
  append(line: string): Promise<void> {
    const written = this.#last.then(() => this.#write(Buffer.from(`${line}\n`)));
    this.#last = written.catch(() => {});
    return written;
  }

  /** The lines, the newest first, file by file. A file that is gone meanwhile, or cannot be read, has none. */
  async *lines(): AsyncGenerator<string> {
    for (const { number } of this.#files.toReversed()) {
      const bytes = await readWhole(this.#fs, this.#pathOf(number), this.#settings.capacityBytes).catch(none);
      const lines = bytes.toString('utf8').split('\n');
      // The last one has no end, or is what comes after the last end: nothing.
      for (let i = lines.length - 2; i >= 0; i--) yield lines[i] as string;
    }
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#open?.close();
    this.#open = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      const file = await this.#fileFor(bytes.length);
      const kept = this.#files.at(-1) as KeptFile;
      await file.write([bytes], kept.sizeBytes);
      await file.sync();
      kept.sizeBytes += bytes.length;
      this.#fault = undefined;
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
      this.#fault = error.message;
      // What came of it nobody knows: the next line begins a file of its own.
      await this.#open?.close().catch(() => {});
      this.#open = undefined;
      throw error;
    }
  }

  async #fileFor(bytes: number): Promise<OpenFile> {
    const { capacityBytes, folder } = this.#settings;
    const last = this.#files.at(-1);
    if (this.#open && last && last.sizeBytes + bytes <= capacityBytes / filesOfCapacity) return this.#open;
    await this.#open?.close();
    this.#open = undefined;
    await this.#makeRoom(capacityBytes * (1 - 1 / filesOfCapacity) - bytes);
    const number = (last?.number ?? 0) + 1;
    this.#open = await this.#fs.createFile(this.#pathOf(number));
    this.#files.push({ number, sizeBytes: 0 });
    await this.#fs.syncDirectory(folder);
    return this.#open;
  }

  async #makeRoom(leftBytes: number): Promise<void> {
    const bytesOf = () => this.#files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    while (this.#files.length > 0 && (this.#files.length >= maxFiles || bytesOf() > leftBytes)) {
      const { number } = this.#files[0] as KeptFile;
      await this.#fs.unlink(this.#pathOf(number)).catch((error: unknown) => {
        if (!isErrno(error, 'ENOENT')) throw error;
      });
      this.#files.shift();
    }
  }

  #pathOf(number: number): string {
    return join(this.#settings.folder, `${String(number).padStart(12, '0')}.jsonl`);
  }
}

function none(error: unknown): Buffer {
  if (error instanceof FileSystemError) return Buffer.alloc(0);
  throw error;
}
