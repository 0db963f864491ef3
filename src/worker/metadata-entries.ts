import type { Clock } from '../common/clock.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { DeleteMarker } from '../ufs/errors.ts';
import { CachePolicy } from './cache-policy.ts';
import { ageLimitMs, ageMs, type Moment } from './metadata-age.ts';
import type { KnownMeta, LookUpOptions, MetadataTarget } from './reader.ts';
import type { SharedMetadata } from './shared-metadata.ts';

/** That there is no object. */
export interface KnownAbsence {
  readonly meta: undefined;
  readonly validatedMs: number;
  readonly marker?: DeleteMarker;
}

interface Entry {
  readonly known: KnownMeta | KnownAbsence;
  readonly moment: Moment;
}

/** Absence is remembered for at most so long, whatever the lease. */
const maxAbsentMs = 5000;
/** Map slots, a queue node, and the headers that answers are made from. */
const overheadBytes = 1000;

/** What is known of objects and for how long it may be used. Bounded; it takes no part in who may install. */
export class MetadataEntries {
  private readonly clock: Clock;
  private readonly shared: SharedMetadata | undefined;
  private readonly policy: CachePolicy<Entry>;

  /** `shared`: where other threads see what may be used without asking. */
  constructor(clock: Clock, capacityBytes: number, shared?: SharedMetadata) {
    this.clock = clock;
    this.shared = shared;
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

  /** Whether there is something, be it too old to be used. */
  has(name: string): boolean {
    return this.policy.get(name) !== undefined;
  }

  /** What there is, and whether its age lets it be used. */
  look(
    name: string,
    target: MetadataTarget,
  ): ((KnownMeta | KnownAbsence) & { readonly isYoung: boolean }) | undefined {
    const entry = this.policy.get(name);
    return entry && { ...entry.known, isYoung: this.isUsable(entry, target, Number.POSITIVE_INFINITY) };
  }

  /** What may be used now without asking the backend, by a reader to whom nothing older than `maxAgeMs` is of use. */
  usable(
    name: string,
    target: MetadataTarget,
    { maxAgeMs = Number.POSITIVE_INFINITY, checksums }: Pick<LookUpOptions, 'maxAgeMs' | 'checksums'>,
  ): KnownMeta | KnownAbsence | undefined {
    const entry = this.policy.get(name);
    if (!entry || !this.isUsable(entry, target, maxAgeMs)) return undefined;
    if (checksums && entry.known.meta?.checksumsUnknown) return undefined;
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
    const isKept = meta.generationSettled && mayKeep(target);
    // Threads that look at what is published take it for all there is to know.
    const isPublished = isKept && !meta.checksumsUnknown;
    if (isPublished) this.policy.remove(name);
    else this.remove(name);
    if (isKept) this.keep(name, { known, moment }, sizeOf(meta));
    const { exclusive } = target.backend.capabilities;
    if (isPublished) this.shared?.publish(name, known, moment.monotonicMs, exclusive);
    return known;
  }

  installAbsent(name: string, target: MetadataTarget, moment: Moment, marker?: DeleteMarker): void {
    if (this.isOlder(name, moment)) return;
    this.remove(name);
    // An exclusive backend answers for itself at no cost, and nothing here would be told when a key appears.
    if (!target.backend.capabilities.exclusive && mayKeep(target)) {
      this.keep(name, { known: { meta: undefined, validatedMs: moment.wallMs, marker }, moment }, 0);
    }
  }

  /** The backend was seen to have this (undefined: nothing), by one who leaves nothing here. What says otherwise goes. */
  contradict(name: string, meta: ObjectMeta | undefined): void {
    const known = this.policy.get(name)?.known;
    // Other threads may still know what had to make room here.
    if (!known || known.meta?.generation !== meta?.generation) this.remove(name);
  }

  /** Whether what the backend was asked at `moment` may be used without asking again. */
  isYoung(target: MetadataTarget, moment: Moment): boolean {
    return ageMs(moment, this.clock) < limitOf(target);
  }

  /** May be removed from meanwhile. */
  names(): IterableIterator<string> {
    return this.policy.names();
  }

  remove(name: string): void {
    this.policy.remove(name);
    this.shared?.withdraw(name);
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
    return limitMs === Number.POSITIVE_INFINITY || ageMs(entry.moment, this.clock) < limitMs;
  }
}

/** How old what is known of this mount's objects may be. */
function limitOf({ backend, freshness }: Pick<MetadataTarget, 'backend' | 'freshness'>): number {
  return ageLimitMs(backend.capabilities.exclusive, freshness);
}

/** True if metadata of this mount can ever be used without asking again. */
export function mayKeep(target: MetadataTarget): boolean {
  return limitOf(target) > 0;
}

/** True if some node may use metadata of it without asking again, which may not know yet of a policy that asks for more freshness. */
export function mayOthersKeep({ backend, freshness, mountFreshness = freshness }: MetadataTarget): boolean {
  return limitOf({ backend, freshness: mountFreshness }) > 0;
}

function sizeOf(meta: ObjectMeta): number {
  let chars = meta.etag.length + meta.generation.length;
  for (const value of Object.values(meta.headers)) chars += value?.length ?? 0;
  for (const [name, value] of Object.entries(meta.userMetadata)) chars += name.length + value.length + 32;
  return 2 * chars + 160 * (meta.parts?.length ?? 0) + 100 * Object.keys(meta.checksums ?? {}).length;
}
