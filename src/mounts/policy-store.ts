import { createHash } from 'node:crypto';
import type { Clock } from '../common/clock.ts';
import type { Policies, PolicyInForce } from '../common/policy.ts';
import type { CoordStore } from '../coord/store.ts';
import { WatchedPrefix } from '../coord/watched-prefix.ts';
import type { MountStore } from './mount-store.ts';
import { maximumPolicies, type PolicyFieldName, type PolicyRow, policyFieldNames } from './policy.ts';
import { PolicyError } from './policy-error.ts';
import { PolicyTable, policyName } from './policy-table.ts';

const keyPrefix = 'policies/';

/** The policies of the coordination store, as they are now; whatever changes there shows here when the watch delivers it. */
export class PolicyStore implements Policies {
  private readonly mounts: MountStore;
  private readonly rows: WatchedPrefix<PolicyRow>;
  private readonly listeners = new Set<() => void>();
  private readonly stopFollowing: () => void;
  private present = PolicyTable.empty;
  private partOf = () => 1;

  private constructor(mounts: MountStore, rows: WatchedPrefix<PolicyRow>) {
    this.mounts = mounts;
    this.rows = rows;
    this.present = this.build();
    // What a policy's names stand for changes with the mounts.
    this.stopFollowing = mounts.onChange(() => {
      if (!this.isEmpty) this.refresh();
    });
  }

  static async open(clock: Clock, store: CoordStore, mounts: MountStore): Promise<PolicyStore> {
    let opened: PolicyStore | undefined;
    const decode = (value: string) => Object.freeze(JSON.parse(value) as PolicyRow);
    const rows = await WatchedPrefix.open(clock, store, keyPrefix, decode, () => opened?.refresh());
    opened = new PolicyStore(mounts, rows);
    return opened;
  }

  /** Immutable; another one after each change. */
  get table(): PolicyTable {
    return this.present;
  }

  /** The same on every node that knows of the same policies, and of others hardly ever. */
  get digest(): string {
    const hash = createHash('sha256');
    for (const row of this.present.rows) hash.update(`${JSON.stringify(row)}\n`);
    return hash.digest('hex').slice(0, 16);
  }

  of(incarnation: string, path: string): PolicyInForce | undefined {
    return this.present.of(incarnation, path);
  }

  get isEmpty(): boolean {
    return this.present.rows.length === 0;
  }

  get quotaPart(): number {
    return this.partOf();
  }

  /** From now on `part` says which part of each quota is this node's. To be called again when that has changed. */
  share(part: () => number): void {
    this.partOf = part;
    if (!this.isEmpty) this.tell();
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** What the row would be if these fields were set and those taken away; fields that are not named stay. Kinds: limit, invalid. */
  changed(row: PolicyRow, unset: readonly PolicyFieldName[]): PolicyRow {
    const present = this.present.get(row.bucket, row.prefix);
    if (!present && this.rows.values().length >= maximumPolicies) {
      throw new PolicyError('limit', `there are ${maximumPolicies} policies already`);
    }
    const merged: Record<string, unknown> = { ...present, ...row };
    for (const name of unset) delete merged[name];
    const kept = { ...merged, bucket: row.bucket, prefix: row.prefix } as PolicyRow;
    if (policyFieldNames.every((name) => kept[name] === undefined)) {
      throw new PolicyError('invalid', 'nothing would be left of the policy: remove it instead');
    }
    return kept;
  }

  /** Writes what `changed` gave. Kinds: conflict. */
  async put(row: PolicyRow): Promise<void> {
    const name = policyName(row);
    const revision = this.rows.revisionOf(name);
    const expected = revision === undefined ? 'absent' : { revision };
    if (!(await this.rows.put(name, JSON.stringify(row), expected))) throw changedMeanwhile(name);
  }

  /** Kinds: not-found, conflict. */
  async remove(bucket: string, prefix: string): Promise<void> {
    const name = policyName({ bucket, prefix });
    const revision = this.rows.revisionOf(name);
    if (revision === undefined) throw new PolicyError('not-found', `there is no policy for s3://${name}`);
    if (!(await this.rows.delete(name, revision))) throw changedMeanwhile(name);
  }

  async close(): Promise<void> {
    this.stopFollowing();
    this.listeners.clear();
    await this.rows.close();
  }

  private refresh(): void {
    this.present = this.build();
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  private build(): PolicyTable {
    const { table, buckets } = this.mounts;
    return new PolicyTable(this.rows.values(), table, (name) => buckets.get(name));
  }
}

function changedMeanwhile(name: string): PolicyError {
  return new PolicyError(
    'conflict',
    `the policy for s3://${name} was changed by somebody else meanwhile: look again`,
  );
}
