import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { PeerError } from '../../peers/errors.ts';
import type { PeerAddress } from '../../peers/peer-pool.ts';
import { FileSystemError } from '../../ufs/file-system.ts';
import type { Journal } from '../journal.ts';
import type { PendingEntry } from '../pending-entry.ts';
import type { ChangeHead } from '../records.ts';
import { type SetPeers, SetRefusal } from './set-peers.ts';
import type { SetCopy } from './set-record.ts';
import { batchBytes, countFitting, type KeyStamp } from './set-wire.ts';

/** Longer bodies go by themselves. */
const smallBytes = 64 * 1024;
const maxItems = 500;
const maxStreams = 4;
const answerMs = 2_000;
const pauseMs = 50;

/** Nothing is sent to this copy any more: it is not one of the set's. */
export class CopyEnded extends Error {
  override name = 'CopyEnded';
}

interface Item {
  readonly kind: 'store' | 'release';
  readonly entry: PendingEntry;
  readonly body: Buffer | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface CopyTarget {
  /** Where the copy's node is now; undefined while it is nowhere. */
  address(): PeerAddress | undefined;
  /** Of the set's next message to any copy: later than all before, by whichever writer. */
  number(): readonly [generation: number, count: number];
}

/** Keeps one copy of a set's journal like the journal: again and again, until it is. All that waits goes out at once. */
export class CopyWriter {
  readonly copy: SetCopy;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #peers: SetPeers;
  readonly #journal: Journal;
  readonly #target: CopyTarget;
  #queue: Item[] = [];
  #streams: Item[] = [];
  #streaming = 0;
  /** What is on its way there. */
  readonly #storing = new Map<PendingEntry, Promise<void>>();
  /** What is to be gone from there for good. */
  readonly #released = new WeakSet<PendingEntry>();
  #isSending = false;
  #isEnded = false;
  /** Since when nothing has come through, on the monotonic clock; undefined where it does. */
  silentSinceMs: number | undefined;
  /** Another node keeps the set, as the copy's node says. */
  isFenced = false;

  constructor(clock: Clock, log: Log, peers: SetPeers, journal: Journal, copy: SetCopy, target: CopyTarget) {
    this.#clock = clock;
    this.#log = log;
    this.#peers = peers;
    this.#journal = journal;
    this.copy = copy;
    this.#target = target;
  }

