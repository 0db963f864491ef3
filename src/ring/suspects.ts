import { CoordError, type CoordStore } from '../coord/store.ts';
import type { Suspicion } from './next-view.ts';
import type { ViewMember } from './ownership.ts';
import { suspectsPrefix } from './view-record.ts';

/** How long a member that somebody could not reach owns nothing. */
const suspicionMs = 15_000;

/** Tells the cluster which members this node cannot reach. */
export class Suspects {
  private readonly store: CoordStore;
  private readonly workerId: string;
  private readonly telling = new Map<string, Promise<void>>();

  constructor(store: CoordStore, workerId: string) {
    this.store = store;
    this.workerId = workerId;
  }

  /** Resolves when it is written. Calls for one member share one attempt. Rejects with `CoordError`. */
  tell(member: ViewMember): Promise<void> {
    const { workerId } = member;
    const present = this.telling.get(workerId);
    if (present) return present;
    const telling = this.write(member).finally(() => this.telling.delete(workerId));
    this.telling.set(workerId, telling);
    return telling;
  }

  private async write({ workerId, incarnation }: ViewMember): Promise<void> {
    const suspicion: Suspicion = { workerId, incarnation, by: this.workerId };
    const lease = await this.store.lease(suspicionMs);
    const key = `${suspectsPrefix}${workerId}/${this.workerId}`;
    const revision = await this.store.putIf(key, JSON.stringify(suspicion), 'any', lease);
    if (revision === undefined) throw new CoordError('unavailable', 'the suspicion was not taken');
  }
}
