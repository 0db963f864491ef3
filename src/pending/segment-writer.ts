import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { type FileSystem, FileSystemError, type OpenFile, removeQuietly } from '../ufs/file-system.ts';
import { type BodyPlace, encodeRecord, type NewRecord } from './record-format.ts';
import type { BeginHead, LostRecord } from './records.ts';
import { markerBytes, segmentName } from './segment-names.ts';

export interface SegmentWriterSettings {
  readonly directory: string;
  /** A segment that has grown so long gets no more records. */
  readonly segmentBytes: number;
}

/** Where a record lies. */
export interface Placed {
  readonly segment: number;
  readonly body: BodyPlace;
}

/** A segment that is not written to any more; its first `count` records count. */
export interface SealedSegment {
  readonly number: number;
  readonly name: string;
  readonly count: number;
  /** Of its file. */
  readonly sizeBytes: number;
  readonly file: OpenFile;
}

interface Waiting {
  readonly record: NewRecord;
  readonly onPlaced: (placed: Placed) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Current {
  readonly number: number;
  readonly name: string;
  readonly marker: Buffer;
  readonly file: OpenFile;
  count: number;
  durable: number;
  /** What the last record said of it. */
  told: number;
  offset: number;
  /** How long its file is: behind the records there is room, filled with zeros. */
  fileBytes: number;
}

/** Records that go out at once. */
const batchBytes = 8 * 1024 * 1024;
const maxQueued = 10_000;
/** A file grows so far ahead of its records: a write that leaves its length as it is takes half the time to be durable. */
const roomBytes = { least: 16 * 1024, most: 1024 * 1024 };
const zeros = Buffer.alloc(roomBytes.most);
const none = Buffer.alloc(0);
const bareGroups = 20;
/** After so long without a record it is noted what is durable. */
const idleMs = 50;

/**
 * Appends records to segments. All who wait share one write and one sync. After a fault of a segment nothing is written to it again: a new
 * one begins, which says how much of the other counts.
 */
export class SegmentWriter {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #settings: SegmentWriterSettings;
  readonly #origin: string;
  readonly #epoch: number;
  readonly #sealed = new Map<number, SealedSegment>();
  readonly #accepted: LostRecord[] = [];
  #queue: Waiting[] = [];
  #current: Current | undefined;
  #nextNumber: number;
  #writing: Promise<void> | undefined;
  #marking = false;
  /** After a fault: nothing behind the last records says yet that they were durable. */
  #isUntold = false;
  #hasTriedToTell = false;
  #endsCurrent = false;
  /** After a fault, which may be that the disk is full, so many groups are written without room behind them. */
  #bareGroups = 0;
  #isClosed = false;

  constructor(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    settings: SegmentWriterSettings,
    before: {
      readonly origin: string;
      readonly epoch: number;
      readonly nextNumber: number;
      readonly sealed: readonly SealedSegment[];
      readonly accepted: readonly LostRecord[];
    },
  ) {
    this.#fs = fs;
    this.#clock = clock;
    this.#random = random;
    this.#settings = settings;
    this.#origin = before.origin;
    this.#epoch = before.epoch;
    this.#nextNumber = before.nextNumber;
    for (const segment of before.sealed) this.#sealed.set(segment.number, segment);
    this.#accepted.push(...before.accepted);
  }

