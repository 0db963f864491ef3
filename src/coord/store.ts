/** The coordination store: small values (≤ 1 MiB) under flat keys, with compare-and-set, watches and leases. */

/** Of a value, in UTF-8. */
export const maximumValueBytes = 1024 * 1024;

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The store's revision at which this entry was last written. Grows with every change of the store. */
  readonly revision: number;
}

/** What must hold for a write: `any`, `absent`, or the entry is still at this revision. */
export type Expected = 'any' | 'absent' | { readonly revision: number };

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: number };

/** Keys written under a lease vanish when it ends. */
export interface Lease {
  readonly id: string;
  /** Aborted at once when the lease has ended, or its holder may not believe in it any more. */
  readonly ended: AbortSignal;
  /** How long the lease is certain to live from this moment on, milliseconds; 0 if it has ended. Tested by the clocks, not by a timer. */
  remainingMs(): number;
  /** Restarts the lease's time to live. Rejects with kind `lease-lost` when it has ended. */
  keepAlive(): Promise<void>;
  /** Ends it now; its keys vanish. */
  revoke(): Promise<void>;
}

export interface Watch {
  /** No event is delivered after this returns. */
  close(): Promise<void>;
}

export type CoordErrorKind = 'unavailable' | 'lease-lost' | 'corrupt' | 'locked';

export class CoordError extends Error {
  override name = 'CoordError';
  readonly kind: CoordErrorKind;
  constructor(kind: CoordErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** Every method is linearizable and may run concurrently; all reject with `CoordError` only. */
export interface CoordStore {
  get(key: string): Promise<Entry | undefined>;
  /** All entries whose key starts with `prefix`, in byte order of key, and the revision at which they were read together. */
  list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }>;
  /**
   * The new revision, or undefined if `expected` did not hold (nothing is changed then). When it returns, the change is durable, and
   * has been delivered to all who watch the key through this store. After kind `unavailable` it may have been made, or may yet be.
   */
  putIf(key: string, value: string, expected: Expected, lease?: Lease): Promise<number | undefined>;
  /** True if it was deleted; false if `expected` did not hold or it was absent. Delivered, and unknown, as with `putIf`. */
  deleteIf(key: string, expected: Exclude<Expected, 'absent'>): Promise<boolean>;
  /**
   * Delivers each change under `prefix` after `fromRevision`, in order, none left out. `onEvents` is not called again before
   * it has returned. If changes that far back are no longer known, `onReset` is called once and the watch is over: list again.
   */
  watch(
    prefix: string,
    fromRevision: number,
    onEvents: (events: readonly StoreEvent[]) => void,
    onReset: () => void,
  ): Promise<Watch>;
  lease(ttlMs: number): Promise<Lease>;
  close(): Promise<void>;
}
