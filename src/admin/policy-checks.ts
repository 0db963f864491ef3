import { type Freshness, isAlwaysAsked } from '../common/freshness.ts';
import type { HoldingsTarget } from '../common/held-pages.ts';
import { formatSizeBytes } from '../common/units.ts';
import { effectiveFreshness } from '../mounts/mount.ts';
import { mountName } from '../mounts/mount-spec.ts';
import type { PolicyRow } from '../mounts/policy.ts';
import { PolicyError } from '../mounts/policy-error.ts';
import { policyName } from '../mounts/policy-table.ts';
import type { HeldByAll } from './holdings-of-all.ts';
import type { AdminServices } from './route.ts';

const MiB = 1024 * 1024;
/** Part of the capacity that can be pinned: with more it would be hard to make room for anything else. */
const pinnedPart = 1 / 2;

/** The freshness of the mount that a key lies in; undefined where nobody else changes its storage. */
export async function ownFreshness(
  { mounts, backends, leaseMs }: Pick<AdminServices, 'mounts' | 'backends' | 'leaseMs'>,
  bucket: string,
  key: string,
): Promise<Freshness | undefined> {
  const { mount } = mounts.table.resolve(bucket, key);
  const { capabilities, uri } = await backends.get(mount);
  if (capabilities.exclusive) return undefined;
  return effectiveFreshness(mount === 'root' ? { uri } : mount, leaseMs);
}

/** Refuses what would have no effect. Kinds: invalid. */
export async function checkFreshness(services: AdminServices, row: PolicyRow): Promise<void> {
  if (row.freshness === undefined) return;
  const own = await ownFreshness(services, row.bucket, `${row.prefix}key`);
  if (!own) {
    throw new PolicyError(
      'invalid',
      '--freshness has no meaning here: nobody but Forebay changes this storage, so that what is known of it is never old',
    );
  }
  if (!isAlwaysAsked(own)) return;
  const { mount } = services.mounts.table.resolve(row.bucket, `${row.prefix}key`);
  throw new PolicyError(
    'invalid',
    `the mount ${mount === 'root' ? 'root' : mountName(mount)} is always asked, which a policy cannot take back: add the mount with --freshness lease:30s, and set --freshness always where it is needed`,
  );
}

/** Refuses quotas and pins that the nodes have no room for, as far as all of them answer. Kinds: limit. */
export async function checkRoom(
  services: Pick<AdminServices, 'policies'>,
  row: PolicyRow,
  ask: (targets: readonly HoldingsTarget[]) => Promise<HeldByAll>,
): Promise<void> {
  const pinned = row.pin ? pinnedRows(services.policies.table.rows, row) : [];
  const { told: answers, silent } = await ask(pinned);
  // Nobody can say then how much room there is.
  if (silent.length > 0) return;
  const capacityBytes = sum(answers.map((answer) => answer.capacityBytes));
  if (row.quotaBytes !== undefined && row.quotaBytes > capacityBytes) {
    throw new PolicyError(
      'limit',
      `the quota ${formatSizeBytes(row.quotaBytes)} is too large: all nodes together have ${inMiB(capacityBytes)} for pages`,
    );
  }
  const pinnedBytes = sum(
    pinned.map((one, index) => one.quotaBytes ?? sum(answers.map(({ held }) => held[index]?.bytes ?? 0))),
  );
  const mostBytes = capacityBytes * pinnedPart;
  if (pinnedBytes <= mostBytes) return;
  throw new PolicyError(
    'limit',
    `s3://${policyName(row)} cannot be pinned: what is pinned would take ${inMiB(pinnedBytes)}, and at most half of what all nodes have for pages can be (${inMiB(mostBytes)}): set a smaller --quota with it, or free some of it`,
  );
}

/** The prefixes that would be pinned, those inside others left out. */
function pinnedRows(rows: readonly PolicyRow[], next: PolicyRow): readonly PolicyRow[] {
  const others = rows.filter((row) => policyName(row) !== policyName(next) && row.pin);
  const all = [...others, next];
  return all.filter((row) => !all.some((around) => around !== row && isInside(row, around)));
}

function isInside(row: PolicyRow, around: PolicyRow): boolean {
  return row.bucket === around.bucket && row.prefix.startsWith(around.prefix);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + number, 0);
}

/** Exact enough to see what is wrong. */
function inMiB(bytes: number): string {
  return formatSizeBytes(Math.floor(bytes / MiB) * MiB);
}
