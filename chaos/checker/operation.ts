/**
 * What a client saw of one key at one moment of an operation. A key is absent, or holds one version; a version's id is its own, while
 * versions of the same bytes share an ETag.
 */
export type Sight =
  | { readonly kind: 'absent' }
  /** Some version, nobody said which. */
  | { readonly kind: 'present' }
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'etag'; readonly etag: string }
  /** Absent, or a version with another ETag. */
  | { readonly kind: 'not-etag'; readonly etag: string };

/** What an operation leaves behind. */
export type Effect = { readonly kind: 'put'; readonly version: string } | { readonly kind: 'delete' };

/** One operation on one key. It happened at one moment within its interval: first its sight was true, then its effect was. */
export interface KeyOperation {
  /** Unique in the history. */
  readonly id: number;
  /** Milliseconds of the campaign's monotonic clock. */
  readonly startMs: number;
  /**
   * When the answer was there. Infinity for a change without one, or with one that leaves it open: it happened once, at any later time, or
   * never. Without an effect it would say nothing.
   */
  readonly endMs: number;
  readonly sight?: Sight;
  readonly effect?: Effect;
  /**
   * A read that may be so old: its sight was true at a moment of its interval or of so many milliseconds before, but not before a change of
   * Forebay's own clients that had been answered when it began.
   */
  readonly freshMs?: number;
  /** A change behind Forebay's back. */
  readonly isOutside?: boolean;
  /** For whoever reads a report: which operation, through which node, what was answered. */
  readonly label: string;
}

/** ETags by version id. A version without one may have any. */
export type Etags = ReadonlyMap<string, string>;

export interface KeyHistory {
  readonly key: string;
  readonly operations: readonly KeyOperation[];
  readonly etags: Etags;
}
