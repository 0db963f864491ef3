import { abortable } from '../common/abortable.ts';
import { PeerError } from '../peers/errors.ts';
import type { Ownership, ViewMember } from '../ring/ownership.ts';

/** What a node tells of itself to those who look after it. Both what it is asked and what it tells are JSON. */
export interface Reporter {
  tell(kind: string, about: unknown): Promise<unknown>;
}

/** What a member told; or why it did not. */
export interface MemberReport {
  readonly member: ViewMember;
  readonly told?: unknown;
  readonly silence?: string;
}

/** Members that are asked at once. */
const atOnce = 64;

/** Asks all members of the cluster, or this node alone where there is none, what they have to tell. */
export class MemberReports {
  readonly #ownership: Ownership;
  readonly #own: Reporter;
  readonly #askOther: (
    member: ViewMember,
    kind: string,
    about: unknown,
    timeoutMs: number,
  ) => Promise<unknown>;

  constructor(
    ownership: Ownership,
    own: Reporter,
    askOther: (member: ViewMember, kind: string, about: unknown, timeoutMs: number) => Promise<unknown>,
  ) {
    this.#ownership = ownership;
    this.#own = own;
    this.#askOther = askOther;
  }

  /** In order of workerId, each member once. Whoever has not told within `withinMs` is silent. */
  async ask(kind: string, about: unknown, withinMs: number): Promise<readonly MemberReport[]> {
    const { members } = this.#ownership.view();
    const reports: MemberReport[] = new Array(members.length);
    const late = AbortSignal.timeout(withinMs);
    let next = 0;
    const askOn = async () => {
      for (let at = next++; at < members.length; at = next++) {
        const member = members[at] as ViewMember;
        reports[at] = late.aborted
          ? { member, silence: 'there was no time to ask it' }
          : await this.#askOne(member, kind, about, withinMs, late);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, members.length) }, askOn));
    return reports;
  }

  async #askOne(
    member: ViewMember,
    kind: string,
    about: unknown,
    withinMs: number,
    late: AbortSignal,
  ): Promise<MemberReport> {
    const isSelf = member.workerId === this.#ownership.workerId;
    try {
      const telling = isSelf ? this.#own.tell(kind, about) : this.#askOther(member, kind, about, withinMs);
      return { member, told: await abortable(telling, late) };
    } catch (error) {
      if (late.aborted) return { member, silence: `no answer within ${withinMs / 1_000} s` };
      if (error instanceof PeerError) return { member, silence: error.message };
      throw error;
    }
  }
}
