import type { Policies, PolicyInForce, Quota } from '../../src/common/policy.ts';
import type { PolicyFields, PolicyRow } from '../../src/mounts/policy.ts';
import { PolicyTree } from '../../src/mounts/policy-tree.ts';

/** Policies of one bucket, whose keys are the paths of every incarnation; the test sets them. */
export class ChangingPolicies implements Policies {
  quotaPart = 1;
  private readonly rows = new Map<string, PolicyRow>();
  private readonly listeners = new Set<() => void>();
  private tree: PolicyTree | undefined;

  static of(rows: Readonly<Record<string, PolicyFields>>): ChangingPolicies {
    const policies = new ChangingPolicies();
    for (const [prefix, fields] of Object.entries(rows)) policies.set(prefix, fields);
    return policies;
  }

  get isEmpty(): boolean {
    return this.rows.size === 0;
  }

  of(_: string, path: string): PolicyInForce | undefined {
    return this.tree?.of(path);
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(prefix: string, fields: PolicyFields): void {
    this.rows.set(prefix, { bucket: 'bucket', prefix, ...fields });
    this.changed();
  }

  remove(prefix: string): void {
    this.rows.delete(prefix);
    this.changed();
  }

  changed(): void {
    const rows = [...this.rows.values()];
    const base = { keyPrefix: '', pathPrefix: '' };
    this.tree = new PolicyTree(rows, base, (row) => quotaOf(row, rows));
    for (const listener of this.listeners) listener();
  }
}

function quotaOf({ prefix, quotaBytes = 0 }: PolicyRow, rows: readonly PolicyRow[]): Quota {
  const outer = rows
    .filter((row) => row.quotaBytes !== undefined && row.prefix.length < prefix.length)
    .find((row) => prefix.startsWith(row.prefix));
  return { name: prefix, bytes: quotaBytes, outer: outer && quotaOf(outer, rows) };
}
