/** Which view: of two, the later has the higher generation, or within one generation the higher epoch. */
export interface Epoch {
  /** Raised by an operator after the coordination store was restored; ≥ 1, 0 where no view was applied yet. */
  readonly generation: number;
  /** Grows by one with each view; ≥ 1, 0 where no view was applied yet. */
  readonly epoch: number;
}

/** A node that was alive when the view was made. */
export interface ViewMember {
  readonly workerId: string;
  /** A UUID of this start of its process. */
  readonly incarnation: string;
  /** Where others reach it: its peer port, its S3 API and its admin API. */
  readonly host: string;
  readonly peerPort: number;
  readonly s3Url: string;
  readonly adminUrl: string;
  /** Its share relative to the others, > 0. */
  readonly weight: number;
  /** `draining` and `suspect` members own no metadata; they still release what they owned. */
  readonly state: 'joined' | 'draining' | 'suspect';
}

/** Who is alive and who owns what, at one epoch: a pure value. `objectHash` is `hashObject` of the object, here and below. */
export interface View extends Epoch {
  /** In order of workerId. */
  readonly members: readonly ViewMember[];
  member(workerId: string): ViewMember | undefined;
  /**
   * Who may cache the object's metadata, and through whom it is written: always a member that is alive; undefined where there is none.
   * `without`: who would own it if these were not there.
   */
  metadataOwnerOf(objectHash: number, without?: ReadonlySet<string>): string | undefined;
  /**
   * Where a segment's pages lie. With static placement, or while placement is frozen, this may be a worker that is no member: then the
   * object's metadata owner reads the backend. Undefined where there is no worker. `without`: as above.
   */
  placementOwnerOf(objectHash: number, segment: number, without?: ReadonlySet<string>): string | undefined;
  /** Where the segment's pages lay before they came to lie where they do, if that worker is still a member; after a few changes nobody knows. */
  previousPlacementOwnerOf(objectHash: number, segment: number): string | undefined;
}

/** What changes for this node when a view is applied. */
export interface ViewChange {
  readonly view: View;
  /** True where this node owned the metadata without interruption up to now, and owns it still. Elsewhere what is known of the object is dropped. */
  keeps(objectHash: number): boolean;
}

/** A write that this node carries out as the owner of the object's metadata. */
export interface OwnedWrite {
  /**
   * Asked after the backend has answered: true if the write may be acknowledged, that is, this node owned the object's metadata from
   * `beginWrite` on without interruption, whoever owned it before has released it, and the view lease is valid at this moment. Otherwise
   * the present owner invalidates the key first, or the answer is 503.
   */
  mayAcknowledge(): boolean;
  /**
   * Asked right before the backend is let change something: true if this node may still act on the object, or gave it up in good order
   * a short while ago.
   */
  mayGoOut(): boolean;
  /** False once another node may have owned the object since `beginWrite`. */
  isHeld(): boolean;
  /**
   * The backend is through with it, one way or the other. Until then this node does not release the object. Repeating is harmless.
   * `isUnresolved`: nobody knows whether it took effect, or still will.
   */
  end(isUnresolved?: boolean): void;
}

/** Until when the view lease is valid: until either clock has come so far. */
export interface LeaseEnd {
  /** On `Clock.monotonicMs`. */
  readonly monotonicMs: number;
  /** On `Clock.nowMs`. */
  readonly wallMs: number;
}

/** What a member says with the release of what it owned. */
export interface Released {
  /** After so long nothing has an effect any more that it sent to a storage before, ms, ≥ 0; 0 where all of it was answered. */
  readonly settlesInMs: number;
}

/**
 * Asks a member over the peer port to answer once it has released everything that a view took from it. The answer is that very
 * incarnation's; undefined or rejected if there is no telling. The answer of another incarnation counts for nothing.
 */
export type ReleaseQuestion = (
  member: ViewMember,
  epoch: Epoch,
  signal: AbortSignal,
) => Promise<Released | undefined>;

/**
 * What this node may do as a member of the ring. Metadata is used without asking the backend, and writes are acknowledged, only as this
 * says at the moment of use: no answer may be kept.
 */
export interface Ownership {
  readonly workerId: string;
  /** A UUID of this start of the process. */
  readonly incarnation: string;
  /** The view that is applied: the same object until another is. Takes no time. */
  view(): View;
  /** True if cached metadata of the object may be used at this moment: owned, released by whoever owned it before, the view lease valid. */
  mayUseMetadata(objectHash: number): boolean;
  /**
   * True if, moreover, nothing that was sent to a storage by whoever owned the object before can have an effect any more. Until then what
   * is learned of it is not kept: a change that came late, of a node that is gone, would be told to nobody.
   */
  mayKeepMetadata(objectHash: number): boolean;
  /** True if this node owns the object's metadata by the applied view, whether or not it may use it yet. */
  owns(objectHash: number): boolean;
  /** Which of the views applied here, counted from 1, gave the object to this node, which has owned it since; undefined if it does not. */
  ownedSince(objectHash: number): number | undefined;
  /** How many views were applied here, and whether all that this node gained by them may be used once the lease is valid. */
  gains(): { readonly views: number; readonly areSettled: boolean };
  /** Undefined if this node is not the owner by the applied view. */
  beginWrite(objectHash: number): OwnedWrite | undefined;
  /**
   * For I/O threads, which cannot ask here at the moment of use: how long the view lease lasts. It is replaced several times within each
   * lease, and is past where there is none.
   */
  leaseEnd(): LeaseEnd;
  /** Calls back at once when `leaseEnd` has changed. Returns what ends that. */
  onLease(listener: (end: LeaseEnd) => void): () => void;
  /**
   * Calls back when a view is applied, before anything is released or granted by it: when the listener returns, nothing that `keeps` is
   * false for may be used any more. Returns what ends that.
   */
  onView(listener: (change: ViewChange) => void): () => void;
  /** Resolves when `mayUseMetadata` holds, or this node is not the owner; rejects with the signal's reason. */
  whenSettled(objectHash: number, signal: AbortSignal): Promise<void>;
  /** Resolves when this view or a later one is applied here; rejects with the signal's reason. */
  whenApplied(epoch: Epoch, signal: AbortSignal): Promise<void>;
  /**
   * The answering side of `ReleaseQuestion`: resolves when this view or a later one is applied here and every write that began before,
   * on what it takes from this node, has ended. `asker`: the workerId of who asks; a node that is draining stays until it was asked.
   */
  whenReleased(asker: string, epoch: Epoch, signal: AbortSignal): Promise<Released>;
  /** Reads from the coordination store which view is the latest, and applies it. Rejects with `CoordError` or the signal's reason. */
  refresh(signal: AbortSignal): Promise<void>;
  /**
   * Says that a member cannot be reached: resolves when a view is applied in which it owns no metadata, or is no member any more; that
   * lasts for some seconds. Rejects with `CoordError` or the signal's reason. Calls for one member share one attempt.
   */
  suspect(workerId: string, signal: AbortSignal): Promise<void>;
  /**
   * Who owned something of what this node has gained and did not release it, but was waited for until its lease was over: what it has begun may
   * still come to the storage. By incarnation, '' for who is not known; the numbers differ from one time to the next. Members of the
   * applied view alone: whoever is none has released nothing either.
   */
  overdue(): ReadonlyMap<string, number>;
  /** How other members are asked; the peer transport sets it when it is there. Until then nobody answers, and all is waited for. */
  askWith(question: ReleaseQuestion): void;
}
