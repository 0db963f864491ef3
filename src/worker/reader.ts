import type { ByteRange } from '../common/byte-range.ts';
import type { Freshness } from '../common/freshness.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Backend } from '../ufs/backend.ts';

/** An object version to read through the cache. */
export interface ReadTarget {
  readonly backend: Backend;
  /** The mount's name in metrics. */
  readonly mount: string;
  readonly incarnation: string;
  readonly path: string;
  readonly meta: ObjectMeta;
  readonly pageSizeBytes: number;
}

export interface PageRead {
  readonly cache: 'hit' | 'miss' | 'partial' | 'bypass';
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/**
 * Reads ranges of one object version: pages from the store, misses filled from the backend.
 * The answer counts `forebay_bytes_served_total` as its bytes are handed out.
 */
export interface RangeReader {
  /**
   * A range of one page or less is a whole, checked Buffer; a longer one streams while it fills. `range` is not empty and lies
   * within the object. Rejects with `UfsError` (`moved` before the first byte: the caller starts again with newer metadata),
   * or with `WorkerError` kind `overloaded`. Aborting the signal ends this reader only, not a fill that others wait for.
   */
  open(target: ReadTarget, range: ByteRange, signal?: AbortSignal): Promise<PageRead>;
}

/**
 * Metadata of objects as last seen at their backends, under each mount's freshness (it installs only what no
 * write overtook).
 */
export interface MetadataSource {
  /** Cached or asked of the backend. Rejects with `UfsError` (not-found …). */
  get(
    target: MetadataTarget,
    options?: { readonly revalidate?: boolean; readonly signal?: AbortSignal },
  ): Promise<{ readonly meta: ObjectMeta; readonly validatedMs: number }>;
  /** Without waiting: undefined unless valid metadata is at hand. For the hot path. */
  peek(target: MetadataTarget): { readonly meta: ObjectMeta; readonly validatedMs: number } | undefined;
  /**
   * Runs a change of the object: the key is not cached from before `change` starts until after it has ended, and nothing that
   * was asked of the backend meanwhile is kept. The change's result, if it is metadata and no other change overlapped, is installed.
   */
  write<T extends ObjectMeta | undefined>(target: MetadataTarget, change: () => Promise<T>): Promise<T>;
  /** Forgets what is known of a key (the version was found to have moved). */
  invalidate(target: MetadataTarget): void;
}

export interface MetadataTarget {
  readonly backend: Backend;
  readonly mount: string;
  readonly incarnation: string;
  readonly path: string;
  readonly freshness: Freshness;
}

export class WorkerError extends Error {
  override name = 'WorkerError';
  readonly kind: 'overloaded' | 'closed';
  constructor(kind: 'overloaded' | 'closed', message: string) {
    super(message);
    this.kind = kind;
  }
}
