import { type Freshness, freshnessUnder, isAlwaysAsked } from '../common/freshness.ts';
import type { CacheRule } from '../common/policy.ts';
import { formatFreshness } from './mount-spec.ts';
import { type PolicyFieldName, type PolicyRow, policyFieldNames } from './policy.ts';
import { fieldLabels, formatPolicyField } from './policy-spec.ts';
import { type PolicyTable, policyName } from './policy-table.ts';
import { type ChosenFields, chooseFields, PolicyTree } from './policy-tree.ts';

/** What holds for one object, in words. */
export interface PolicyExplanation {
  /** Whether what is read of it is kept. */
  readonly kept: CacheRule;
  /** `from`: the prefix that it was set for, as `s3://BUCKET/PREFIX/`; `mount` of the mount's own freshness; or `default`. */
  readonly fields: readonly { readonly name: string; readonly value: string; readonly from: string }[];
}

const defaults: Readonly<Record<Exclude<PolicyFieldName, 'freshness'>, string>> = {
  ttlMs: 'forever',
  pin: 'no',
  priority: 'normal',
  cache: 'always',
  include: '*',
  exclude: 'nothing',
  minSizeBytes: '0B',
  maxSizeBytes: 'unlimited',
  quotaBytes: 'none',
};

/**
 * Which policy each part comes from that holds for a key. `own`: the mount's freshness; undefined where nobody else changes the storage.
 * Where `sizeBytes` is not given, bounds of sizes are left out of whether it is kept. Pure.
 */
export function explainPolicy(
  table: PolicyTable,
  bucket: string,
  key: string,
  own: Freshness | undefined,
  sizeBytes?: number,
): PolicyExplanation {
  const rows = table.rowsFor(bucket, key);
  const chosen = chooseFields(rows);
  const tree = new PolicyTree(rows, { keyPrefix: '', pathPrefix: '' }, () => undefined);
  const fields = policyFieldNames.flatMap((name) =>
    name === 'freshness' ? [freshnessField(chosen, own)] : fieldLines(name, chosen, rows),
  );
  return {
    kept: tree.of(key)?.keeps(key, sizeBytes) ?? 'always',
    fields,
  };
}

/** Of quotas all that count, the innermost first. */
function fieldLines(
  name: Exclude<PolicyFieldName, 'freshness'>,
  chosen: ChosenFields,
  rows: readonly PolicyRow[],
) {
  const from =
    name === 'quotaBytes' ? rows.filter(({ quotaBytes }) => quotaBytes !== undefined).reverse() : [];
  const chosenRow = chosen[name]?.row;
  const sources = from.length > 0 ? from : chosenRow ? [chosenRow] : [];
  if (sources.length === 0) return [{ name: fieldLabels[name], value: defaults[name], from: 'default' }];
  return sources.map((row) => ({
    name: fieldLabels[name],
    value: formatPolicyField(name, row) ?? defaults[name],
    from: `s3://${policyName(row)}`,
  }));
}

function freshnessField({ freshness: chosen }: ChosenFields, own: Freshness | undefined) {
  const name = 'freshness';
  if (!own) return { name, value: 'never old', from: 'mount' };
  const value = formatFreshness(freshnessUnder(own, { freshness: chosen?.value }));
  return { name, value, from: chosen && !isAlwaysAsked(own) ? `s3://${policyName(chosen.row)}` : 'mount' };
}
