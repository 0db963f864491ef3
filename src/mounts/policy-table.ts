import type { PolicyInForce, Quota } from '../common/policy.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { BucketRecord } from './mount.ts';
import type { MountTable } from './mount-table.ts';
import type { PolicyRow } from './policy.ts';
import { PolicyTree } from './policy-tree.ts';

/** Every policy as it stands at one moment, by the names that objects have for clients and by those that their pages have. Immutable and pure. */
export class PolicyTable {
  static readonly empty = new PolicyTable([], undefined, () => undefined);
  /** In byte order of bucket and prefix. */
  readonly rows: readonly PolicyRow[];
  private readonly byBucket: ReadonlyMap<string, readonly PolicyRow[]>;
  private readonly trees = new Map<string, PolicyTree>();

  /** `mounts` and `bucketOf`: which incarnations the keys of a bucket belong to. */
  constructor(
    rows: Iterable<PolicyRow>,
    mounts: MountTable | undefined,
    bucketOf: (name: string) => Pick<BucketRecord, 'incarnation'> | undefined,
  ) {
    this.rows = [...rows].sort((a, b) => compareUtf8(a.bucket, b.bucket) || compareUtf8(a.prefix, b.prefix));
    this.byBucket = Map.groupBy(this.rows, ({ bucket }) => bucket);
    for (const [bucket, own] of this.byBucket) {
      const quotas = new Map<string, Quota>();
      const quotaOf = (row: PolicyRow) => quotaFrom(row, own, quotas);
      const record = bucketOf(bucket);
      if (record) this.add(record.incarnation, own, { keyPrefix: '', pathPrefix: `${bucket}/` }, quotaOf);
      for (const { incarnation, prefix } of mounts?.mountsOf(bucket) ?? []) {
        this.add(incarnation, own, { keyPrefix: prefix, pathPrefix: '' }, quotaOf);
      }
    }
  }

  get(bucket: string, prefix: string): PolicyRow | undefined {
    return this.byBucket.get(bucket)?.find((row) => row.prefix === prefix);
  }

  /** Those that hold for a key, the shortest prefix first. */
  rowsFor(bucket: string, key: string): readonly PolicyRow[] {
    return (this.byBucket.get(bucket) ?? [])
      .filter(({ prefix }) => key.startsWith(prefix))
      .sort((a, b) => a.prefix.length - b.prefix.length);
  }

  /** What holds for a path of an incarnation; for each request. */
  of(incarnation: string, path: string): PolicyInForce | undefined {
    return this.trees.size === 0 ? undefined : this.trees.get(incarnation)?.of(path);
  }

  private add(
    incarnation: string,
    rows: readonly PolicyRow[],
    base: { readonly keyPrefix: string; readonly pathPrefix: string },
    quotaOf: (row: PolicyRow) => Quota | undefined,
  ): void {
    const tree = new PolicyTree(rows, base, quotaOf);
    // A bucket that is a mount has the mount's incarnation nowhere else.
    if (!tree.isEmpty) this.trees.set(incarnation, tree);
  }
}

/** The row's quota, inside that of the nearest row around it which has one. */
function quotaFrom(row: PolicyRow, rows: readonly PolicyRow[], made: Map<string, Quota>): Quota | undefined {
  const { prefix, quotaBytes } = row;
  if (quotaBytes === undefined) return undefined;
  const name = policyName(row);
  const known = made.get(name);
  if (known) return known;
  const around = rows
    .filter((one) => one.quotaBytes !== undefined && one.prefix.length < prefix.length)
    .filter((one) => prefix.startsWith(one.prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0];
  const quota: Quota = { name, bytes: quotaBytes, outer: around && quotaFrom(around, rows, made) };
  made.set(name, quota);
  return quota;
}

/** `BUCKET/` or `BUCKET/PREFIX/`. */
export function policyName({ bucket, prefix }: Pick<PolicyRow, 'bucket' | 'prefix'>): string {
  return `${bucket}/${prefix}`;
}
