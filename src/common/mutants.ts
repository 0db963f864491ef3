/**
 * Planted defects. Each switches one protection off, so that a test can show that its check would notice.
 * Nothing outside tests sets them.
 */
export interface Mutants {
  /** Metadata that a write overtook is kept all the same. */
  readonly installOvertakenMetadata?: boolean;
  /** A validating read joins a question that was asked before it arrived. */
  readonly joinEarlierValidation?: boolean;
  /** Blocks that come off a disk are not compared with their checksums. */
  readonly skipPageChecksum?: boolean;
  /** Pages of a generation that may still change are kept. */
  readonly keepUnsettledPages?: boolean;
  /** Each reader of a missing page asks the backend for itself. */
  readonly separateFills?: boolean;
  /** A backend read that ends early is taken for whole. */
  readonly acceptShortReads?: boolean;
  /** A fill keeps its memory after its last reader has gone. */
  readonly leakFlights?: boolean;
}
