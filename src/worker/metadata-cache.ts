import { abortable } from '../common/abortable.ts';
import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Mutants } from '../common/mutants.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Cell } from '../common/plain-metrics.ts';
import type { OpenRange } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import type { Moment } from './metadata-age.ts';
import { MetadataEntries, mayKeep } from './metadata-entries.ts';
import { OpenedRead } from './opened-read.ts';
import {
  AbsentError,
  type CheckStill,
  type FoundMeta,
  type KnownMeta,
  type LookUpOptions,
  type MetadataSource,
  type MetadataTarget,
  WorkerError,
} from './reader.ts';
import type { SharedMetadata } from './shared-metadata.ts';

export interface MetadataCacheSettings {
  /** Memory for metadata, bytes, estimated. */
  readonly capacityBytes: number;
  /** Where other threads see what is known. */
  readonly shared?: SharedMetadata;
  readonly mutants?: Mutants;
}

export const defaultMetadataCacheSettings: MetadataCacheSettings = { capacityBytes: 32 * 1024 * 1024 };

/** One question to the backend, and those who wait for its answer. */
interface HeadFlight {
  readonly answer: Promise<KnownMeta>;
  /** The key's epoch when the question was sent; undefined until then. */
  epoch: number | undefined;
  sent: Moment | undefined;
  waiters: number;
  /** Whether one of those who asked lets the answer be kept. */
  mayKeep: boolean;
  readonly abort: AbortController;
  /** What is to be read at once. */
  readonly read: OpenRange | undefined;
  /** Held until all who waited have had the answer. */
  opened: OpenedRead | undefined;
}

/** Kept only while a question or a write of the key is under way. */
interface KeyState {
  /** Grows with the beginning and the end of each write, and with each invalidation. */
  epoch: number;
  writers: number;
  /** Flights under way or queued, and writers. */
  holders: number;
  /** The newest question that was sent and not answered. */
  running: HeadFlight | undefined;
  /** Will be sent when the running one is answered. */
  queued: HeadFlight | undefined;
}

/**
 * Metadata under each mount's freshness. An answer is installed only if the key's epoch has not moved since its question was
 * sent, so that no write or invalidation is ever undone by an older answer; and a reader that must see the present state
 * joins only questions that were sent after it came.
 */
export class MetadataCache implements MetadataSource {
  private readonly settings: MetadataCacheSettings;
  private readonly hits: Cell;
  private readonly misses: Cell;
  private readonly coalesced: Cell;
  private readonly entries: MetadataEntries;
  private readonly states = new Map<string, KeyState>();
  private readonly onVersion: (target: MetadataTarget, generation: string | undefined) => void;

  /** `onVersion` hears which version of a key is found, or made, to be the present one; undefined where there is no object. */
  constructor(
    clock: Clock,
    metrics: Metrics,
    settings: MetadataCacheSettings,
    onVersion: (target: MetadataTarget, generation: string | undefined) => void = () => {},
  ) {
    this.settings = settings;
    this.onVersion = onVersion;
    this.hits = metrics.metadataLookups.cell({ result: 'hit' });
    this.misses = metrics.metadataLookups.cell({ result: 'miss' });
    this.coalesced = metrics.metadataLookups.cell({ result: 'coalesced' });
    this.entries = new MetadataEntries(clock, settings.capacityBytes, settings.shared);
  }

  get usage() {
    return { entries: this.entries.count, bytes: this.entries.bytes, keysInFlight: this.states.size };
  }

  peek(target: MetadataTarget, options: LookUpOptions = {}): KnownMeta | undefined {
    const known = this.entries.usable(nameOf(target), target, options);
    if (!known?.meta) return undefined;
    this.hits.count++;
    return known;
  }

  /** What is known, be it too old to be used; for those who look after the cache. Counts nothing and keeps nothing at hand. */
  look(target: MetadataTarget) {
    return this.entries.look(nameOf(target), target);
  }

  /** Paths below an incarnation of which something is known, be it too old to be used; versions that are known by their ids are left out. */
  knownPaths(incarnation: string): string[] {
    const paths: string[] = [];
    for (const name of this.entries.names()) {
      const middle = name.indexOf('\0');
      if (middle > 0 && name.slice(0, middle) === incarnation) paths.push(name.slice(middle + 1));
    }
    return paths;
  }

