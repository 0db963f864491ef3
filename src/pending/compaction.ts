import type { Log } from '../common/log.ts';
import { FileSystemError } from '../ufs/file-system.ts';
import type { PendingEntry } from './pending-entry.ts';
import { isBody } from './record-format.ts';
import type { StampPair } from './records.ts';
import type { SegmentWriter } from './segment-writer.ts';

/**
 * Keeps the journal from growing beyond what it holds. Segments go in the order in which they were written, since what ends an entry may
 * lie in a later one than the entry; what is still needed of the oldest is written again.
 */
export class Compaction {
  readonly #writer: SegmentWriter;
  readonly #segmentBytes: number;
  readonly #log: Log;
  /** Entries by the segment that their record lies in. */
  readonly #entries = new Map<number, Set<PendingEntry>>();
  /** Reads of bodies under way, by segment. */
  readonly #readers = new Map<number, number>();
  /** Changes that are over, and whose records lie behind all that says so. */
  readonly #unsaid: StampPair[];
  #inlineBytes = 0;
  #running: Promise<void> | undefined;
  #isClosed = false;

  /** `outlasting`: changes that are over, and whose records lie behind all that says so. */
  constructor(
    writer: SegmentWriter,
    entries: readonly PendingEntry[],
    outlasting: readonly StampPair[],
    segmentBytes: number,
    log: Log,
  ) {
    this.#writer = writer;
    this.#unsaid = [...outlasting];
    this.#segmentBytes = segmentBytes;
    this.#log = log;
    for (const entry of entries) this.add(entry);
  }

  add(entry: PendingEntry): void {
    const entries = this.#entries.get(entry.segment) ?? new Set();
    this.#entries.set(entry.segment, entries.add(entry));
    this.#inlineBytes += entry.body.sizeBytes;
  }

  /** Of a change that is over, and whose record lies behind what says so: that may be forgotten before the record is. */
  outlasts({ change }: PendingEntry): void {
    this.#unsaid.push(change.stamp);
  }

  /** Of an entry that nobody needs any more. */
  remove(entry: PendingEntry): void {
    this.#take(entry);
    this.#start();
  }

  /** An entry's inline body. EIO where it is damaged. */
  async bodyOf(entry: PendingEntry): Promise<Buffer> {
    const { segment, body } = entry;
    const file = this.#writer.fileOf(segment);
    if (!file) throw new FileSystemError('EIO', `segment ${segment} is gone`);
    this.#readers.set(segment, (this.#readers.get(segment) ?? 0) + 1);
    try {
      const bytes = Buffer.allocUnsafe(body.sizeBytes);
      const count = await file.read(bytes, body.offset);
      if (count === bytes.length && isBody(bytes, body)) return bytes;
      entry.isDamaged = true;
      this.#log.error(
        { key: entry.key, chain: entry.change.chain },
        'the bytes of an acknowledged change are damaged',
      );
      throw new FileSystemError('EIO', `a record of segment ${segment} is damaged`);
    } finally {
      this.#readers.set(segment, (this.#readers.get(segment) ?? 1) - 1);
      this.#start();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  #take(entry: PendingEntry): void {
    const entries = this.#entries.get(entry.segment);
    if (!entries?.delete(entry)) return;
    if (entries.size === 0) this.#entries.delete(entry.segment);
    this.#inlineBytes -= entry.body.sizeBytes;
  }

  #start(): void {
    if (this.#running || this.#isClosed || !this.#oldest()) return;
    this.#running = this.#run()
      // The disk may be full or failing; it is tried again when something else is done.
      .catch((err: unknown) => this.#log.warn({ err }, 'the journal could not be made shorter'))
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    for (let oldest = this.#oldest(); oldest !== undefined && !this.#isClosed; oldest = this.#oldest()) {
      for (const entry of [...(this.#entries.get(oldest) ?? [])]) await this.#carry(entry);
      if (this.#isNeeded(oldest)) return;
      await this.#sayAll();
      await this.#writer.drop(oldest);
    }
  }

  /** The oldest segment, if it is to go now. */
  #oldest(): number | undefined {
    const oldest = this.#writer.sealed[0]?.number;
    if (oldest === undefined) return undefined;
    if (!this.#isNeeded(oldest)) return oldest;
    const isLong = this.#writer.sizeBytes > 2 * (this.#inlineBytes + this.#segmentBytes);
    const entries = [...(this.#entries.get(oldest) ?? [])];
    // What is over and held by a reader cannot be written again, and goes by itself.
    return isLong && !entries.some(({ isOver }) => isOver) ? oldest : undefined;
  }

  #isNeeded(segment: number): boolean {
    return this.#entries.has(segment) || (this.#readers.get(segment) ?? 0) > 0;
  }

  /** Before anything is forgotten. */
  async #sayAll(): Promise<void> {
    for (const stamp of [...this.#unsaid]) {
      await this.#writer.append({ head: { type: 'over', stamp } });
      this.#unsaid.splice(this.#unsaid.indexOf(stamp), 1);
    }
  }

  /** Writes an entry again behind the others. */
  async #carry(entry: PendingEntry): Promise<void> {
    const isInline = entry.body.sizeBytes > 0;
    const body = isInline ? await this.bodyOf(entry).catch(() => undefined) : undefined;
    if (entry.isOver) return;
    const isLost = entry.isDamaged || (isInline && body === undefined);
    const head = {
      ...entry.change,
      ...(entry.sent === undefined ? {} : { sent: entry.sent }),
      ...(isLost ? { damaged: true } : {}),
    };
    await this.#writer.append({ head, body }, (placed) => {
      if (entry.isGone) return;
      this.#take(entry);
      entry.segment = placed.segment;
      entry.body = placed.body;
      this.add(entry);
    });
    // It ended while it was written.
    if (entry.isOver) this.outlasts(entry);
  }
}
