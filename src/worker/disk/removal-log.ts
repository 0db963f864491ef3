import { join } from 'node:path';
import { crc32 } from '@node-rs/crc32';
import type { Random } from '../../common/random.ts';
import {
  type FileSystem,
  FileSystemError,
  isErrno,
  type OpenFile,
  readWhole,
  removeQuietly,
} from '../../ufs/file-system.ts';
import { markerBytes } from './record-format.ts';
import { parseRemovalLogName, removalLogName } from './region-names.ts';
import { type IncarnationRemoval, type RemovalChange, Removals } from './removals.ts';

/**
 * The log of removals is a file of frames, each written twice at once, so that a flipped bit loses none:
 *
 *     marker of the log (8 bytes, chance; it is in the file's name too) · payload length · frame number · CRC-32 of number and payload
 *     payload: a change as JSON; the last frame of the summary that a log begins with says `complete`
 *
 * Numbers are little-endian u32. A log is only ever appended to, by the process that made it. A frame is missing only if the power went
 * while it was written (it is the last one then, and nobody was told that it holds), or if both copies are damaged.
 */
interface Frame extends RemovalChange {
  readonly complete?: true;
}

const frameHeadBytes = markerBytes + 12;
/** What one addition takes in the log, both times it is written; an incarnation's is longer, and rare. */
const changeBytes = 64;
/** Larger than any log that is kept. */
const maxLogBytes = 1024 ** 3;

/** What the logs in a directory say; `none`: there is no log; `damaged`: something that was removed may not be known. */
export async function readRemovals(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
): Promise<Removals | 'none' | 'damaged'> {
  const logs = names
    .flatMap((name) => ({ name, ...parseRemovalLogName(name) }))
    .filter((log) => log.marker !== undefined)
    .sort((a, b) => (b.number as number) - (a.number as number));
  for (const { name, marker } of logs) {
    const bytes = await readWhole(fs, join(directory, name), maxLogBytes);
    const removals = parseLog(bytes, marker as Buffer);
    // One that was not begun completely is as if it were not there: its predecessor is removed only afterwards.
    if (removals !== 'incomplete') return removals;
  }
  return logs.length === 0 ? 'none' : 'damaged';
}

function parseLog(bytes: Buffer, marker: Buffer): Removals | 'incomplete' | 'damaged' {
  const frames = new Map<number, Frame>();
  let last = -1;
  for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + 1)) {
    if (at + frameHeadBytes > bytes.length) break;
    const length = bytes.readUInt32LE(at + markerBytes);
    const number = bytes.readUInt32LE(at + markerBytes + 4);
    const payload = bytes.subarray(at + frameHeadBytes, at + frameHeadBytes + length);
    if (payload.length < length || frames.has(number)) continue;
    if (frameChecksum(number, payload) !== bytes.readUInt32LE(at + markerBytes + 8)) continue;
    frames.set(number, JSON.parse(payload.toString()) as Frame);
    last = Math.max(last, number);
  }
  const removals = new Removals();
  let complete = false;
  for (let number = 0; number <= last; number++) {
    const frame = frames.get(number);
    if (!frame) return complete ? 'damaged' : 'incomplete';
    removals.apply(frame);
    complete ||= frame.complete === true;
  }
  return complete ? removals : 'incomplete';
}

function frameChecksum(number: number, payload: Buffer): number {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(number);
  return crc32(payload, crc32(prefix));
}

/** Makes removals in a directory last. One call at a time; what may be called meanwhile are the `add…` methods. */
export class RemovalLog {
  readonly removals: Removals;
  private readonly fs: FileSystem;
  private readonly random: Random;
  private readonly directory: string;
  private file: OpenFile | undefined;
  private name = '';
  private marker: Buffer = Buffer.alloc(markerBytes);
  private number = 0;
  private frameCount = 0;
  private fileBytes = 0;
  private summaryBytes = 0;
  private pending: { retired: number[]; dead: Map<number, number[]>; incarnations: IncarnationRemoval[] };
  private uncommitted = 0;

  constructor(fs: FileSystem, random: Random, directory: string, removals: Removals) {
    this.fs = fs;
    this.random = random;
    this.directory = directory;
    this.removals = removals;
    this.pending = { retired: [], dead: new Map(), incarnations: [] };
  }

