import type { AtOnce } from '../common/at-once.ts';
import type { ByteRange } from '../common/byte-range.ts';
import type { ByteText } from '../common/byte-text.ts';
import type { Freshness } from '../common/freshness.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { PolicyInForce } from '../common/policy.ts';
import type { Backend, OpenRange } from '../ufs/backend.ts';
import { type DeleteMarker, UfsError } from '../ufs/errors.ts';
import type { OpenedRead } from './opened-read.ts';
import type { ServedBytes } from './served-bytes.ts';

/** How an object is called where another node is asked about it. */
export interface RoutedObject {
  readonly bucket?: { readonly name: string };
  readonly key?: string;
  /** Its place on the ring, once somebody has asked for it. */
  objectHash?: number;
}

/** An object version to read through the cache. */
export interface ReadTarget extends RoutedObject {
  readonly backend: Pick<Backend, 'uri' | 'capabilities' | 'read' | 'pin'>;
  /** The mount's name in metrics. */
  readonly mount: string;
  readonly incarnation: string;
  readonly path: string;
  readonly meta: ObjectMeta;
  readonly pageSizeBytes: number;
  /** What holds for its pages, if something was set. */
  readonly policy?: PolicyInForce | undefined;
  /** Pages that were filled before (Unix time) are absent. */
  readonly notBeforeSeconds?: number | undefined;
  /** Nobody reads it: its pages take the place of none that are read. */
  readonly isLoad?: true;
  /** Where another node's part begins: nothing is filled ahead there. Absent: nowhere. */
  readonly ownEnd?: number;
  /** As in `MetadataTarget`. */
  readonly versionId?: string;
  /** Counts the bytes, where they are not for clients of this node. */
  readonly served?: ServedBytes;
  /** What is on its way already, for the first who needs it. */
  readonly opened?: OpenedRead;
  /** Asked before the backend for pages that have to be filled. */
  readonly earlier?: EarlierPages;
}

