import type { CoordStore, Lease, Watch } from '../../src/coord/store.ts';

/** What nodes have asked of a store, and what it has sent them. */
export class StoreLoad {
  reads = 0;
  writes = 0;
  leaseCalls = 0;
  events = 0;
  /** Bytes of keys and values, both ways. */
  bytes = 0;

  get requests(): number {
    return this.reads + this.writes + this.leaseCalls;
  }

  reset(): void {
    this.reads = 0;
    this.writes = 0;
    this.leaseCalls = 0;
    this.events = 0;
    this.bytes = 0;
  }
}

/** A store that counts what goes through it. */
export class CountingStore implements CoordStore {
  private readonly inner: CoordStore;
  private readonly load: StoreLoad;

  constructor(inner: CoordStore, load: StoreLoad) {
    this.inner = inner;
    this.load = load;
  }

  async get(key: string) {
    this.load.reads += 1;
    const entry = await this.inner.get(key);
    this.load.bytes += key.length + (entry?.value.length ?? 0);
    return entry;
  }

  async list(prefix: string) {
    this.load.reads += 1;
    const found = await this.inner.list(prefix);
    for (const { key, value } of found.entries) this.load.bytes += key.length + value.length;
    return found;
  }

  putIf(...given: Parameters<CoordStore['putIf']>) {
    this.load.writes += 1;
    this.load.bytes += given[0].length + given[1].length;
    return this.inner.putIf(...given);
  }

  deleteIf(...given: Parameters<CoordStore['deleteIf']>) {
    this.load.writes += 1;
    return this.inner.deleteIf(...given);
  }

  watch(...given: Parameters<CoordStore['watch']>): Promise<Watch> {
    const [prefix, fromRevision, onEvents, onReset] = given;
    return this.inner.watch(
      prefix,
      fromRevision,
      (events) => {
        this.load.events += events.length;
        for (const event of events) {
          this.load.bytes +=
            event.type === 'put' ? event.entry.key.length + event.entry.value.length : event.key.length;
        }
        onEvents(events);
      },
      onReset,
    );
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.load.leaseCalls += 1;
    const lease = await this.inner.lease(ttlMs);
    const keepAlive = () => {
      this.load.leaseCalls += 1;
      return lease.keepAlive();
    };
    return { ...lease, id: lease.id, ended: lease.ended, remainingMs: () => lease.remainingMs(), keepAlive };
  }

  async close(): Promise<void> {}
}