  /** The oldest first. */
  get sealed(): readonly SealedSegment[] {
    return [...this.#sealed.values()];
  }

  /** Of all segments together. */
  get sizeBytes(): number {
    let bytes = this.#current?.fileBytes ?? 0;
    for (const segment of this.#sealed.values()) bytes += segment.sizeBytes;
    return bytes;
  }

  fileOf(segment: number): OpenFile | undefined {
    if (this.#current?.number === segment) return this.#current.file;
    return this.#sealed.get(segment)?.file;
  }

  /**
   * The record survives a power loss when this returns. Records are durable in the order of the calls. If it rejects (`FileSystemError`)
   * it may be durable all the same, but will not count once anything is that was appended later. `onPlaced` is called at the very moment from which
   * on it is durable, before anything else can become of its segment.
   */
  append(record: NewRecord, onPlaced: (placed: Placed) => void = () => {}): Promise<void> {
    if (this.#isClosed) return Promise.reject(new FileSystemError('ESHUTDOWN', 'the journal is closed'));
    if (this.#queue.length >= maxQueued) {
      return Promise.reject(new FileSystemError('EAGAIN', 'too many records wait for the disk'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ record, onPlaced, resolve, reject });
      this.#start();
    });
  }

  /** From the next segment on it is known that these records are gone. */
  accept(lost: readonly LostRecord[]): void {
    this.#accepted.push(...lost);
    this.#endsCurrent = true;
  }

  /** Removes a segment of which nothing is needed any more. */
  async drop(number: number): Promise<void> {
    await this.append({ head: { type: 'drop', segment: number } });
    const segment = this.#sealed.get(number);
    if (!segment) return;
    this.#sealed.delete(number);
    await segment.file.close().catch(() => undefined);
    // One that stays is known not to count, and swept when the journal is opened again.
    await removeQuietly(this.#fs, join(this.#settings.directory, segment.name));
  }

  /** Writes what waits, and nothing after that. */
  async close(): Promise<void> {
    // So that whatever is damaged later is seen to be.
    if (this.#current || this.#isUntold) {
      await this.append({ head: { type: 'mark' } }).catch(() => undefined);
    }
    this.#isClosed = true;
    while (this.#writing) await this.#writing;
    const files = [...this.#sealed.values(), ...(this.#current ? [this.#current] : [])];
    for (const { file } of files) await file.close().catch(() => undefined);
  }

  #start(): void {
    this.#writing ??= this.#run().finally(() => {
      this.#writing = undefined;
      if (this.#queue.length > 0) this.#start();
      else void this.#markLater();
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) await this.#commit(this.#take());
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && bytes < batchBytes) {
      bytes += this.#queue[count]?.record.body?.length ?? 0;
      count++;
    }
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    return batch;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    try {
      const isFull = this.#current && this.#current.offset >= this.#settings.segmentBytes;
      if (isFull || this.#endsCurrent) {
        await this.#writeMark();
        this.#seal();
      }
      this.#endsCurrent = false;
      const isNew = this.#current === undefined;
      const current = this.#current ?? (await this.#begin());
      const places = await this.#write(
        current,
        isNew
          ? [{ head: this.#beginHead() }, ...batch.map(({ record }) => record)]
          : batch.map(({ record }) => record),
      );
      if (isNew) await this.#fs.syncDirectory(this.#settings.directory);
      current.durable = current.count;
      if (this.#bareGroups > 0) this.#bareGroups--;
      this.#isUntold = false;
      this.#hasTriedToTell = false;
      const own = isNew ? places.slice(1) : places;
      for (const [index, { onPlaced, resolve }] of batch.entries()) {
        onPlaced(own[index] as Placed);
        resolve();
      }
    } catch (error) {
      await this.#condemn();
      for (const { reject } of batch) reject(error);
    }
  }

  async #write(current: Current, records: readonly NewRecord[]): Promise<Placed[]> {
    const pieces: Buffer[] = [];
    const places: Placed[] = [];
    const start = current.offset;
    for (const record of records) {
      const { number: segment, count: number, durable, offset } = current;
      const encoded = encodeRecord(current.marker, record, { number, durable, offset });
      pieces.push(...encoded.pieces);
      places.push({ segment, body: encoded.body });
      current.offset += encoded.sizeBytes;
      current.count++;
    }
    current.told = current.durable;
    if (current.offset > current.fileBytes) {
      const room = this.#bareGroups === 0 ? roomFor(current.offset, this.#settings.segmentBytes) : none;
      pieces.push(room);
      current.fileBytes = current.offset + room.length;
    }
    await current.file.write(pieces, start);
    return places;
  }

  async #writeMark(): Promise<void> {
    const current = this.#current;
    if (current && current.told < current.durable) await this.#write(current, [{ head: { type: 'mark' } }]);
  }

  async #begin(): Promise<Current> {
    const number = this.#nextNumber++;
    const marker = this.#random.bytes(markerBytes);
    const name = segmentName(number, marker);
    const file = await this.#fs.createDurableFile(join(this.#settings.directory, name));
    this.#current = { number, name, marker, file, count: 0, durable: 0, told: 0, offset: 0, fileBytes: 0 };
    return this.#current;
  }

  #beginHead(): BeginHead {
    return {
      type: 'begin',
      origin: this.#origin,
      epoch: this.#epoch,
      earlier: [...this.#sealed.values()].map(({ number, count }) => [number, count]),
      accepted: this.#accepted.filter(([segment]) => this.#sealed.has(segment)),
    };
  }

  #seal(): void {
    const current = this.#current;
    if (!current) return;
    this.#current = undefined;
    const { number, name, durable: count, fileBytes: sizeBytes, file } = current;
    this.#sealed.set(number, { number, name, count, sizeBytes, file });
  }

  /** What was not synced before the fault does not count, whatever the disk has of it. */
  async #condemn(): Promise<void> {
    const current = this.#current;
    this.#bareGroups = bareGroups;
    if (!current) return;
    if (current.durable > 0) {
      this.#isUntold = true;
      return this.#seal();
    }
    this.#current = undefined;
    await current.file.close().catch(() => undefined);
    await removeQuietly(this.#fs, join(this.#settings.directory, current.name));
  }

  /** Damage of the last records could not be told from a write that the power cut off, if nothing behind them said that they were durable. */
  async #markLater(): Promise<void> {
    if (this.#marking || this.#isClosed) return;
    this.#marking = true;
    await this.#clock.sleep(idleMs);
    this.#marking = false;
    if (this.#writing || this.#isClosed) return;
    if (this.#isUntold) {
      // Once: where the disk goes on failing, the next record that is durable says it.
      if (this.#hasTriedToTell) return;
      this.#hasTriedToTell = true;
      await this.append({ head: { type: 'mark' } }).catch(() => undefined);
      return;
    }
    this.#writing = this.#writeMark()
      .catch(() => this.#condemn())
      .finally(() => {
        this.#writing = undefined;
        if (this.#queue.length > 0) this.#start();
      });
  }
}

/** Zeros to be written behind the records of a segment: about as much as there are already. */
function roomFor(offset: number, segmentBytes: number): Buffer {
  const { least, most } = roomBytes;
  return zeros.subarray(0, Math.max(0, Math.min(Math.max(offset, least), most, segmentBytes - offset)));
}
