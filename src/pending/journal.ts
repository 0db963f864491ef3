import { dirname, join } from 'node:path';
import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { type FileSystem, FileSystemError, makeDirectoryOnce } from '../ufs/file-system.ts';
import { BodyFiles } from './body-files.ts';
import { Compaction } from './compaction.ts';
import { type HeldUpload, HeldUploads } from './held-uploads.ts';
import { entryBytes, PendingEntry } from './pending-entry.ts';
import {
  type ChangeHead,
  type CompletedPart,
  filesOf,
  type HeldPart,
  type LostRecord,
  type SentCondition,
  type StampPair,
} from './records.ts';
import { recover } from './recovery.ts';
import { SegmentWriter } from './segment-writer.ts';

export interface JournalSettings {
  readonly path: string;
  /** Bodies and what is kept of each beside them, together. */
  readonly capacityBytes: number;
  readonly segmentBytes: number;
  /** Whose epochs the stamps are of, where it is not this journal's alone. */
  readonly origin?: string;
}

export const defaultSegmentBytes = 64 * 1024 * 1024;

/** A change as it is to be acknowledged. */
export type NewChange = Omit<ChangeHead, 'stamp' | 'sent'>;

/** Other nodes that have to have what a journal has. */
export interface JournalCopies {
  /** The stamp of a change that may be taken at this very moment. Throws `UfsError` where none may. */
  begin(change: NewChange): StampPair;
  /** The change that was begun is not in the journal. */
  failed(stamp: StampPair): void;
  /** Resolves when an entry, which is durable here, is durable on all of them. Rejects with `UfsError` if that takes too long. */
  stored(entry: PendingEntry, body: Buffer | undefined): Promise<void>;
  /** Resolves when none of them will ever bring it forth again. */
  released(entry: PendingEntry): Promise<void>;
}

/**
 * Changes that were acknowledged and that their storage does not have yet, on this node's disk. What was appended survives the process and the
 * power. Everything may run concurrently; what fails rejects with `FileSystemError`.
 */
export class Journal {
  readonly origin: string;
  readonly epoch: number;
  /** As they were when the journal was opened, in order of acknowledgement. */
  readonly recovered: readonly PendingEntry[];
  /** Changes that went to their storage without an entry, and may not have arrived when the journal was opened. */
  readonly throughs: readonly PendingEntry[];
  readonly bodies: BodyFiles;
  /** Uploads whose parts are held here; what they take of the capacity is reserved and released by whoever changes them. */
  readonly uploads: HeldUploads;
  readonly #settings: JournalSettings;
  readonly #writer: SegmentWriter;
  readonly #compaction: Compaction;
  #lost: readonly LostRecord[];
  #copies: JournalCopies | undefined;
  /** Bodies of records that failed and may count all the same as long as nothing else was written. */
  readonly #doomed: string[] = [];
  #sequence = 0;
  #usedBytes = 0;

  private constructor(
    writer: SegmentWriter,
    compaction: Compaction,
    bodies: BodyFiles,
    uploads: HeldUploads,
    settings: JournalSettings,
    before: {
      readonly origin: string;
      readonly epoch: number;
      readonly recovered: readonly PendingEntry[];
      readonly throughs: readonly PendingEntry[];
      readonly lost: readonly LostRecord[];
    },
  ) {
    this.#writer = writer;
    this.#compaction = compaction;
    this.bodies = bodies;
    this.uploads = uploads;
    this.#usedBytes = uploads.sizeBytes;
    this.#settings = settings;
    this.origin = before.origin;
    this.epoch = before.epoch;
    this.recovered = before.recovered;
    this.throughs = before.throughs;
    this.#lost = before.lost;
    for (const entry of [...this.recovered, ...this.throughs]) this.#usedBytes += entry.bytes;
  }

  /** The folder is the caller's alone. What lies in it from before is read, and what nobody needs is removed. */
  static async open(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    log: Log,
    settings: JournalSettings,
  ): Promise<Journal> {
    const [journal, files] = [join(settings.path, 'journal'), join(settings.path, 'bodies')];
    const parts = join(settings.path, 'uploads');
    for (const path of [settings.path, journal, files, parts]) await makeDirectoryOnce(fs, path);
    for (const path of [dirname(settings.path), settings.path]) await fs.syncDirectory(path);
    const bodies = new BodyFiles(fs, random, files);
    const found = await recover(fs, journal);
    const { lost, nextNumber, segments, accepted } = found;
    if (lost.length > 0) {
      log.error({ lost }, 'records of changes that were acknowledged cannot be read: the journal is damaged');
    }
    const origin = settings.origin ?? found.origin ?? random.uuid();
    const epoch = found.epoch + 1;
    const before = { origin, epoch, nextNumber, sealed: segments, accepted };
    const { segmentBytes } = settings;
    const writer = new SegmentWriter(fs, clock, random, { directory: journal, segmentBytes }, before);
    const recovered: PendingEntry[] = [];
    for (const one of found.changes) {
      const entry = new PendingEntry(origin, one);
      if (!(await isThere(bodies, one.change))) entry.isDamaged = true;
      if (entry.isDamaged) {
        log.error(
          { key: one.change.key, chain: one.change.chain },
          'the bytes of an acknowledged change are gone',
        );
      }
      recovered.push(entry);
    }
    const completed = new Set(recovered.flatMap(({ change }) => change.upload?.id ?? []));
    const uploads = await HeldUploads.open(fs, clock, random, bodies, parts, completed);
    const throughs = found.throughs.map((one) => new PendingEntry(origin, one));
    const entries = [...recovered, ...throughs];
    const compaction = new Compaction(writer, entries, found.outlasting, segmentBytes, log);
    const known = { origin, epoch, recovered, throughs, lost };
    const opened = new Journal(writer, compaction, bodies, uploads, settings, known);
    await opened.#sweep(lost);
    return opened;
  }

