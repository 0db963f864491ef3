import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import { CoordError, type CoordStore } from '../../coord/store.ts';
import type { Exchange } from '../../peers/exchange.ts';
import type { PeerPool } from '../../peers/peer-pool.ts';
import type { Backend } from '../../ufs/backend.ts';
import { UfsError } from '../../ufs/errors.ts';
import { type FileSystem, FileSystemError } from '../../ufs/file-system.ts';
import { ConflictFiles } from '../conflict-files.ts';
import type { NewChange } from '../journal.ts';
import { Persister, type PersisterEvents, type PersisterSettings } from '../persister.ts';
import type { StampPair } from '../records.ts';
import { StampedVersions } from '../stamped-versions.ts';
import { UploadTrials } from '../upload-trial.ts';
import { WriteBackBackend, type WriteBackSettings } from '../write-back-backend.ts';
import { Elsewhere } from './elsewhere.ts';
import { guarded } from './guarded-backend.ts';
import type { KeptSet } from './kept-set.ts';
import { MovedUploads } from './moved-uploads.ts';
import { SetAnswers } from './set-answers.ts';
import { type PlaceRules, SetBackend } from './set-backend.ts';
import { SetCopies } from './set-copies.ts';
import { SetFolder } from './set-folder.ts';
import { SetPeers } from './set-peers.ts';
import { SetShelf } from './set-shelf.ts';
import { SetTable } from './set-table.ts';
import { SetUpkeep } from './set-upkeep.ts';
import { SetUploads, type SetUploadsSettings } from './set-uploads.ts';
import type { SetQuestion } from './set-wire.ts';
import type { Standing } from './standing.ts';

export interface PendingSetsSettings
  extends PersisterSettings,
    SetUploadsSettings,
    Pick<WriteBackSettings, 'whenFull' | 'barrierMs' | 'minPartSizeBytes'> {
  /** The folder of pending writes; sets lie below. */
  readonly path: string;
  readonly capacityBytes: number;
  /** Of the cluster. */
  readonly origin: string;
  /** As `SetUpkeepSettings.wantedCopies`. */
  readonly wantedCopies: () => number;
  /** Whether there is a mount whose writes were ever acknowledged before the storage had them. */
  readonly isUsed: () => boolean;
  /** Whether the node knows that of a mount, and which write mode it has. */
  readonly knows: (incarnation: string, writeMode: string | undefined) => boolean;
  /** Opens the storage of a place that something is pending for here. */
  readonly openPlace: (name: string) => void;
}

/** A mount's place at its storage, as it is open here. */
interface Place {
  readonly inner: Backend;
  readonly bare: Backend;
  readonly rules: PlaceRules;
  readonly stamped: StampedVersions;
  readonly backends: WeakMap<KeptSet, WriteBackBackend>;
}

const lookEveryMs = 200;
/** For all nodes to know of a change of a mount. */
const knowMs = 10_000;
const askMs = 2_000;
const endMs = 1_000;

/** Pending writes of a node in a cluster. */
export class PendingSets {
  readonly elsewhere: Elsewhere;
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #table: SetTable;
  readonly #shelf: SetShelf;
  readonly #copies: SetCopies;
  readonly #upkeep: SetUpkeep;
  readonly #answers: SetAnswers;
  readonly #uploads: SetUploads;
  readonly #peers: SetPeers;
  readonly #standing: Standing;
  readonly #settings: PendingSetsSettings;
  readonly #trials: UploadTrials;
  readonly #events: PersisterEvents;
  readonly #places = new Map<string, Place>();
  readonly #ended = new AbortController();
  /** As `Standing.gains`: the last view under which it was seen which sets this node keeps. */
  #checkedViews = -1;
  #sequence = 0;
  #wake: () => void = () => {};
  #looking: Promise<void> = Promise.resolve();

