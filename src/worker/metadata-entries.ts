import type { Clock } from '../common/clock.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import { CachePolicy } from './cache-policy.ts';
import type { KnownMeta, MetadataTarget } from './reader.ts';

/** When something was known to be the backend's state, on both clocks. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** That there is no object. */
export interface KnownAbsence {
  readonly meta: undefined;
  readonly validatedMs: number;
}

interface Entry {
  readonly known: KnownMeta | KnownAbsence;
  readonly moment: Moment;
}

/** Absence is remembered for at most so long, whatever the lease. */
const maxAbsentMs = 5000;
const overheadBytes = 600;

/** What is known of objects and for how long it may be used. Bounded; it takes no part in who may install. */
export class MetadataEntries {
  private readonly clock: Clock;
  private readonly policy: CachePolicy<Entry>;

  constructor(clock: Clock, capacityBytes: number) {
    this.clock = clock;
    this.policy = new CachePolicy({ capacityBytes, maxEntries: Number.POSITIVE_INFINITY });
  }

  get count(): number {
    return this.policy.count;
  }

  get bytes(): number {
    return this.policy.usedBytes;
  }

  now(): Moment {
    return { wallMs: this.clock.nowMs(), monotonicMs: this.clock.monotonicMs() };
  }

  /** What may be used now without asking the backend, by a reader to whom nothing older than `maxAgeMs` is of use. */
  usable(
    name: string,
    target: MetadataTarget,
    maxAgeMs = Number.POSITIVE_INFINITY,
  ): KnownMeta | KnownAbsence | undefined {
    const entry = this.policy.get(name);
    if (!entry || !this.isUsable(entry, target, maxAgeMs)) return undefined;
    this.policy.touch(name);
    return entry.known;
  }

  /**
   * Takes the place of what was known, unless that was asked for later. `moment` is when the question was sent, so never later
   * than the state it tells of.
   */
  install(name: string, target: MetadataTarget, meta: ObjectMeta, moment: Moment): KnownMeta {
    const known: KnownMeta = { meta, validatedMs: moment.wallMs };
    if (this.isOlder(name, moment)) return known;
    this.policy.remove(name);
    if (meta.generationSettled && mayKeep(target)) this.keep(name, { known, moment }, sizeOf(meta));
    return known;
  }

  installAbsent(name: string, target: MetadataTarget, moment: Moment): void {
    if (this.isOlder(name, moment)) return;
    this.policy.remove(name);
    // An exclusive backend answers for itself at no cost, and nothing here would be told when a key appears.
    if (!target.backend.capabilities.exclusive && mayKeep(target)) {
      this.keep(name, { known: { meta: undefined, validatedMs: moment.wallMs }, moment }, 0);
    }
  }

  /** The backend was seen to have this (undefined: nothing), by one who leaves nothing here. What says otherwise goes. */
  contradict(name: string, meta: ObjectMeta | undefined): void {
    if (this.policy.get(name)?.known.meta?.generation !== meta?.generation) this.policy.remove(name);
  }

  remove(name: string): void {
    this.policy.remove(name);
  }

  private keep(name: string, entry: Entry, sizeBytes: number): void {
    const costBytes = overheadBytes + 2 * name.length + sizeBytes;
    if (this.policy.fits(costBytes)) this.policy.admit(name, costBytes, entry);
  }

  private isOlder(name: string, moment: Moment): boolean {
    const held = this.policy.get(name);
    return held !== undefined && held.moment.monotonicMs > moment.monotonicMs;
  }

  private isUsable(entry: Entry, target: MetadataTarget, maxAgeMs: number): boolean {
    const limitMs = Math.min(limitOf(target), entry.known.meta ? maxAgeMs : Math.min(maxAgeMs, maxAbsentMs));
    return limitMs === Number.POSITIVE_INFINITY || this.ageMs(entry) < limitMs;
  }

  /** By whichever clock says more: one stands still while the machine sleeps, the other may be set back. */
  private ageMs(entry: Entry): number {
    const now = this.now();
    return Math.max(now.monotonicMs - entry.moment.monotonicMs, now.wallMs - entry.moment.wallMs);
  }
}

/** How old what is known of this mount's objects may be. */
function limitOf({ backend, freshness }: MetadataTarget): number {
  if (backend.capabilities.exclusive || freshness.kind === 'immutable') return Number.POSITIVE_INFINITY;
  return freshness.kind === 'lease' ? freshness.ms : 0;
}

/** True if metadata of this mount can ever be used without asking again. */
export function mayKeep(target: MetadataTarget): boolean {
  return limitOf(target) > 0;
}

function sizeOf(meta: ObjectMeta): number {
  let chars = meta.etag.length + meta.generation.length;
  for (const value of Object.values(meta.headers)) chars += value?.length ?? 0;
  for (const [name, value] of Object.entries(meta.userMetadata)) chars += name.length + value.length + 32;
  return 2 * chars + 160 * (meta.parts?.length ?? 0) + 100 * Object.keys(meta.checksums ?? {}).length;
}
