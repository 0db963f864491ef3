import type { Clock } from '../../common/clock.ts';
import type { ObjectMeta } from '../../common/object-meta.ts';
import { CoordError } from '../../coord/store.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Epoch, OwnedWrite, Ownership, ViewMember } from '../../ring/ownership.ts';
import { S3Error } from '../../s3api/errors.ts';
import { UfsError } from '../../ufs/errors.ts';
import type { MetadataCache } from '../../worker/metadata-cache.ts';
import { mayOthersKeep } from '../../worker/metadata-entries.ts';
import type {
  CheckStill,
  FoundMeta,
  KnownMeta,
  LookUpOptions,
  MetadataSource,
  MetadataTarget,
} from '../../worker/reader.ts';
import { Fences } from './fences.ts';
import { hashOf } from './routes.ts';

/** How often a change that has to wait looks whether it still has to, ms. */
const lookEveryMs = 100;

/** Answered of a change that surely had no effect, so that whoever sent it may send it again. */
export const noEffect = { 'x-forebay-effect': 'none' } as const;

/** This node is not the owner of what it was asked to change; it did nothing. */
export class MovedError extends S3Error {
  override name = 'MovedError';

  constructor() {
    super('ServiceUnavailable', {
      message: 'The object is moving to another node. Please try again.',
      headers: noEffect,
    });
  }
}

type MemberQuestion = (member: ViewMember, target: MetadataTarget, signal: AbortSignal) => Promise<boolean>;

/** What other members are asked about an object that is changed here. */
export interface MemberQuestions {
  /** That it forget the object; true if it is its owner, and has. */
  readonly invalidate: MemberQuestion;
  /** That it forget the object; true if it has no view lease any more, of the view that this node goes by, and has. */
  readonly lapsed: MemberQuestion;
}

/**
 * Metadata on a member of a ring. What is known is used by the object's owner alone, under a view lease that is valid at that moment;
 * everything else is asked of the storage, and not kept. A change is the owner's, and ends well only if it still may be
 * acknowledged after the storage has answered, or whoever owns the object by then has forgotten it. Objects that are never kept are asked
 * for at each look, so that nothing has to be waited for when they change.
 */
export class OwnedMetadata implements MetadataSource {
  readonly #clock: Clock;
  readonly #cache: MetadataCache;
  readonly #ownership: Ownership;
  readonly #questions: MemberQuestions;
  readonly #fences: Fences;
  /** How long a change waits for its object to be settled, before and after, ms. */
  readonly #settleTimeoutMs: number;

  constructor(
    clock: Clock,
    cache: MetadataCache,
    ownership: Ownership,
    questions: MemberQuestions,
    settleTimeoutMs: number,
  ) {
    this.#clock = clock;
    this.#cache = cache;
    this.#ownership = ownership;
    this.#questions = questions;
    this.#fences = new Fences(ownership);
    this.#settleTimeoutMs = settleTimeoutMs;
    ownership.onView(({ keeps }) =>
      cache.retain(({ incarnation, path }) => keeps(hashOf({ incarnation, path }))),
    );
  }

  peek(
    target: MetadataTarget,
    options?: Pick<LookUpOptions, 'maxAgeMs' | 'checksums'>,
  ): KnownMeta | undefined {
    return this.#mayKeep(target) ? this.#cache.peek(target, options) : undefined;
  }

  get(target: MetadataTarget, options: LookUpOptions = {}): Promise<FoundMeta> {
    return this.#mayKeep(target) ? this.#cache.get(target, options) : this.validated(target, options);
  }

  /** As the storage has it now, whoever owns it. */
  validated(target: MetadataTarget, options: LookUpOptions = {}): Promise<FoundMeta> {
    const { signal } = options;
    return this.#cache.get(target, { ...options, signal, revalidate: true, noStore: true });
  }

  /** Rejects with `MovedError` where this node is not the owner of what may be kept. */
  async write<T extends ObjectMeta | undefined | 'unknown'>(
    target: MetadataTarget,
    change: (checkStill: CheckStill) => Promise<T>,
  ): Promise<T> {
    const hash = hashOf(target);
    const isKept = mayOthersKeep(target);
    if (isKept) {
      await this.#settled(target, hash);
      await this.#fences.clear(target);
    }
    const owned = this.#ownership.beginWrite(hash);
    if (!owned && isKept) throw new MovedError();
    let isUnresolved = false;
    try {
      const checkStill = owned && isKept ? this.#checkOf(target, hash, owned) : async () => {};
      const couldKeep = this.#mayKeep(target);
      const mayKeepNow = () => couldKeep && this.#mayKeep(target);
      const result = await this.#cache.write(target, () => change(checkStill), mayKeepNow);
      if (owned && isKept && !owned.mayAcknowledge()) await this.#makeKnown(target, hash, owned);
      return result;
    } catch (error) {
      isUnresolved = error instanceof UfsError && error.unresolved;
      throw error;
    } finally {
      owned?.end(isUnresolved);
    }
  }

  invalidate(target: MetadataTarget): void {
    this.#cache.invalidate(target);
  }

  /** For another node that has changed the object while it passed over to this one. False if this node cannot say that it owns it now. */
  invalidateAsOwner(target: MetadataTarget): boolean {
    if (!this.#ownership.owns(hashOf(target)) || !this.#hasLease()) return false;
    this.#cache.invalidate(target);
    return true;
  }

  /** For another node while the coordination store is away. False where this node goes by another view, or still has its lease. */
  invalidateAsLapsed(target: MetadataTarget, asked: Epoch): boolean {
    const { generation, epoch } = this.#ownership.view();
    if (asked.generation !== generation || asked.epoch !== epoch || this.#hasLease()) return false;
    this.#cache.invalidate(target);
    return true;
  }

  /** What is known may be used, and what is learned may be kept. */
  #mayKeep(target: MetadataTarget): boolean {
    return this.#isOwned(target) && this.#isClear(target);
  }

  #isOwned(target: MetadataTarget): boolean {
    return this.#ownership.mayKeepMetadata(hashOf(target));
  }