  /** Bytes of its file, with what `commit` will add counted from above. */
  get bytes(): number {
    return this.fileBytes + this.uncommitted * changeBytes;
  }

  /** How much was added that `commit` has to write yet. */
  get pendingCount(): number {
    return this.uncommitted;
  }

  /** True if a summary would be much shorter. */
  isLong(leastBytes: number): boolean {
    return this.fileBytes > leastBytes && this.fileBytes > 2 * this.summaryBytes;
  }

  addRetired(region: number): void {
    this.removals.retire(region);
    this.pending.retired.push(region);
    this.uncommitted++;
  }

  addDead(region: number, offset: number): void {
    this.removals.addDead(region, offset);
    const offsets = this.pending.dead.get(region);
    if (offsets) offsets.push(offset);
    else this.pending.dead.set(region, [offset]);
    this.uncommitted++;
  }

  addIncarnation(removal: IncarnationRemoval): void {
    this.removals.addIncarnation(removal);
    this.pending.incarnations.push(removal);
    this.uncommitted++;
  }

  /** What was added so far survives a power loss when this returns. */
  async commit(): Promise<void> {
    const { retired, dead, incarnations } = this.pending;
    const count = this.uncommitted;
    this.clearPending();
    try {
      await this.append({
        retired,
        incarnations,
        dead: [...dead].map(([region, offsets]) => [region, ...offsets] as const),
      });
      await this.openFile.sync();
    } catch (error) {
      // It is in `removals`, which the next log begins with; this one is not trusted any more.
      this.uncommitted += count;
      throw error;
    }
  }

  /** Begins a new log with a summary of all removals, which then is the only one in the directory. */
  async begin(): Promise<void> {
    const count = this.uncommitted;
    await this.closeFile();
    this.clearPending();
    try {
      await this.beginNext();
    } catch (error) {
      await this.closeFile();
      // What stands in the log before may be less than what is known.
      this.uncommitted += Math.max(count, 1);
      throw error;
    }
  }

  /** False if the file that is written to is not the one that lies in the directory. */
  async isInPlace(): Promise<boolean> {
    if (!this.file) return false;
    const mine = await this.file.status();
    try {
      const there = await this.fs.status(join(this.directory, this.name));
      return there.ino === mine.ino && there.dev === mine.dev;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  async closeFile(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    // What had to be durable was synced; a file that cannot be closed well loses nothing more.
    await file?.close().catch(() => undefined);
  }

  private async beginNext(): Promise<void> {
    const names = await this.fs.readDirectory(this.directory);
    const former = names.filter((name) => parseRemovalLogName(name));
    const numbers = former.map((name) => parseRemovalLogName(name)?.number ?? 0);
    this.number = Math.max(this.number, 0, ...numbers) + 1;
    this.marker = this.random.bytes(markerBytes);
    this.name = removalLogName(this.number, this.marker);
    this.file = await this.fs.createFile(join(this.directory, this.name));
    this.frameCount = 0;
    this.fileBytes = 0;
    for (const change of this.removals.changes()) await this.append(change);
    await this.append({ complete: true });
    this.summaryBytes = this.fileBytes;
    await this.file.sync();
    await this.fs.syncDirectory(this.directory);
    for (const name of former) await removeQuietly(this.fs, join(this.directory, name));
  }

  private get openFile(): OpenFile {
    if (!this.file) throw new FileSystemError('EBADF', 'no log of removals is open');
    return this.file;
  }

  private clearPending(): void {
    this.pending = { retired: [], dead: new Map(), incarnations: [] };
    this.uncommitted = 0;
  }

  private async append(frame: Frame): Promise<void> {
    const payload = Buffer.from(JSON.stringify(frame));
    const start = Buffer.alloc(frameHeadBytes);
    this.marker.copy(start);
    start.writeUInt32LE(payload.length, markerBytes);
    start.writeUInt32LE(this.frameCount, markerBytes + 4);
    start.writeUInt32LE(frameChecksum(this.frameCount, payload), markerBytes + 8);
    const position = this.fileBytes;
    this.frameCount++;
    this.fileBytes += 2 * (start.length + payload.length);
    await this.openFile.write([start, payload, start, payload], position);
  }
}
