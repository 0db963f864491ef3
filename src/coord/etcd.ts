import { CompareResult, CompareTarget, type ICompare } from 'etcd3';
import { assert } from '../common/assert.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { faultOf, unavailable } from './etcd-errors.ts';
import { EtcdKeys } from './etcd-keys.ts';
import { EtcdLeases } from './etcd-leases.ts';
import { EtcdLink, type EtcdLinkSettings } from './etcd-link.ts';
import { entryOf, listPages } from './etcd-list.ts';
import { EtcdPulse, type StoreHealth } from './etcd-pulse.ts';
import { EtcdWatches } from './etcd-watches.ts';
import {
  CoordError,
  type CoordStore,
  type Entry,
  type Expected,
  type Lease,
  maximumValueBytes,
  type Watch,
} from './store.ts';

export interface EtcdStoreSettings extends EtcdLinkSettings {
  /** Keys lie below `/forebay/<clusterName>/`. */
  readonly clusterName: string;
  /** How often etcd is asked whether it still answers. */
  readonly pulseMs: number;
}

/** For telling etcd which leases end. */
const closeMs = 1000;

/**
 * The coordination store of a cluster, in etcd 3.4 or later. Nothing is asked of etcd before the first call, and no call takes longer
 * than `timeoutMs` for each page of what it answers.
 *
 * A change made here has been delivered to all who watch its key through this store when its call returns, as with stores in one
 * process: where that cannot be had in time the call rejects, and the change stands or not, as with a lost answer.
 */
export class EtcdStore implements CoordStore {
  private readonly clock: Clock;
  private readonly keys: EtcdKeys;
  private readonly link: EtcdLink;
  private readonly watches: EtcdWatches;
  private readonly leases: EtcdLeases;
  private readonly pulse: EtcdPulse;

  constructor(clock: Clock, random: Random, log: Log, settings: EtcdStoreSettings) {
    this.clock = clock;
    this.keys = new EtcdKeys(settings.clusterName);
    this.link = new EtcdLink(clock, random, settings);
    this.watches = new EtcdWatches(clock, this.link, this.keys);
    this.leases = new EtcdLeases(clock, this.link);
    this.pulse = new EtcdPulse(clock, log, this.link, this.watches, this.keys, settings);
  }

  /** Whether etcd answers, and since when not. */
  get health(): StoreHealth {
    return this.pulse.health;
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.attempt('read', async () => {
      const { kvs } = await this.link.read('read', (etcd, call) =>
        etcd.kv.range({ key: this.keys.encode(key) }, call),
      );
      const [row] = kvs;
      return row && entryOf(this.keys, row);
    });
  }

  async list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    return this.attempt('list', () => listPages(this.link, this.keys, prefix));
  }

  async putIf(key: string, value: string, expected: Expected, lease?: Lease): Promise<number | undefined> {
    assert(key.length > 0 && key.isWellFormed(), 'a key of the coordination store is text');
    assert(Buffer.byteLength(value) <= maximumValueBytes, `the value of ${key} is above 1 MiB`);
    if (lease) this.leases.assertAlive(lease);
    const put = { key: this.keys.encode(key), value: Buffer.from(value), lease: lease?.id ?? 0 };
    try {
      return await this.change(key, expected, { request_put: put });
    } catch (error) {
      throw lease && faultOf(error) === 'lease-gone' ? this.leases.gone(lease) : asCoordError('write', error);
    }
  }

  async deleteIf(key: string, expected: Exclude<Expected, 'absent'>): Promise<boolean> {
    const present = { key: this.keys.encode(key) };
    return this.attempt('write', async () => {
      const revision = await this.change(key, expected === 'any' ? 'present' : expected, {
        request_delete_range: present,
      });
      return revision !== undefined;
    });
  }

  async watch(
    prefix: string,
    fromRevision: number,
    onEvents: Parameters<CoordStore['watch']>[2],
    onReset: () => void,
  ): Promise<Watch> {
    return this.attempt('watch', async () => this.watches.watch(prefix, fromRevision, onEvents, onReset));
  }

  async lease(ttlMs: number): Promise<Lease> {
    return this.attempt('take a lease of', () => this.leases.grant(ttlMs));
  }

  async close(): Promise<void> {
    if (this.link.isClosed) return;
    // Whoever waits for the keys of this node's leases to vanish hears at once; if etcd is away, it ends them by itself.
    await Promise.race([this.leases.close(), this.clock.sleep(closeMs)]);
    this.link.close();
    await this.watches.close();
    await this.pulse.close();
  }

  /** One transaction. The revision at which it was done, undefined if `expected` did not hold. */
  private async change(
    key: string,
    expected: Expected | 'present',
    request: object,
  ): Promise<number | undefined> {
    const untilMs = this.clock.monotonicMs() + this.link.timeoutMs;
    const compare = comparison(this.keys.encode(key), expected);
    const transaction = { compare, success: [request] };
    const answer = await this.link.write('write', (etcd, call) => etcd.kv.txn(transaction, call));
    if (!answer.succeeded) return undefined;
    const revision = Number(answer.header.revision);
    await this.told(key, revision, untilMs - this.clock.monotonicMs());
    return revision;
  }

  private async told(key: string, revision: number, timeoutMs: number): Promise<void> {
    const late = new AbortController();
    const done = new AbortController();
    void this.clock.sleep(Math.max(1, timeoutMs), done.signal).then(
      () =>
        late.abort(new CoordError('unavailable', `the change of ${key} was made, and is not seen here yet`)),
      () => {},
    );
    try {
      await this.watches.told(key, revision, late.signal);
    } finally {
      done.abort();
    }
  }

  private async attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
    if (this.link.isClosed) throw new CoordError('unavailable', 'the coordination store is closed');
    await this.leases.settled();
    try {
      return await work();
    } catch (error) {
      throw asCoordError(doing, error);
    }
  }
}

function asCoordError(doing: string, error: unknown): CoordError {
  return error instanceof CoordError ? error : unavailable(doing, error);
}

/** etcd's comparison for it; a key that is absent has version 0. */
function comparison(key: Buffer, expected: Expected | 'present'): ICompare[] {
  const version = { key, target: CompareTarget.Version, version: 0 };
  switch (expected) {
    case 'any':
      return [];
    case 'absent':
      return [{ ...version, result: CompareResult.Equal }];
    case 'present':
      return [{ ...version, result: CompareResult.Greater }];
    default:
      return [
        {
          key,
          target: CompareTarget.Mod,
          result: CompareResult.Equal,
          mod_revision: expected.revision,
        },
      ];
  }
}
