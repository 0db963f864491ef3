import type { Clock } from '../../common/clock.ts';
import type { Standing, StandingMember } from '../../pending/sets/standing.ts';
import type { Ownership } from '../../ring/ownership.ts';

/** More epochs than a generation will ever have. */
const epochsInGeneration = 1e10;

/** What a member of a ring is among the others, for its pending writes. */
export class RingStanding implements Standing {
  readonly outlastMs: number;
  readonly #clock: Clock;
  readonly #ownership: Ownership;

  /** `outlastMs`: as in `Standing`. */
  constructor(clock: Clock, ownership: Ownership, outlastMs: number) {
    this.#clock = clock;
    this.#ownership = ownership;
    this.outlastMs = outlastMs;
  }

  get workerId(): string {
    return this.#ownership.workerId;
  }

  get incarnation(): string {
    return this.#ownership.incarnation;
  }

  isActive(): boolean {
    const { monotonicMs, wallMs } = this.#ownership.leaseEnd();
    if (this.#clock.monotonicMs() >= monotonicMs || this.#clock.nowMs() >= wallMs) return false;
    const self = this.#ownership.view().member(this.workerId);
    return self !== undefined && self.incarnation === this.incarnation && self.state !== 'suspect';
  }

  members(): readonly StandingMember[] {
    return this.#ownership.view().members;
  }

  epoch(): number {
    const { generation, epoch } = this.#ownership.view();
    return generation * epochsInGeneration + epoch;
  }

  mayUse(objectHash: number): boolean {
    return this.#ownership.mayUseMetadata(objectHash);
  }

  ownedSince(objectHash: number): number | undefined {
    return this.#ownership.ownedSince(objectHash);
  }

  gains(): { readonly views: number; readonly areSettled: boolean } {
    return this.#ownership.gains();
  }

  onView(listener: () => void): () => void {
    return this.#ownership.onView(listener);
  }
}