  /** Resolves when the entry is durable there, or was let go of already; rejects with `CopyEnded`. */
  store(entry: PendingEntry, body?: Buffer): Promise<void> {
    // A second message on its way could come there when the entry is gone.
    const under = this.#storing.get(entry);
    if (under) return under;
    if (this.#released.has(entry)) return Promise.resolve();
    const storing = this.#add('store', entry, body);
    const over = () => {
      if (this.#storing.get(entry) === storing) this.#storing.delete(entry);
    };
    this.#storing.set(entry, storing);
    storing.then(over, over);
    return storing;
  }

  /** Resolves when the copy has durably let go of the entry; rejects with `CopyEnded`. */
  async release(entry: PendingEntry): Promise<void> {
    // So that it does not come there afterwards.
    this.#released.add(entry);
    await this.#storing.get(entry);
    return this.#add('release', entry, undefined);
  }

  /** Whether the copy's node is a member. */
  get isPlaced(): boolean {
    return this.#target.address() !== undefined;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  end(): void {
    this.#isEnded = true;
    for (const { reject } of [...this.#queue, ...this.#streams]) reject(new CopyEnded());
    this.#queue = [];
    this.#streams = [];
  }

  #add(kind: Item['kind'], entry: PendingEntry, body: Buffer | undefined): Promise<void> {
    if (this.#isEnded) return Promise.reject(new CopyEnded());
    return new Promise((resolve, reject) => {
      const item = { kind, entry, body, resolve, reject };
      const { meta, upload } = entry.change;
      const isLong = kind === 'store' && (upload !== undefined || (meta?.sizeBytes ?? 0) > smallBytes);
      (isLong ? this.#streams : this.#queue).push(item);
      this.#start();
    });
  }

  #start(): void {
    while (this.#streaming < maxStreams && this.#streams.length > 0) {
      const item = this.#streams.shift() as Item;
      this.#streaming++;
      void this.#streamAgain(item).finally(() => {
        this.#streaming--;
        this.#start();
      });
    }
    if (this.#isSending || this.#queue.length === 0) return;
    this.#isSending = true;
    void this.#sendAll().finally(() => {
      this.#isSending = false;
      if (this.#queue.length > 0 && !this.#isEnded) this.#start();
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isEnded) {
      const batch = this.#take();
      const isSent = await this.#attempt(() => this.#send(batch));
      if (isSent) for (const { resolve } of batch) resolve();
      else if (this.#isEnded) for (const { reject } of batch) reject(new CopyEnded());
      else this.#queue.unshift(...batch);
    }
  }

  #take(): Item[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < maxItems && bytes < batchBytes) {
      const item = this.#queue[count] as Item;
      if (item.kind === 'store') bytes += item.entry.change.meta?.sizeBytes ?? 0;
      count++;
    }
    return this.#queue.splice(0, countFitting(saidOf(this.#queue.slice(0, count))));
  }

  async #send(batch: readonly Item[]): Promise<void> {
    const changes: { head: ChangeHead; bytes: number }[] = [];
    const bodies: Buffer[] = [];
    const released: KeyStamp[] = [];
    for (const item of batch) {
      if (item.kind === 'release') {
        released.push(keyStampOf(item.entry));
        continue;
      }
      const body = await this.#bodyOf(item);
      if (!body) continue;
      changes.push({ head: headOf(item.entry), bytes: body.length });
      bodies.push(body);
    }
    const { copyId } = this.copy;
    const question = { ask: 'change', copyId, number: this.#target.number(), changes, released } as const;
    await this.#peers.change(this.#address(), question, bodies, answerMs);
  }

  async #streamAgain(item: Item): Promise<void> {
    while (!this.#isEnded) {
      if (await this.#attempt(() => this.#stream(item))) return item.resolve();
    }
    item.reject(new CopyEnded());
  }

  async #stream({ entry }: Item): Promise<void> {
    const sizeBytes = entry.change.meta?.sizeBytes ?? 0;
    if (entry.isOver || entry.isDamaged) return;
    const release = this.#journal.hold(entry);
    try {
      const changes = [{ head: headOf(entry), bytes: sizeBytes }];
      const { copyId } = this.copy;
      const question = {
        ask: 'change',
        copyId,
        number: this.#target.number(),
        changes,
        released: [],
      } as const;
      const bytes = this.#journal.read(entry, { start: 0, end: sizeBytes }, () => {});
      await this.#peers.changeStreamed(this.#address(), question, bytes, answerMs);
    } finally {
      release();
    }
  }

  /** Undefined where there is nothing left to be copied. */
  async #bodyOf({ entry, body }: Item): Promise<Buffer | undefined> {
    const sizeBytes = entry.change.meta?.sizeBytes ?? 0;
    if (entry.isOver) return undefined;
    if (sizeBytes === 0) return Buffer.alloc(0);
    if (body) return body;
    if (entry.isDamaged) return undefined;
    const release = this.#journal.hold(entry);
    try {
      const pieces: Buffer[] = [];
      for await (const piece of this.#journal.read(entry, { start: 0, end: sizeBytes }, () => {}))
        pieces.push(piece);
      return Buffer.concat(pieces);
    } catch (error) {
      // The journal has said that it is damaged; nobody can copy it any more.
      if (error instanceof FileSystemError && entry.isDamaged) return undefined;
      throw error;
    } finally {
      release();
    }
  }

  /** True if it worked; otherwise a pause was made. */
  async #attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.silentSinceMs = undefined;
      return true;
    } catch (error) {
      if (!(error instanceof PeerError || error instanceof SetRefusal || error instanceof FileSystemError))
        throw error;
      if (error instanceof SetRefusal && error.isFenced) this.isFenced = true;
      if (this.silentSinceMs === undefined) {
        this.silentSinceMs = this.#clock.monotonicMs();
        this.#log.debug(
          { err: error, worker: this.copy.workerId },
          'a copy of pending writes is not reached',
        );
      }
      await this.#clock.sleep(pauseMs);
      return false;
    }
  }

  #address(): PeerAddress {
    const address = this.#target.address();
    if (address) return address;
    throw new PeerError('unreachable', 'it is no member of the cluster');
  }
}

function* saidOf(items: Iterable<Item>): Generator<unknown> {
  for (const { kind, entry } of items) yield kind === 'store' ? headOf(entry) : keyStampOf(entry);
}

function keyStampOf({ change: { type, chain, key, stamp } }: PendingEntry): KeyStamp {
  return { chain, key, stamp, ...(type === 'through' ? { through: true } : {}) };
}

/** What another node is told of a change: not where its bytes lie here. */
export function headOf({ change }: PendingEntry): ChangeHead {
  const { file: _, damaged: __, sent: ___, upload, ...head } = change;
  if (!upload) return head;
  return { ...head, upload: { ...upload, parts: upload.parts.map(({ file: ____, ...part }) => part) } };
}