  async get(target: MetadataTarget, options: LookUpOptions = {}): Promise<FoundMeta> {
    const name = nameOf(target);
    const { revalidate, maxAgeMs } = options;
    const known = revalidate ? undefined : this.entries.usable(name, target, options);
    if (known) this.hits.count++;
    if (known?.meta) return known;
    if (known) throw new AbsentError(target, known.validatedMs, known.marker);
    if (options.onlyIfCached) throw new WorkerError('not-cached', 'its metadata is not known');
    // A question that is under way may be older than its answer is allowed to be.
    const validating = revalidate || maxAgeMs !== undefined || !mayKeep(target);
    const found = await this.ask(name, target, validating, options);
    if (!options.checksums || !found.meta.checksumsUnknown) return found;
    // It joined one who asked for a part only.
    found.opened?.release();
    const alone = { read: undefined, together: undefined };
    return this.ask(name, target, true, { ...options, signal: options.signal, ...alone });
  }

  /** `mayKeepNow`: whether what the change has made may be kept; asked when it has ended. */
  async write<T extends ObjectMeta | undefined | 'unknown'>(
    target: MetadataTarget,
    change: (checkStill: CheckStill) => Promise<T>,
    mayKeepNow: () => boolean = () => true,
  ): Promise<T> {
    const name = nameOf(target);
    const state = this.hold(name);
    const alone = state.writers === 0;
    state.writers++;
    const epoch = this.advance(name, state);
    const begun = this.entries.now();
    try {
      const result = await change(always);
      const overlapped = !alone || state.epoch !== epoch;
      this.advance(name, state);
      if (result === 'unknown') return result;
      if (result && !overlapped && mayKeepNow()) this.entries.install(name, target, result, begun);
      // After overlapping changes nobody here knows which of them came last.
      if (!overlapped) this.onVersion(target, result?.generation);
      return result;
    } catch (error) {
      // It may have taken effect all the same, so what was asked meanwhile is void here too.
      this.advance(name, state);
      throw error;
    } finally {
      state.writers--;
      this.release(name, state);
    }
  }

  invalidate(target: Pick<MetadataTarget, 'incarnation' | 'path' | 'versionId'>): void {
    const name = nameOf(target);
    const state = this.states.get(name);
    if (state) this.advance(name, state);
    else this.entries.remove(name);
  }

  /**
   * Forgets what is known of every object that `isKept` is false for, and makes all questions and changes of it that are under way unfit to
   * be installed: another node may change it from now on.
   */
  retain(isKept: (at: Pick<MetadataTarget, 'incarnation' | 'path'>) => boolean): void {
    for (const name of this.entries.names()) if (!isKept(objectNamed(name))) this.entries.remove(name);
    for (const [name, state] of this.states) if (!isKept(objectNamed(name))) this.advance(name, state);
  }

  /** Makes every question under way unfit to be installed, and forgets what is known. */
  private advance(name: string, state: KeyState): number {
    this.entries.remove(name);
    state.epoch++;
    return state.epoch;
  }

  private async ask(
    name: string,
    target: MetadataTarget,
    validating: boolean,
    { signal, noStore, read, together }: LookUpOptions,
  ): Promise<FoundMeta> {
    const state = this.hold(name);
    // Nothing is gained from what is under way: of one answer's bytes one reader has the use.
    if (together) this.advance(name, state);
    const joined = together ? undefined : this.joinable(target, state, validating, noStore);
    (joined ? this.coalesced : this.misses).count++;
    // What was known before, or cannot be kept, has pages here more often than not: then the bytes would come in vain.
    const isNew = !validating && !this.entries.has(name);
    const flight = joined ?? this.launch(name, target, state, together || isNew ? read : undefined);
    flight.waiters++;
    if (!noStore) flight.mayKeep = true;
    try {
      const known = await abortable(flight.answer, signal);
      return read && flight.opened ? { ...known, opened: flight.opened.hold() } : known;
    } catch (error) {
      if (signal?.aborted) throw cancelled(target, error);
      throw error;
    } finally {
      flight.waiters--;
      if (flight.waiters === 0) {
        flight.abort.abort();
        flight.opened?.release();
      }
      this.release(name, state);
    }
  }

  private joinable(
    target: MetadataTarget,
    state: KeyState,
    validating: boolean,
    noStore: boolean | undefined,
  ): HeadFlight | undefined {
    const { running } = state;
    // Who must keep nothing may have asked while another node could still change the object untold.
    const isKept = noStore || running?.mayKeep;
    // Its answer will be of the time when it was sent, which may be beyond the lease already.
    const young = running?.sent !== undefined && this.entries.isYoung(target, running.sent);
    const early = (!validating && young && isKept) || this.settings.mutants?.joinEarlierValidation;
    // A question sent before a write ended may bring the old state, which a reader after the write must not see.
    if (running && early && running.epoch === state.epoch && !running.abort.signal.aborted) return running;
    const { queued } = state;
    return queued && !queued.abort.signal.aborted ? queued : undefined;
  }

