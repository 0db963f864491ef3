import type { Clock } from '../common/clock.ts';
import type { Holdings, HoldingsQuestion } from '../common/held-pages.ts';
import type { ConfigStore } from '../coord/config-store.ts';
import type { CoordStore } from '../coord/store.ts';
import { OwnHoldings } from '../gateway/holdings.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import { PolicyStore } from '../mounts/policy-store.ts';
import type { Ownership } from '../ring/ownership.ts';
import type { PageStore } from '../worker/page-store.ts';

/** The cluster's policies, with this node's part of their quotas: as much as its weight is among the members'. Rejects with `CoordError`. */
export async function openPolicies(
  clock: Clock,
  store: CoordStore,
  mounts: MountStore,
  ownership: Ownership,
  weight: number,
): Promise<PolicyStore> {
  const policies = await PolicyStore.open(clock, store, mounts);
  const share = () => policies.share(() => partOf(ownership, weight));
  ownership.onView(share);
  share();
  return policies;
}

/** What this node tells others, and operators, of what it holds. */
export function holdingsOf(
  mounts: MountStore,
  policies: PolicyStore,
  config: ConfigStore,
  pages: PageStore,
): (question: HoldingsQuestion) => Promise<Holdings> {
  const own = new OwnHoldings(
    () => mounts.table,
    mounts.buckets,
    pages,
    () => `${policies.digest}${config.digest}`,
  );
  return ({ targets }) => own.of(targets);
}

/** One that is no member yet has the part that it is about to have: it is not to drop what it kept before. */
function partOf(ownership: Ownership, weight: number): number {
  const others = ownership.view().members.filter(({ workerId }) => workerId !== ownership.workerId);
  return weight / others.reduce((all, other) => all + other.weight, weight);
}