  #isClear(target: MetadataTarget): boolean {
    if (this.#fences.isClear(target)) return true;
    // Until then the storage is asked each time; where it cannot be reached, who asks it finds out.
    void this.#fences.clear(target).catch(() => {});
    return false;
  }

  #hasLease(): boolean {
    const { monotonicMs, wallMs } = this.#ownership.leaseEnd();
    return this.#clock.monotonicMs() < monotonicMs && this.#clock.nowMs() < wallMs;
  }

  /** Nothing is changed before whoever owned the object has released it, or nobody can use what is known any more. */
  async #settled(target: MetadataTarget, hash: number): Promise<void> {
    const signal = AbortSignal.timeout(this.#settleTimeoutMs);
    // Where a change cannot say what it replaces, one of the node before that comes late would undo it.
    const { conditionalPut } = target.backend.capabilities;
    while (!signal.aborted) {
      if (!this.#ownership.owns(hash)) return;
      if (conditionalPut ? this.#ownership.mayUseMetadata(hash) : this.#mayKeep(target)) return;
      if (conditionalPut && (await this.#allLapsed(target, signal))) return;
      await this.#nextLook(hash, signal);
    }
    const message = 'The object is passing over to this node. Please try again.';
    throw new S3Error('ServiceUnavailable', { message, headers: noEffect });
  }

  /**
   * What a change asks before it lets the storage change something: a node that stood still meanwhile must not change what another may
   * know by now. While the object is this node's it waits for a lease, as before.
   */
  #checkOf(target: MetadataTarget, hash: number, owned: OwnedWrite): CheckStill {
    let wasLetGo = false;
    return async () => {
      const signal = AbortSignal.timeout(this.#settleTimeoutMs);
      while (!owned.mayGoOut()) {
        if (!owned.isHeld() || signal.aborted) throw movedAway(wasLetGo);
        if ((await this.#allLapsed(target, signal)) && owned.isHeld()) break;
        await this.#nextLook(hash, signal);
      }
      wasLetGo = true;
    };
  }

  /** Resolves when something may have changed about who may use what is known, or after a while. */
  async #nextLook(hash: number, signal: AbortSignal): Promise<void> {
    const look = AbortSignal.any([signal, AbortSignal.timeout(lookEveryMs)]);
    if (this.#ownership.mayUseMetadata(hash)) await this.#clock.sleep(lookEveryMs, signal).catch(() => {});
    else await this.#ownership.whenSettled(hash, look).catch(() => {});
  }

  /**
   * Whether the coordination store is away from every member of the last view: then nobody uses anything without asking the storage, and
   * what each knew of the object is forgotten. Of nodes that joined since this one does not know.
   */
  async #allLapsed(target: MetadataTarget, signal: AbortSignal): Promise<boolean> {
    if (this.#hasLease()) return false;
    const others = this.#ownership
      .view()
      .members.filter(({ workerId }) => workerId !== this.#ownership.workerId);
    // A cluster that has shrunk to one node cannot be told from a node that the others have left behind.
    if (others.length === 0) return false;
    // Whoever does not answer may still have a lease.
    const asked = others.map((member) => this.#questions.lapsed(member, target, signal).catch(() => false));
    const have = await Promise.all(asked);
    return have.every((one) => one) && !this.#hasLease();
  }

  /**
   * After a change that took longer than the ownership lasted: whoever owns the object now forgets what it may have learned before the
   * change had its effect. Where that does not come about, the change is not acknowledged.
   */
  async #makeKnown(target: MetadataTarget, hash: number, owned: OwnedWrite): Promise<void> {
    const signal = AbortSignal.timeout(this.#settleTimeoutMs);
    let cause: unknown;
    while (!signal.aborted) {
      if (owned.mayAcknowledge()) return;
      try {
        if (await this.#allLapsed(target, signal)) return this.#cache.invalidate(target);
        if (await this.#ownerForgets(target, hash, signal)) return;
        await this.#clock.sleep(20, signal);
      } catch (error) {
        // Whoever cannot be asked now is asked again until the time is up.
        if (!(error instanceof PeerError || error instanceof CoordError || signal.aborted)) throw error;
        cause = error;
        await this.#clock.sleep(20, signal).catch(() => {});
      }
    }
    throw movedAway(true, cause);
  }

  async #ownerForgets(target: MetadataTarget, hash: number, signal: AbortSignal): Promise<boolean> {
    const view = this.#ownership.view();
    const owner = view.metadataOwnerOf(hash);
    if (owner === this.#ownership.workerId) {
      // It may only have been without a lease for a while; if not, it was another's meanwhile, and is this node's again.
      return this.#ownership.mayUseMetadata(hash) && this.invalidateAsOwner(target);
    }
    const member = owner === undefined ? undefined : view.member(owner);
    return member !== undefined && this.#questions.invalidate(member, target, signal);
  }
}

/**
 * Of a change whose body may have been read already, so that it cannot be sent on. `wasLetGo`: the storage may have changed something
 * for it before, unheard.
 */
function movedAway(wasLetGo: boolean, cause?: unknown): S3Error {
  const message = 'The object passed to another node while it was changed. Please try again.';
  return new S3Error('ServiceUnavailable', { message, headers: wasLetGo ? {} : noEffect, cause });
}
