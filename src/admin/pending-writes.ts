import type { AtOnce } from '../common/at-once.ts';

/** What is pending for one place of a storage. */
export interface PlacePending {
  readonly name: string;
  readonly entries: number;
  readonly bytes: number;
  /** When the oldest was acknowledged; undefined if nothing is pending. */
  readonly oldestMs?: number;
  /** How many of them failed at their last attempt, as far as this node knows, and of what one of them did. */
  readonly failing?: number;
  readonly lastError?: string;
}

/** What this node alone has to bring to storages. */
export interface OwnPending {
  readonly places: readonly PlacePending[];
  /** Of its journals. */
  readonly usage: { readonly bytes: number; readonly capacityBytes: number; readonly lostRecords: number };
}

/** A write that is pending. */
export interface PendingRow {
  readonly key: string;
  readonly type: string;
  readonly bytes?: number;
  readonly etag?: string;
  readonly acknowledgedMs: number;
  /** Whether an attempt went out; undefined where only another node knows. */
  readonly sent?: boolean;
  readonly damaged?: true;
  /** What the last attempt failed of. */
  readonly lastError?: string;
}

/** Pending writes, of this node, or of its cluster. Places are named as by `placeNameOf`. Rejects with `UfsError` where a node does not tell. */
export interface PendingWrites {
  /** Whether they lie on several nodes. */
  readonly isShared: boolean;
  /** Of this node's journal. */
  usage(): { readonly bytes: number; readonly capacityBytes: number; readonly lostRecords: number };
  places(): AtOnce<readonly PlacePending[]>;
  /** Under a prefix, in order of key. */
  changes(name: string, prefix: string): AtOnce<readonly PendingRow[]>;
  /** Resolves when nothing under the prefix is pending of what was when it was asked; rejects when the time is over. */
  flush(name: string, prefix: string, withinMs: number): Promise<void>;
  /** From now on writes to the place go through. Resolves when that holds everywhere. Undone by what it gives. */
  hold(name: string): AtOnce<() => AtOnce<void>>;
  /** Forgets what is pending for a place: it is lost. */
  discard(name: string): Promise<void>;
  /** Goes on without records that cannot be read. */
  acceptLoss(): Promise<void>;
  /** Resolves when every node looks for what is pending wherever it reads from the mount. */
  everyoneLooks(incarnation: string): Promise<void>;
}
