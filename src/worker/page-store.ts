import type { HeldPages } from '../common/held-pages.ts';
import type { Eviction } from './eviction-log.ts';
import type { Loans } from './loans.ts';
import type { SmallObjects } from './small-objects.ts';

/** Names one page of one version: never the same for other bytes. */
export interface PageKey {
  /** The mount's incarnation UUID. */
  readonly incarnation: string;
  /** The backend key below the mount. */
  readonly path: string;
  readonly generation: string;
  /** The page size that `pageIndex` counts in. Part of the name: another size cuts the same version into other bytes. */
  readonly pageSizeBytes: number;
  readonly pageIndex: number;
  /** No part of the name: a page that was filled before (Unix time) is absent. */
  readonly notBeforeSeconds?: number | undefined;
  /** No part of the name: a page that nobody has asked for yet takes the place of none that is read. */
  readonly isLoad?: boolean | undefined;
}

/**
 * Where pages lie. A page is whole or absent. Never rejects for a fault of its medium: what cannot be read, or fails its
 * block checksums, is absent (and counted); what cannot be written is not kept. All methods may run concurrently.
 */
export interface PageStore {
  /**
   * Bytes `[start, end)` within the page, or undefined if the page is absent. Every block touched is checked.
   * A Buffer given out is never written to again; with `loans`, not until they are given back.
   */
  read(key: PageKey, start: number, end: number, loans?: Loans): Promise<Buffer | undefined>;
  /**
   * As `read`, without waiting: undefined also when only a slower medium has it. For the hot path. With `loans` the bytes may be lent:
   * they are not written to until the loans are given back.
   */
  readNow(key: PageKey, start: number, end: number, loans?: Loans): Buffer | undefined;
  /** Small objects whose pages `readNow` would find. */
  readonly smallObjects?: SmallObjects;
  /** A page is being read from its beginning by another way: as much of a reason to keep it at hand as if it were read here. */
  expect?(key: PageKey): Promise<void>;
  /** Whether the page is probably there; no medium is touched. */
  has(key: PageKey): boolean;
  /** Reads the page where it lies and compares all its checksums; no reason to keep it longer. What is not as it was written is given up. */
  check(key: PageKey): Promise<boolean>;
  /** Whether it has pages of any version of a path; no medium is touched. */
  hasSome(incarnation: string, path: string): boolean;
  /** About how many paths it has pages of; no medium is touched. */
  pathCount(): number;
  /** Where a page probably lies; no medium is touched. Absent where there is one place only. */
  tierOf?(key: PageKey): 'memory' | 'disk' | undefined;
  /** When pages of an object were given up last, and why; undefined where nothing is remembered of it. */
  lastEviction?(incarnation: string, path: string): Eviction | undefined;
  /** Keeps a whole page, given in pieces, if it is admitted; makes room by evicting. Nobody changes the bytes afterwards. */
  write(key: PageKey, ...pieces: readonly Buffer[]): Promise<void>;
  /** Forgets every page of a path, or only those of other generations than `keepGeneration`. */
  remove(incarnation: string, path: string, keepGeneration?: string): Promise<void>;
  /** Forgets every page of a mount's incarnation. */
  removeIncarnation(incarnation: string): Promise<void>;
  /** What it holds below a prefix of an incarnation's paths that is '' or ends with a slash: each page once. */
  heldBelow(incarnation: string, prefix: string): Promise<HeldPages>;
  /** Policies have changed, or time has passed: drops what is not to be kept any more by them. */
  applyPolicies(): Promise<void>;
  readonly usage: { readonly pages: number; readonly bytes: number; readonly capacityBytes: number };
  close(): Promise<void>;
}
