import { dirname, join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import { type FileSystem, isErrno } from '../../ufs/file-system.ts';
import { defaultSegmentBytes, Journal } from '../journal.ts';

export interface SetFolderSettings {
  readonly path: string;
  /** Of each journal. */
  readonly capacityBytes: number;
  /** Whose epochs stamps are of. */
  readonly origin: string;
}

/** The name of a journal's folder. */
export interface CopyName {
  readonly setId: string;
  readonly copyId: string;
}

/** Sets that ended of which it is remembered. */
const maxEnded = 10_000;

/** The journals of sets on this node's disk, each in a folder of its own. Rejects with `FileSystemError`. */
export class SetFolder {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #settings: SetFolderSettings;

  constructor(fs: FileSystem, clock: Clock, random: Random, log: Log, settings: SetFolderSettings) {
    this.#fs = fs;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#settings = settings;
  }

  /** What is there. */
  async names(): Promise<readonly CopyName[]> {
    const { path } = this.#settings;
    await this.#fs.makeDirectory(path).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw error;
    });
    await this.#fs.syncDirectory(dirname(path));
    return (await this.#fs.readDirectory(path)).flatMap((name) => {
      const match = /^([0-9a-f-]{36})\.([0-9a-f-]{36})$/.exec(name);
      return match ? [{ setId: match[1] as string, copyId: match[2] as string }] : [];
    });
  }

  /** Sets that were noted to have ended, those that ended last. */
  async ended(): Promise<readonly string[]> {
    const { path } = this.#settings;
    const noted = (await this.#fs.readDirectory(path)).flatMap((name) => {
      const match = /^(\d{1,15})\.([0-9a-f-]{36})\.ended$/.exec(name);
      return match ? [{ name, atMs: Number(match[1]), setId: match[2] as string }] : [];
    });
    noted.sort((a, b) => b.atMs - a.atMs);
    for (const { name } of noted.splice(maxEnded)) await this.#fs.unlink(join(path, name));
    return noted.map(({ setId }) => setId);
  }

  /** Notes, durably, that nothing is pending in a set and nothing ever will be, whatever may be said of it again. */
  async noteEnded(setId: string): Promise<void> {
    const { path } = this.#settings;
    const file = await this.#fs.createFile(join(path, `${this.#clock.nowMs()}.${setId}.ended`));
    await file.close();
    await this.#fs.syncDirectory(path);
  }

  /** The journal of that name, empty where there is none. */
  open(name: CopyName): Promise<Journal> {
    const { capacityBytes, origin } = this.#settings;
    return Journal.open(this.#fs, this.#clock, this.#random, this.#log, {
      path: this.pathOf(name),
      capacityBytes,
      segmentBytes: defaultSegmentBytes,
      origin,
    });
  }

  /** Removes a journal that is closed, or was never opened. */
  async remove(name: CopyName): Promise<void> {
    await this.#removeAll(this.pathOf(name));
    await this.#fs.syncDirectory(this.#settings.path);
  }

  pathOf({ setId, copyId }: CopyName): string {
    return join(this.#settings.path, `${setId}.${copyId}`);
  }

  async #removeAll(path: string): Promise<void> {
    let entries: Awaited<ReturnType<FileSystem['readEntries']>>;
    try {
      entries = await this.#fs.readEntries(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      throw error;
    }
    for (const { name, kind } of entries) {
      if (kind === 'directory') await this.#removeAll(join(path, name));
      else await this.#fs.unlink(join(path, name));
    }
    await this.#fs.removeDirectory(path);
  }
}
