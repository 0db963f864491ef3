import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { Backend } from '../ufs/backend.ts';
import type { FileSystem } from '../ufs/file-system.ts';
import { UploadExpiry } from '../ufs/upload-expiry.ts';
import { ConflictFiles } from './conflict-files.ts';
import { maxHeldUploads } from './held-uploads.ts';
import { defaultSegmentBytes, Journal } from './journal.ts';
import { PendingChain } from './pending-chain.ts';
import type { PendingEntry } from './pending-entry.ts';
import { Persister, type PersisterEvents, type PersisterSettings } from './persister.ts';
import { StampedVersions } from './stamped-versions.ts';
import { UploadTrials } from './upload-trial.ts';
import { WriteBackBackend, type WriteBackSettings } from './write-back-backend.ts';

export interface WriteBackNodeSettings extends Omit<WriteBackSettings, 'isBack'>, PersisterSettings {
  /** The journal's folder. */
  readonly path: string;
  readonly capacityBytes: number;
  /** An upload in parts that nothing was done with for so long is given up; 0: never. */
  readonly maxUploadIdleMs: number;
}

/** One place of a storage that writes are pending for, and whoever brings them there. */
interface Open {
  readonly chain: PendingChain;
  persister: Persister | undefined;
}

/** What is pending for one place of a storage. */
export interface PendingPlace {
  readonly name: string;
  readonly entries: number;
  readonly bytes: number;
  /** When the oldest was acknowledged; undefined if nothing is pending. */
  readonly oldestMs: number | undefined;
  /** Objects whose last attempt failed, and why one of them did. */
  readonly failing: number;
  readonly lastError: string | undefined;
  /** Whether there is a mount whose storage it can be brought to. */
  readonly isServed: boolean;
}

/** This node's pending writes: the journal, and for each place of a storage what is pending for it. */
export class WriteBack {
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #journal: Journal;
  readonly #settings: WriteBackNodeSettings;
  readonly #events: PersisterEvents;
  readonly #trials: UploadTrials;
  readonly #expiry: UploadExpiry;
  readonly #open = new Map<string, Open>();
  /** Places that take no more pending writes. */
  readonly #closing = new Set<string>();

  private constructor(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    log: Log,
    journal: Journal,
    settings: WriteBackNodeSettings,
    events: PersisterEvents,
  ) {
    this.#fs = fs;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#journal = journal;
    this.#settings = settings;
    this.#events = events;
    this.#trials = new UploadTrials(fs, random, settings.path);
    this.#expiry = new UploadExpiry(
      clock,
      () => this.#removeIdle(),
      (err) => log.warn({ err }, 'uploads that nothing was done with could not be removed'),
    );
    this.#expiry.start({ maxCount: maxHeldUploads, maxIdleMs: settings.maxUploadIdleMs });
    for (const { change } of journal.recovered) this.#place(change.chain);
  }

  /** Reads what an earlier process left. Rejects with `FileSystemError`. */
  static async open(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    log: Log,
    settings: WriteBackNodeSettings,
    events: PersisterEvents,
  ): Promise<WriteBack> {
    const { path, capacityBytes } = settings;
    const about = { path, capacityBytes, segmentBytes: defaultSegmentBytes };
    const journal = await Journal.open(fs, clock, random, log, about);
    return new WriteBack(fs, clock, random, log, journal, settings, events);
  }

  /**
   * A storage with what is pending for it. `isBack` says at each write whether it may be acknowledged from the journal; whatever it says, what
   * is pending comes first. Of one place there is one at a time: a second takes over from the first.
   */
  over(name: string, inner: Backend, isBack: () => boolean, hasCopies = this.#settings.hasCopies): Backend {
    const place = this.#place(name);
    void place.persister?.stop();
    const stamped = new StampedVersions(inner);
    const conflicts = new ConflictFiles(this.#fs, this.#journal, join(this.#settings.path, 'conflicts'));
    const persister = new Persister(
      this.#clock,
      this.#random,
      this.#log,
      this.#journal,
      place.chain,
      inner,
      stamped,
      conflicts,
      this.#settings,
      this.#events,
    );
    place.persister = persister;
    return new WriteBackBackend(
      this.#clock,
      this.#journal,
      place.chain,
      persister,
      stamped,
      () => this.#trials.isFit(name, inner),
      inner,
      {
        ...this.#settings,
        isBack: () => isBack() && !this.#closing.has(name),
        hasCopies,
      },
    );
  }

  /** Whether a backend of the place was opened in this process, and brings what is pending to it. */
  isServed(name: string): boolean {
    return this.#open.get(name)?.persister !== undefined;
  }

  get places(): readonly PendingPlace[] {
    return [...this.#open].map(([name, { chain, persister }]) => ({
      name,
      ...chain.usage,
      failing: persister?.failing ?? 0,
      lastError: persister?.someError,
      isServed: persister !== undefined,
    }));
  }

  /** Bytes of the journal's capacity that are in use, how many there are, and records that cannot be read. */
  get usage() {
    return { ...this.#journal.usage, lostRecords: this.#journal.lost.length };
  }

  usageOf(name: string): PendingPlace {
    return (
      this.places.find((place) => place.name === name) ?? {
        name,
        entries: 0,
        bytes: 0,
        oldestMs: undefined,
        failing: 0,
        lastError: undefined,
        isServed: false,
      }
    );
  }

  /** Changes under a prefix of a place, in order of key and then of acknowledgement; with what the last attempt failed of. */
  changes(
    name: string,
    prefix: string,
  ): readonly { readonly entry: PendingEntry; readonly lastError?: string }[] {
    const place = this.#open.get(name);
    const all = [...(place?.chain.all() ?? [])].filter(({ key }) => key.startsWith(prefix));
    return all
      .sort((a, b) => compareUtf8(a.key, b.key))
      .map((entry) => ({ entry, lastError: place?.persister?.lastError(entry.key) }));
  }

  /** Resolves when nothing under the prefix is pending of what was when it was asked. Rejects with the signal's reason. */
  async flush(name: string, prefix: string, signal: AbortSignal): Promise<void> {
    await this.#open.get(name)?.persister?.flushAll(prefix, signal);
  }

  /** From now on writes go through. Undone by the returned function. */
  hold(name: string): () => void {
    this.#closing.add(name);
    return () => this.#closing.delete(name);
  }

  /** Forgets what is pending for a place: it is lost. */
  async discard(name: string): Promise<void> {
    const place = this.#open.get(name);
    if (!place) return;
    await place.persister?.stop();
    place.persister = undefined;
    for (const upload of this.#journal.uploads.of(name)) await this.#journal.discardUpload(upload);
    for (const entry of [...place.chain.all()]) {
      await this.#journal.done(entry);
      place.chain.remove(entry);
    }
  }

  /** Goes on without the records that cannot be read. */
  acceptLoss(): Promise<void> {
    return this.#journal.acceptLoss();
  }

  async close(): Promise<void> {
    await this.#expiry.stop();
    await Promise.all([...this.#open.values()].map(({ persister }) => persister?.stop()));
    await this.#journal.close();
  }

  async #removeIdle(): Promise<void> {
    const { uploads } = this.#journal;
    for (const upload of uploads.idleSince(this.#clock.nowMs() - this.#settings.maxUploadIdleMs)) {
      await uploads.exclusively(upload.info.uploadId, () => this.#journal.discardUpload(upload));
    }
  }

  #place(name: string): Open {
    let place = this.#open.get(name);
    if (!place) {
      place = { chain: new PendingChain(name, this.#journal), persister: undefined };
      this.#open.set(name, place);
    }
    return place;
  }
}
