import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { CoordStore } from '../coord/store.ts';
import { WatchedPrefix } from '../coord/watched-prefix.ts';
import type { BucketRecord } from './mount.ts';

const keyPrefix = 'buckets/';

/**
 * The buckets there are. Looking is synchronous, from memory that a watch keeps current; what this process changes is seen
 * here when the change returns. Changes reject with `CoordError` only.
 */
export class BucketStore {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly rows: WatchedPrefix<BucketRecord>;

  private constructor(clock: Clock, random: Random, rows: WatchedPrefix<BucketRecord>) {
    this.clock = clock;
    this.random = random;
    this.rows = rows;
  }

  /** `onChange` is called after each change, not for what was there at the beginning. */
  static async open(
    clock: Clock,
    random: Random,
    store: CoordStore,
    onChange: () => void = () => {},
  ): Promise<BucketStore> {
    const decode = (value: string) => Object.freeze(JSON.parse(value) as BucketRecord);
    return new BucketStore(clock, random, await WatchedPrefix.open(store, keyPrefix, decode, onChange));
  }

  get(name: string): BucketRecord | undefined {
    return this.rows.get(name);
  }

  /** In byte order of name. */
  list(): readonly BucketRecord[] {
    return this.rows.values().sort((a, b) => compareUtf8(a.name, b.name));
  }

  /** False if a bucket of this name exists already. The incarnation is new unless given. */
  async create(
    bucket: Pick<BucketRecord, 'name' | 'owner' | 'kind'> & { readonly incarnation?: string },
  ): Promise<boolean> {
    const { name, owner, kind, incarnation = this.random.uuid() } = bucket;
    const record: BucketRecord = { name, owner, kind, incarnation, createdMs: this.clock.nowMs() };
    return this.rows.put(name, JSON.stringify(record), 'absent');
  }

  /** False if it is not this incarnation any more. */
  async delete(record: BucketRecord): Promise<boolean> {
    const revision = this.rows.revisionOf(record.name);
    if (revision === undefined || this.get(record.name)?.incarnation !== record.incarnation) return false;
    return this.rows.delete(record.name, revision);
  }

  async close(): Promise<void> {
    await this.rows.close();
  }
}