  private launch(
    name: string,
    target: MetadataTarget,
    state: KeyState,
    read: OpenRange | undefined,
  ): HeadFlight {
    const answered = Promise.withResolvers<KnownMeta>();
    const flight: HeadFlight = {
      answer: answered.promise,
      epoch: undefined,
      sent: undefined,
      waiters: 0,
      mayKeep: false,
      abort: new AbortController(),
      read,
      opened: undefined,
    };
    // Every waiter may have gone by the time it fails.
    flight.answer.catch(() => undefined);
    const { running } = state;
    // Where the running question was overtaken there is nothing to gain from waiting for it.
    const wait = running && running.epoch === state.epoch && !running.abort.signal.aborted;
    const sent = wait
      ? this.sendAfter(running, name, target, state, flight)
      : this.send(name, target, state, flight);
    sent.then(answered.resolve, answered.reject);
    return flight;
  }

  private async sendAfter(
    running: HeadFlight,
    name: string,
    target: MetadataTarget,
    state: KeyState,
    flight: HeadFlight,
  ): Promise<KnownMeta> {
    state.queued = flight;
    // Its error is its own waiters' affair.
    await running.answer.catch(() => undefined);
    if (state.queued === flight) state.queued = undefined;
    if (flight.abort.signal.aborted) throw cancelled(target, flight.abort.signal.reason);
    return this.send(name, target, state, flight);
  }

  private async send(
    name: string,
    target: MetadataTarget,
    state: KeyState,
    flight: HeadFlight,
  ): Promise<KnownMeta> {
    state.holders++;
    state.running = flight;
    flight.epoch = state.epoch;
    const sent = this.entries.now();
    flight.sent = sent;
    const isCurrent = () =>
      this.settings.mutants?.installOvertakenMetadata ||
      (flight.epoch === state.epoch && state.writers === 0);
    try {
      const meta = await this.question(target, flight);
      if (isCurrent()) {
        this.onVersion(target, meta.generation);
        if (flight.mayKeep) return this.entries.install(name, target, meta, sent);
        this.entries.contradict(name, meta);
      }
      return { meta, validatedMs: sent.wallMs };
    } catch (error) {
      const isAbsent = error instanceof UfsError && error.kind === 'not-found';
      if (!isAbsent) throw error;
      if (isCurrent()) {
        this.onVersion(target, undefined);
        if (flight.mayKeep && !error.unresolved) this.entries.installAbsent(name, target, sent, error.marker);
        else this.entries.contradict(name, undefined);
      }
      throw new AbsentError(target, sent.wallMs, error.marker, error);
    } finally {
      if (state.running === flight) state.running = undefined;
      this.release(name, state);
    }
  }

  private async question({ backend, path }: MetadataTarget, flight: HeadFlight): Promise<ObjectMeta> {
    const { signal } = flight.abort;
    if (!flight.read || !backend.open) return backend.head(path, { signal });
    const object = await backend.open(path, flight.read, { signal });
    // Nobody would release it any more.
    if (signal.aborted) object.close();
    else flight.opened = new OpenedRead(object);
    return object.meta;
  }

  private hold(name: string): KeyState {
    let state = this.states.get(name);
    if (!state) {
      state = { epoch: 0, writers: 0, holders: 0, running: undefined, queued: undefined };
      this.states.set(name, state);
    }
    state.holders++;
    return state;
  }

  private release(name: string, state: KeyState): void {
    state.holders--;
    if (state.holders === 0) this.states.delete(name);
  }
}

/** Nobody else changes it. */
const always = async () => {};

/** No incarnation begins with what a version's name begins with. */
function nameOf({
  incarnation,
  path,
  versionId,
}: Pick<MetadataTarget, 'incarnation' | 'path' | 'versionId'>): string {
  const name = `${incarnation}\0${path}`;
  return versionId === undefined ? name : `\0${name}`;
}

/** The reverse of `nameOf`: the object, also of one of its versions. */
function objectNamed(name: string): Pick<MetadataTarget, 'incarnation' | 'path'> {
  const isVersion = name.startsWith('\0');
  const start = isVersion ? 1 : 0;
  const middle = name.indexOf('\0', start);
  const end = isVersion ? name.lastIndexOf('\0') : name.length;
  return { incarnation: name.slice(start, middle), path: name.slice(middle + 1, end) };
}

function cancelled(target: MetadataTarget, cause: unknown): UfsError {
  return new UfsError('cancelled', 'the question was given up', {
    backend: target.backend.uri,
    key: target.path,
    cause,
  });
}
