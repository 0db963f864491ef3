import type { Clock } from '../common/clock.ts';
import type { Ownership, ViewMember } from './ownership.ts';

/** A node that was a member and went without handing over what it owned. */
export interface Departure {
  readonly member: ViewMember;
  /** When this node heard of it. */
  readonly atMs: number;
}

const keptMs = 60 * 60_000;
const maxKept = 64;

/** Remembers for an hour who went from the cluster as nodes go that are killed, or cut off, and has not come back. */
export class Departures {
  readonly #clock: Clock;
  #members: readonly ViewMember[];
  #gone: Departure[] = [];

  constructor(clock: Clock, ownership: Ownership) {
    this.#clock = clock;
    this.#members = ownership.view().members;
    ownership.onView(({ view }) => this.#follow(view.members));
  }

  /** The latest last. */
  get recent(): readonly Departure[] {
    const sinceMs = this.#clock.nowMs() - keptMs;
    return this.#gone.filter(({ atMs }) => atMs >= sinceMs);
  }

  #follow(members: readonly ViewMember[]): void {
    const here = new Set(members.map(({ workerId }) => workerId));
    const atMs = this.#clock.nowMs();
    const lost = this.#members.filter(({ workerId, state }) => !here.has(workerId) && state !== 'draining');
    const still = this.#gone.filter(({ member }) => !here.has(member.workerId));
    this.#gone = [...still, ...lost.map((member) => ({ member, atMs }))].slice(-maxKept);
    this.#members = members;
  }
}
