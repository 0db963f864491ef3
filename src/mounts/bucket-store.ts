import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import { CoordError, type CoordStore } from '../coord/store.ts';
import { WatchedPrefix } from '../coord/watched-prefix.ts';
import type { BucketRecord } from './mount.ts';

const keyPrefix = 'buckets/';
/** How often a change is tried where others change the same bucket at the same moment. */
const maxAttempts = 16;

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
    return new BucketStore(
      clock,
      random,
      await WatchedPrefix.open(clock, store, keyPrefix, decode, onChange),
    );
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
    bucket: Pick<BucketRecord, 'name' | 'owner' | 'kind' | 'access'> & { readonly incarnation?: string },
  ): Promise<boolean> {
    const { name, owner, kind, access, incarnation = this.random.uuid() } = bucket;
    const record: BucketRecord = { name, owner, kind, incarnation, createdMs: this.clock.nowMs(), access };
    return this.rows.put(name, JSON.stringify(record), 'absent');
  }

  /**
   * Puts what `change` makes of the present record in its place; `change` is called again where somebody else was faster, and what it
   * throws is passed on. False if it is not this incarnation any more.
   */
  async change(
    { name, incarnation }: Pick<BucketRecord, 'name' | 'incarnation'>,
    change: (present: BucketRecord) => BucketRecord,
  ): Promise<boolean> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const present = this.get(name);
      const revision = this.rows.revisionOf(name);
      if (present?.incarnation !== incarnation || revision === undefined) return false;
      if (await this.rows.put(name, JSON.stringify(change(present)), { revision })) return true;
    }
    throw new CoordError('unavailable', `others keep changing the bucket ${name}`);
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