  /** From now on a change is in the journal only when the copies have it, and done only when they have let go of it. */
  copyTo(copies: JournalCopies | undefined): void {
    this.#copies = copies;
  }

  /** Of changes that are not done, and of bodies that are being taken. */
  get usage(): { readonly bytes: number; readonly capacityBytes: number; readonly fileBytes: number } {
    const { capacityBytes } = this.#settings;
    return { bytes: this.#usedBytes, capacityBytes, fileBytes: this.#writer.sizeBytes };
  }

  /** Records of acknowledged changes that cannot be read, so that nobody knows what they said. */
  get lost(): readonly LostRecord[] {
    return this.#lost;
  }

  /** Goes on without them. Resolves when that is durable. */
  async acceptLoss(): Promise<void> {
    const lost = this.#lost;
    if (lost.length === 0) return;
    this.#writer.accept(lost);
    await this.#writer.append({ head: { type: 'mark' } });
    this.#lost = this.#lost.filter((one) => !lost.includes(one));
  }

  /**
   * Records, durably, that a change of a key goes to its storage without an entry; its stamp is later than those of all entries so far. To be
   * ended by `ended` when it cannot take effect any more.
   */
  through(chain: string, key: string, atMs: number): Promise<PendingEntry> {
    this.#usedBytes += entryBytes;
    return this.append({ type: 'through', chain, key, atMs }).catch((error: unknown) => {
      this.#usedBytes -= entryBytes;
      throw error;
    });
  }

  /** That this is not recorded is no harm: then it is taken for being on its way when the journal is opened again. */
  async ended(entry: PendingEntry): Promise<void> {
    if (entry.isOver) return;
    entry.isOver = true;
    // Who does not hear of it takes it for being on its way for a while.
    void this.#copies?.released(entry).catch(() => undefined);
    await this.#writer.append({ head: { type: 'over', stamp: entry.change.stamp } }).catch(() => undefined);
    this.#free(entry);
  }

  /** Sets room aside for a body; false if there is not so much. */
  reserve(sizeBytes: number): boolean {
    const bytes = sizeBytes + entryBytes;
    if (this.#usedBytes + bytes > this.#settings.capacityBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** Gives room back that no entry came to need. */
  release(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes + entryBytes;
  }

  /**
   * The entry is durable, under a stamp of its own that is later than all before. Its room is to be reserved before. If it rejects, the file of
   * its body is seen to, and nobody knows whether the change will be there when the journal is opened again. `whenHere` runs once it is durable
   * in this journal, also if it rejects for its copies afterwards: it comes to be all the same.
   */
  async append(change: NewChange, body?: Buffer, whenHere?: () => Promise<void>): Promise<PendingEntry> {
    const copies = this.#copies;
    const stamp = copies?.begin(change) ?? [this.epoch, ++this.#sequence];
    const head: ChangeHead = { ...change, stamp };
    let entry: PendingEntry;
    try {
      entry = await this.#appended(head, body);
    } catch (error) {
      copies?.failed(stamp);
      throw error;
    }
    await whenHere?.();
    if (!copies) return entry;
    try {
      await copies.stored(entry, body);
    } catch (error) {
      // It keeps its room, which the caller gives back, since it comes to be all the same. That of an upload has become its own.
      if (!change.upload) this.#usedBytes += entry.bytes;
      throw error;
    }
    return entry;
  }

  /** A change of another node's journal, as it is there, body and all. No room is reserved for it. */
  async take(head: ChangeHead, body?: Buffer): Promise<PendingEntry> {
    const entry = await this.#appended(head, body);
    this.#usedBytes += entry.bytes;
    return entry;
  }

  /** To be awaited before an attempt goes out. */
  async sent(entry: PendingEntry, condition: SentCondition): Promise<void> {
    entry.sent = condition;
    await this.#writer.append({ head: { type: 'sent', stamp: entry.change.stamp, condition } });
  }

  /** Nothing is left to be done about an entry. Its bytes go when nobody holds them any more. */
  async done(entry: PendingEntry): Promise<void> {
    if (this.#copies) await this.#copies.released(entry);
    entry.isOver = true;
    await this.#writer.append({ head: { type: 'done', stamp: entry.change.stamp } });
    this.#free(entry);
  }

  /** An entry that was never sent, once a later one of its key is durable. */
  superseded(entry: PendingEntry, by: PendingEntry): void {
    entry.isOver = true;
    // It was written again behind what takes its place.
    if (entry.segment > by.segment) this.#compaction.outlasts(entry);
    this.#free(entry);
  }

  /** Gives up an upload. */
  async discardUpload(upload: HeldUpload): Promise<void> {
    if (!(await this.uploads.remove(upload))) return;
    for (const { sizeBytes } of upload.parts.values()) this.release(sizeBytes);
    this.release(0);
  }

  /** An entry has taken over the bytes of some of an upload's parts, and its room. */
  async uploadCompleted(upload: HeldUpload, taken: readonly HeldPart[]): Promise<void> {
    const kept = new Set(taken.map(({ file }) => file));
    if (!(await this.uploads.remove(upload, kept))) return;
    for (const { file, sizeBytes } of upload.parts.values()) this.release(kept.has(file) ? 0 : sizeBytes);
  }

  /** Keeps an entry's bytes until the returned function is called, once. */
  hold(entry: PendingEntry): () => void {
    entry.holds++;
    return () => {
      entry.holds--;
      if (entry.isFreed) this.#free(entry);
    };
  }

  /** Exactly the bytes of `range`, in chunks of at most 1 MiB. The entry is to be held. EIO where they are damaged. */
  async *read(entry: PendingEntry, range: ByteRange, check: () => void): AsyncGenerator<Buffer> {
    const { file, meta, upload } = entry.change;
    if (entry.isDamaged) throw new FileSystemError('EIO', 'the bytes of the change are damaged');
    if (file !== undefined) {
      yield* this.bodies.read(file, meta?.sizeBytes ?? 0, range, check);
      return;
    }
    if (upload) {
      yield* readParts(this.bodies, upload.parts, range, check);
      return;
    }
    check();
    const bytes = await this.#compaction.bodyOf(entry);
    yield bytes.subarray(range.start, range.end);
  }

  async close(): Promise<void> {
    await this.#compaction.close();
    await this.#writer.close();
  }

  async #appended(head: ChangeHead, body: Buffer | undefined): Promise<PendingEntry> {
    let entry: PendingEntry | undefined;
    try {
      // At that very moment: from then on its segment is needed, and records that failed before it do not count.
      await this.#writer.append({ head, body }, (placed) => {
        entry = new PendingEntry(this.origin, { change: head, isWhole: true, ...placed });
        this.#compaction.add(entry);
        for (const file of this.#doomed.splice(0)) void this.bodies.remove(file);
      });
      return entry as unknown as PendingEntry;
    } catch (error) {
      if (head.file !== undefined) this.#doomed.push(head.file);
      throw error;
    }
  }

  #free(entry: PendingEntry): void {
    entry.isFreed = true;
    if (entry.holds > 0 || entry.isGone) return;
    entry.isGone = true;
    this.#usedBytes -= entry.bytes;
    this.#compaction.remove(entry);
    for (const file of filesOf(entry.change)) void this.bodies.remove(file);
  }

  /** Removes bodies that no change names. Those of changes that cannot be read any more stay. */
  async #sweep(lost: readonly LostRecord[]): Promise<void> {
    if (lost.length > 0) return;
    const named = new Set(this.recovered.flatMap(({ change }) => filesOf(change)));
    for (const file of this.uploads.files()) named.add(file);
    for (const name of await this.bodies.names()) if (!named.has(name)) await this.bodies.remove(name);
  }
}

/** Whether the files are there that a change's bytes lie in, each of the right length. */
async function isThere(bodies: BodyFiles, { file, meta, upload }: ChangeHead): Promise<boolean> {
  if (file !== undefined) return bodies.has(file, meta?.sizeBytes ?? 0);
  for (const part of upload?.parts ?? []) {
    if (part.file === undefined || !(await bodies.has(part.file, part.sizeBytes))) return false;
  }
  return true;
}

async function* readParts(
  bodies: BodyFiles,
  parts: readonly CompletedPart[],
  { start, end }: ByteRange,
  check: () => void,
): AsyncGenerator<Buffer> {
  let at = 0;
  for (const { file, sizeBytes } of parts) {
    const [from, to] = [Math.max(0, start - at), Math.min(sizeBytes, end - at)];
    if (from < to) {
      if (file === undefined) throw new FileSystemError('EIO', 'the bytes of a part are gone');
      yield* bodies.read(file, sizeBytes, { start: from, end: to }, check);
    }
    at += sizeBytes;
  }
}