/** Who kept a version's pages before, and may have them still. */
export interface EarlierPages {
  /**
   * Bytes of a range within one page, from its start on and of this version alone, as far as they can be had: what it ends short of, or
   * rejects before, is read from the backend. Each piece is the caller's until it asks for another.
   */
  read(target: ReadTarget, range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
}

export interface PageRead {
  readonly cache: 'hit' | 'miss' | 'partial' | 'bypass';
  /** Of an iterable, each chunk is the caller's until it asks for the next one. */
  readonly body: Buffer | ByteText | AsyncIterable<Buffer>;
  /** Where the Buffer is lent by the cache: to be called once nobody reads it any more. */
  readonly giveBack?: () => void;
}

/**
 * Reads ranges of one object version: pages from the store, misses filled from the backend.
 * The answer counts `forebay_bytes_served_total` as its bytes are handed out.
 */
export interface RangeReader {
  /**
   * A range of one page or less is whole and checked, a Buffer or a ByteText; a longer one streams while it fills. `range` is not empty and lies
   * within the object. Rejects with `UfsError` (`moved` before the first byte: the caller starts again with newer metadata),
   * or with `WorkerError` kind `overloaded`. Aborting the signal ends this reader only, not a fill that others wait for.
   *
   * `missing` says what becomes of a range that the store does not hold whole: `fill` (the default) keeps what it reads, `bypass` keeps
   * nothing of it, `refuse` rejects with `WorkerError` kind `not-cached`.
   */
  open(target: ReadTarget, range: ByteRange, signal?: AbortSignal, missing?: Missing): Promise<PageRead>;
  /** As `open`, without waiting: undefined, and nothing counted, unless all of a range of one page or less is in memory. For the hot path. */
  openNow(target: ReadTarget, range: ByteRange, missing?: Missing): PageRead | undefined;
  /** Whether pages of some version of it may be here. */
  holdsSome(at: Pick<ReadTarget, 'incarnation' | 'path'>): boolean;
  /** Without waiting: what came together with the metadata, if it is all of the range and all here. Absent where nothing comes so. */
  takeSent?(target: ReadTarget, range: ByteRange): PageRead | undefined;
  /**
   * Takes pages out of an object's bytes on their way to its storage; undefined where none would be kept here. To be ended by `keep` or
   * `drop`.
   */
  takeIn?(at: Omit<ReadTarget, 'meta'>, sizeBytes: number, endBytes?: number): Intake | undefined;
  /** Whether it is asked of another node: exactly what is read then, not whole pages. Absent where it never is. */
  isElsewhere?(at: MetadataTarget): boolean;
}

/** Bytes of an object that is being written, to be read from here afterwards. */
export interface Intake {
  /** All bytes in order, copied. */
  add(chunk: Buffer): void;
  /** They are of this version. Resolves when they can be read. Never rejects. */
  keep(meta: ObjectMeta): Promise<void>;
  /** They came to nothing. */
  drop(): void;
}

/** What became of the pages of a range, in bytes. What is in neither was read and is not kept. */
export interface LoadedRange {
  /** Of pages that were here. */
  readonly cachedBytes: number;
  /** Of pages that were not, and are here now. */
  readonly loadedBytes: number;
}

/** Fills the cache with what nobody reads yet. */
export interface RangeLoader {
  /**
   * Has the pages of a range kept that are not here, behind everybody who waits for bytes; the range begins where a page begins, and ends
   * where one ends. What comes is of this version alone. Nothing counts as served. `pace` is told of bytes that were fetched, and waited
   * for. Rejects with `UfsError`.
   */
  load(target: ReadTarget, range: ByteRange, signal: AbortSignal, pace?: Pace): Promise<LoadedRange>;
  /** Bytes of the range whose pages are here; nothing is asked of the backend. */
  heldBytes(target: ReadTarget, range: ByteRange, signal: AbortSignal): AtOnce<number>;
  /** As `heldBytes`, of pages that were read and are whole; those that are not are given up. */
  checkedBytes(target: ReadTarget, range: ByteRange, signal: AbortSignal): Promise<number>;
  /** Forgets all pages of an object, of whatever version. */
  free(at: MetadataTarget, signal: AbortSignal): AtOnce<void>;
}

/** Resolves when more may be fetched. */
export type Pace = (bytes: number) => Promise<void>;

/** Reads what lies on this node. */
export interface LocalReader extends RangeReader {
  readonly loader: RangeLoader;
  /**
   * A range if the store has all of it, for another node that keeps these pages from now on; the backend is never asked. Rejects in the
   * middle where a page has gone meanwhile.
   */
  openHeld(target: ReadTarget, range: ByteRange): Promise<AsyncIterable<Buffer> | undefined>;
  /**
   * Keeps the version's pages, though it be replaced meanwhile, for a reader that reads them by another way, until the returned function is
   * called (once).
   */
  hold(target: ReadTarget, range: ByteRange): () => void;
}

export type Missing = 'fill' | 'bypass' | 'refuse';

/** What a reader accepts of what is known already. */
export interface LookUpOptions {
  readonly signal?: AbortSignal;
  /** Nothing counts that was not asked of the backend after this call came. */
  readonly revalidate?: boolean;
  /** What is known must be younger than this. */
  readonly maxAgeMs?: number;
  /** The backend's answer is not kept. */
  readonly noStore?: boolean;
  /** Rejects with `WorkerError` kind `not-cached` rather than ask the backend. */
  readonly onlyIfCached?: boolean;
  /** Metadata that leaves checksums open is not enough. */
  readonly checksums?: boolean;
  /**
   * What is going to be read then, if there is an object. Where the backend has to be asked and nothing was known of the key, it may
   * be asked for these bytes at once.
   */
  readonly read?: OpenRange;
  /**
   * That version moved before it could be read: the backend is asked for these bytes together with the metadata, by a question of its own,
   * whatever is known or held here of the object.
   */
  readonly together?: boolean;
}

/** Rejects where a change may not be made any more. */
export type CheckStill = () => Promise<void>;

/**
 * Metadata of objects as last seen at their backends, under each mount's freshness (it installs only what no
 * write overtook).
 */
export interface MetadataSource {
  /** Cached or asked of the backend. Rejects with `UfsError`; where there is no object, that is an `AbsentError`. */
  get(target: MetadataTarget, options?: LookUpOptions): Promise<FoundMeta>;
  /** Without waiting: undefined unless valid metadata that does is at hand. For the hot path. */
  peek(
    target: MetadataTarget,
    options?: Pick<LookUpOptions, 'maxAgeMs' | 'checksums'>,
  ): KnownMeta | undefined;
  /**
   * Runs a change of the object: the key is not cached from before `change` starts until after it has ended, and nothing that
   * was asked of the backend meanwhile is kept. The change's result, if it is metadata and no other change overlapped, is installed.
   * `undefined` says that there is no object now, `unknown` that there may be any. `change` calls what it is given each time before it
   * lets the backend change something: that rejects where the change may not be made (any more).
   */
  write<T extends ObjectMeta | undefined | 'unknown'>(
    target: MetadataTarget,
    change: (checkStill: CheckStill) => Promise<T>,
  ): Promise<T>;
  /** Forgets what is known of a key (the version was found to have moved). */
  invalidate(target: MetadataTarget): void;
}

export interface MetadataTarget extends RoutedObject {
  readonly backend: Pick<Backend, 'uri' | 'capabilities' | 'head' | 'open' | 'read' | 'pin' | 'fence'>;
  readonly mount: string;
  readonly incarnation: string;
  readonly path: string;
  readonly freshness: Freshness;
  /** Of the mount, where a policy asks for another: what changes have to reckon with, until every node knows of the policy. */
  readonly mountFreshness?: Freshness | undefined;
  /** What holds for its pages, if something was set. */
  readonly policy?: PolicyInForce | undefined;
  /** As in `ReadTarget`. */
  readonly notBeforeSeconds?: number | undefined;
  /** Set of a version that is known by its id, whose `path` may be the path of another key: they are not to be taken for each other. */
  readonly versionId?: string;
}

export interface KnownMeta {
  readonly meta: ObjectMeta;
  /** When it was last known to be the backend's state: when the question was sent (ms since the Unix epoch). */
  readonly validatedMs: number;
}

/** What a look-up found. */
export interface FoundMeta extends KnownMeta {
  /** Bytes that came with it, of one who asked for some. Held for the caller, who releases it when it has opened what it reads. */
  readonly opened?: OpenedRead;
  /** The worker that owns the object's metadata, where that is another one. */
  readonly owner?: string;
}

/** There is no object, as of a time. */
export class AbsentError extends UfsError {
  /** As in `KnownMeta`. */
  readonly validatedMs: number;
  /** `marker`: the delete marker that is there instead, if there is one. */
  constructor(
    target: { readonly backend: { readonly uri: string }; readonly path: string },
    validatedMs: number,
    marker?: DeleteMarker,
    cause?: unknown,
  ) {
    const { backend, path } = target;
    super('not-found', 'there is no such object', { backend: backend.uri, key: path, marker, cause });
    this.validatedMs = validatedMs;
  }
}

export type WorkerErrorKind = 'overloaded' | 'closed' | 'not-cached';

export class WorkerError extends Error {
  override name = 'WorkerError';
  readonly kind: WorkerErrorKind;
  constructor(kind: WorkerErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