  private constructor(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    log: Log,
    store: CoordStore,
    table: SetTable,
    shelf: SetShelf,
    pool: Pick<PeerPool, 'open'>,
    standing: Standing,
    settings: PendingSetsSettings,
    events: PersisterEvents,
  ) {
    this.#fs = fs;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#table = table;
    this.#shelf = shelf;
    this.#standing = standing;
    this.#settings = settings;
    this.#trials = new UploadTrials(fs, random, settings.path);
    this.#events = events;
    const peers = new SetPeers(clock, pool);
    this.#peers = peers;
    const current = () => shelf.current?.name.setId;
    this.elsewhere = new Elsewhere(clock, table, peers, standing, shelf.kept, current);
    const rules = {
      begin: (change: NewChange) => this.#stampFor(change),
      appeared: (place: string, key: string) => this.#places.get(place)?.rules.appeared(key),
      isActive: () => standing.isActive() && standing.gains().views === this.#checkedViews,
    };
    const copies = new SetCopies(clock, random, log, table, shelf, peers, standing, settings);
    this.#copies = copies;
    this.#upkeep = new SetUpkeep(clock, random, log, table, shelf, copies, standing, rules, settings, {
      kept: (set) => this.#bringAll(set),
      lost: () => this.elsewhere.forget(),
    });
    const moved = new MovedUploads(store);
    this.#uploads = new SetUploads(clock, log, shelf.kept, this.elsewhere, moved, this.#places, settings);
    this.#answers = new SetAnswers(log, {
      kept: shelf.kept,
      uploads: this.#uploads,
      copy: (copyId) => shelf.copy(copyId),
      openCopy: (setId, copyId) => shelf.makeCopy({ setId, copyId }),
      hasCopy: (setId, copyId) => (copyId === undefined ? shelf.hasSet(setId) : shelf.has(copyId)),
      knows: settings.knows,
    });
  }

  /** With what lies on this node's disk. Rejects with `FileSystemError` and `CoordError`. */
  static async open(
    fs: FileSystem,
    clock: Clock,
    random: Random,
    log: Log,
    store: CoordStore,
    pool: Pick<PeerPool, 'open'>,
    standing: Standing,
    settings: PendingSetsSettings,
    events: PersisterEvents,
  ): Promise<PendingSets> {
    const { capacityBytes, origin } = settings;
    const path = join(settings.path, 'sets');
    const folder = new SetFolder(fs, clock, random, log, { path, capacityBytes, origin });
    const shelf = await SetShelf.open(clock, log, folder);
    let opened: PendingSets | undefined;
    const table = await SetTable.open(clock, store, () => opened?.look());
    opened = new PendingSets(fs, clock, random, log, store, table, shelf, pool, standing, settings, events);
    opened.#begin();
    return opened;
  }

  /** Sets that this node keeps. */
  get kept(): Iterable<KeptSet> {
    return this.#shelf.kept;
  }

  /** Changes of which this node holds copies for others. */
  get heldCopies(): number {
    return this.#shelf.held.reduce((sum, { count }) => sum + count, 0);
  }

  /**
   * A mount's storage with what is pending for it in the cluster. `bare`: the storage with the stamps that it keeps. Of one place there is one at a
   * time: a second takes over from the first.
   */
  over(name: string, inner: Backend, bare: Backend, rules: PlaceRules): Backend {
    const stamped = new StampedVersions(inner);
    const place: Place = { inner, bare, rules, stamped, backends: new WeakMap() };
    this.#places.set(name, place);
    for (const set of this.#shelf.all) {
      void set.persisters.get(name)?.stop();
      set.persisters.delete(name);
      this.#bring(set, name, place);
    }
    const current = () => {
      const { current: set } = this.#shelf;
      return set && this.#backendOf(set, name, place);
    };
    const heldUpload = (key: string, id: string) => this.#shelf.current?.journal.uploads.find(name, key, id);
    const isAwaiting = (key: string) => this.#shelf.current?.isAwaiting(name, key) === true;
    const { barrierMs, origin } = this.#settings;
    const settings = { rules, barrierMs, origin, isAwaiting, heldUpload };
    const others = { elsewhere: this.elsewhere, uploads: this.#uploads };
    return new SetBackend(this.#clock, name, inner, bare, stamped, others, current, settings);
  }

  /** For the peer port. */
  answer(question: SetQuestion, exchange: Exchange): void {
    this.#answers.answer(question, exchange);
  }

  /** Something has changed that may concern the sets. */
  look(): void {
    this.#wake();
  }

  /** Resolves when every member knows this of a mount; rejects with `UfsError` if that does not come about. */
  async everyoneKnows(incarnation: string, writeMode?: string): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + knowMs;
    const question = { ask: 'knows', incarnation, writeMode } as const;
    for (const member of this.#standing.members()) {
      for (;;) {
        const isSelf = member.workerId === this.#standing.workerId;
        const knows = isSelf
          ? this.#settings.knows(incarnation, writeMode)
          : await this.#peers.ask<boolean>(member, question, askMs).catch(() => false);
        // One that has gone asks etcd when it is back.
        const isThere = this.#standing.members().some(({ workerId }) => workerId === member.workerId);
        if (knows || !isThere) break;
        if (this.#clock.monotonicMs() >= untilMs) {
          const message = `the node ${member.workerId} does not say that it knows of it`;
          throw new UfsError('unavailable', message, { backend: 'pending writes' });
        }
        await this.#clock.sleep(50);
      }
    }
  }

  /** Of the journals of sets that this node keeps. */
  get usage() {
    let bytes = 0;
    for (const set of this.#shelf.all) bytes += set.journal.usage.bytes;
    const lost = this.#shelf.held.reduce((sum, { journal }) => sum + journal.lost.length, 0);
    return { bytes, capacityBytes: this.#settings.capacityBytes, lostRecords: lost };
  }

  /** Goes on without what cannot be read of the journals that lie here, and without the sets that lie on no node any more that is there. */
  async acceptLoss(): Promise<void> {
    for (const { journal } of this.#shelf.held) await journal.acceptLoss();
    await this.#upkeep.giveUp();
  }

  /** Forgets what is pending for a place, in every set, and uploads in parts. */
  async discard(place: string): Promise<void> {
    await this.elsewhere.discard(place);
    await this.#uploads.forgetAll(place);
  }

  /** Brings to their storages what is pending here, as far as that is done in time. */
  async flush(withinMs: number): Promise<void> {
    const over = new AbortController();
    const all = [...this.#shelf.kept].flatMap((set) =>
      [...set.persisters.values()].map((persister) => persister.flushAll('', over.signal)),
    );
    // Another node does not have their parts.
    for (const set of this.#shelf.kept) all.push(this.#uploads.moveAll(set));
    const pause = this.#clock.sleep(withinMs, over.signal).catch(() => {});
    await Promise.race([Promise.allSettled(all), pause]);
    over.abort();
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#wake();
    await this.#uploads.close();
    await this.#looking;
    // The others are taken over when this node is gone.
    const empty = this.#shelf.all.filter((set) => set.isEmpty);
    const ending = Promise.allSettled(empty.map((set) => this.#upkeep.end(set)));
    await Promise.race([ending, this.#clock.sleep(endMs)]);
    this.#copies.stop();
    await this.#shelf.close();
    await this.#table.close();
  }

  #begin(): void {
    const { signal } = this.#ended;
    const stopListening = this.#standing.onView(() => this.look());
    const lookAgainAndAgain = async () => {
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        await this.#look();
        const over = new AbortController();
        const pause = this.#clock.sleep(lookEveryMs, over.signal).catch(() => {});
        await Promise.race([woken, pause]);
        over.abort();
      }
      stopListening();
    };
    this.#looking = lookAgainAndAgain();
  }

  async #look(): Promise<void> {
    try {
      await this.#check();
      await this.#upkeep.look();
      for (const set of this.#shelf.all) {
        for (const name of set.placesInUse()) if (!this.#places.has(name)) this.#settings.openPlace(name);
        if (set !== this.#shelf.current) this.#uploads.leave(set);
      }
      if (this.#settings.isUsed() && this.#isChecked) await this.elsewhere.learn();
    } catch (error) {
      // It is looked at again at once; what could not be told now is in the answers to those who wait for it.
      const isUsual = error instanceof CoordError || error instanceof UfsError;
      if (!isUsual && !(error instanceof FileSystemError)) throw error;
      this.#log.debug({ err: error }, 'pending writes could not be looked after');
    }
  }

  get #isChecked(): boolean {
    return this.#standing.gains().views === this.#checkedViews;
  }

  /** A node may have been no member before a view, and its sets may have been taken over meanwhile, of which it need not have heard yet. */
  async #check(): Promise<void> {
    const { views } = this.#standing.gains();
    if (views === this.#checkedViews && !this.#upkeep.hasGoneBack) return;
    await this.#upkeep.check();
    this.#checkedViews = views;
  }

  /** If this node may acknowledge a write of the key from its journal. Its sequence is that of all its sets, so that a later one goes on where one that was lost ended. */
  #stampFor({ chain, key, type }: NewChange): StampPair | undefined {
    const rules = this.#places.get(chain)?.rules;
    if (!rules?.isBack() || this.elsewhere.has(chain, key)) return undefined;
    if (!this.elsewhere.isReady(rules.hashOf(key))) return undefined;
    if (type !== 'through' && !this.#shelf.current?.has(rules.copies())) return undefined;
    return [this.#standing.epoch(), ++this.#sequence];
  }

  /** For a change that the storage is to make itself. */
  #checkMayPass(set: KeptSet, name: string, { rules }: Place, key: string): void {
    if (!rules.wasBack()) return;
    const isReady = this.elsewhere.isReady(rules.hashOf(key)) && !this.elsewhere.has(name, key);
    if (isReady && !set.isAwaiting(name, key)) return;
    throw new UfsError('throttled', 'the object is passing to another node', { backend: name, key });
  }

  #bringAll(set: KeptSet): void {
    for (const [name, place] of this.#places) this.#bring(set, name, place);
  }

  /** From now on what is pending in a set goes to the place. */
  #bring(set: KeptSet, name: string, place: Place): void {
    if (set.persisters.has(name)) return;
    const { inner, stamped } = place;
    const path = join(this.#settings.path, 'conflicts');
    const settings = { ...this.#settings, mayAttempt: () => set.isActive };
    const persister = new Persister(
      this.#clock,
      this.#random,
      this.#log,
      set.journal,
      set.chain(name),
      inner,
      stamped,
      new ConflictFiles(this.#fs, set.journal, path),
      settings,
      this.#events,
    );
    set.persisters.set(name, persister);
    set.uploads.set(name, this.#backendOf(set, name, place).uploads);
  }

  #backendOf(set: KeptSet, name: string, place: Place): WriteBackBackend {
    const known = place.backends.get(set);
    if (known) return known;
    this.#bring(set, name, place);
    const persister = set.persisters.get(name) as Persister;
    const { rules, stamped, inner } = place;
    const { whenFull, barrierMs, settleMs, minPartSizeBytes } = this.#settings;
    const backend = new WriteBackBackend(
      this.#clock,
      set.journal,
      set.chain(name),
      persister,
      stamped,
      // Not only where this node owns the object that it is tried with.
      () => this.#trials.isFit(name, inner),
      guarded(inner, (key) => this.#checkMayPass(set, name, place, key)),
      {
        whenFull,
        barrierMs,
        settleMs,
        minPartSizeBytes,
        isBack: () => rules.isBack(),
        hasCopies: () => set.has(rules.copies()),
      },
    );
    place.backends.set(set, backend);
    return backend;
  }
}
