import { assert } from '../common/assert.ts';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import { ChangeLog } from './change-log.ts';
import { LocalLeases } from './local-leases.ts';
import {
  CoordError,
  type CoordStore,
  type Entry,
  type Expected,
  type Lease,
  maximumValueBytes,
  type Watch,
} from './store.ts';

/**
 * The rows of a store that one process has to itself. Every call is synchronous, so that a look and the write that
 * depends on it cannot be parted; a write is durable when it returns. Throws `CoordError` only.
 */
export interface EntryTable {
  /** The revision of the latest write; 0 at first. */
  revision(): number;
  get(key: string): Entry | undefined;
  /** In byte order of key. */
  list(prefix: string): Entry[];
  put(entry: Entry, leaseId: string | undefined): void;
  /** One transaction; all keys exist. */
  delete(keys: readonly string[], revision: number): void;
  keysOfLease(leaseId: string): string[];
  close(): void;
}

const rememberedChanges = 10_000;

/** A coordination store in one process: compare-and-set, leases and watches over any table of rows. */
export class LocalStore implements CoordStore {
  private readonly table: EntryTable;
  private readonly leases: LocalLeases;
  private readonly log: ChangeLog;
  private closed = false;

  constructor(clock: Clock, random: Random, table: EntryTable, settings?: { rememberedChanges?: number }) {
    this.table = table;
    this.leases = new LocalLeases(clock, random, (leaseId) => this.dropLease(leaseId));
    this.log = new ChangeLog(table.revision(), settings?.rememberedChanges ?? rememberedChanges);
  }

  async get(key: string): Promise<Entry | undefined> {
    this.begin();
    return this.table.get(key);
  }

  async list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    this.begin();
    return { entries: this.table.list(prefix), revision: this.table.revision() };
  }

  async putIf(key: string, value: string, expected: Expected, lease?: Lease): Promise<number | undefined> {
    assert(key.length > 0 && key.isWellFormed(), 'a key of the coordination store is text');
    assert(Buffer.byteLength(value) <= maximumValueBytes, `the value of ${key} is above 1 MiB`);
    this.begin();
    if (lease) this.leases.assertAlive(lease);
    if (!holds(expected, this.table.get(key))) return undefined;
    const revision = this.table.revision() + 1;
    const entry: Entry = { key, value, revision };
    this.table.put(entry, lease?.id);
    this.log.append(revision, [{ type: 'put', entry }]);
    return revision;
  }

  async deleteIf(key: string, expected: Exclude<Expected, 'absent'>): Promise<boolean> {
    this.begin();
    const present = this.table.get(key);
    if (!present || !holds(expected, present)) return false;
    this.delete([key]);
    return true;
  }

  async watch(
    prefix: string,
    fromRevision: number,
    onEvents: Parameters<CoordStore['watch']>[2],
    onReset: () => void,
  ): Promise<Watch> {
    this.begin();
    return this.log.watch(prefix, fromRevision, onEvents, onReset);
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.begin();
    return this.leases.grant(ttlMs);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.leases.close();
    this.log.close();
    this.table.close();
  }

  private begin(): void {
    if (this.closed) throw new CoordError('unavailable', 'the coordination store is closed');
    this.leases.endOverdue();
  }

  private dropLease(leaseId: string): void {
    const keys = this.table.keysOfLease(leaseId);
    if (keys.length > 0) this.delete(keys);
  }

  private delete(keys: readonly string[]): void {
    const revision = this.table.revision() + 1;
    this.table.delete(keys, revision);
    this.log.append(
      revision,
      keys.map((key) => ({ type: 'delete', key, revision })),
    );
  }
}

function holds(expected: Expected, present: Entry | undefined): boolean {
  if (expected === 'any') return true;
  if (expected === 'absent') return present === undefined;
  return present?.revision === expected.revision;
}
