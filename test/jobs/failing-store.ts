import { CoordError, type CoordStore, type Lease } from '../../src/coord/store.ts';

/** What happens at one call of the store, counted from 1 or known by what it writes, and to all calls after it. */
export interface Fault {
  readonly at: number | ((key: string, value: string) => boolean);
  /** `before` and `after`: the process dies before or after the call has its effect. `stall`: it stands still until it is let go on. */
  readonly how: 'before' | 'after' | 'stall';
}

/** A coordination store as one process sees it that dies, or stands still, at a call. */
export class FailingStore implements CoordStore {
  calls = 0;
  /** Resolves when the fault has come. */
  readonly hit: Promise<void>;
  private readonly inner: CoordStore;
  private readonly fault: Fault | undefined;
  private readonly hitNow: () => void;
  private readonly goOn = Promise.withResolvers<void>();
  private readonly leases: { readonly real: Lease; readonly seen: AbortController }[] = [];
  private isStalled = false;
  /** The number of the call, as soon as it is known. */
  private faultAt: number | undefined;

  constructor(inner: CoordStore, fault?: Fault) {
    this.inner = inner;
    this.fault = fault;
    if (typeof fault?.at === 'number') this.faultAt = fault.at;
    const hit = Promise.withResolvers<void>();
    this.hit = hit.promise;
    this.hitNow = hit.resolve;
  }

  /** The process that stood still goes on, and finds out what has ended meanwhile. */
  release(): void {
    this.isStalled = false;
    this.goOn.resolve();
    for (const { real, seen } of this.leases) if (real.ended.aborted) seen.abort();
  }

  get = (key: string) => this.call(() => this.inner.get(key));
  list = (prefix: string) => this.call(() => this.inner.list(prefix));
  putIf: CoordStore['putIf'] = (...given) => {
    const { at } = this.fault ?? {};
    if (typeof at === 'function' && at(given[0], given[1])) this.faultAt ??= this.calls + 1;
    return this.call(() => this.inner.putIf(...given));
  };
  deleteIf: CoordStore['deleteIf'] = (...given) => this.call(() => this.inner.deleteIf(...given));
  watch: CoordStore['watch'] = (...given) => this.inner.watch(...given);

  async lease(ttlMs: number): Promise<Lease> {
    const real = await this.call(() => this.inner.lease(ttlMs));
    const seen = new AbortController();
    this.leases.push({ real, seen });
    // A process that stands still hears of nothing.
    real.ended.addEventListener('abort', () => this.isStalled || seen.abort());
    return {
      id: real.id,
      ended: seen.signal,
      remainingMs: () => real.remainingMs(),
      keepAlive: () => this.call(() => real.keepAlive()),
      revoke: () => this.call(() => real.revoke()),
    };
  }

  async close(): Promise<void> {}

  private async call<T>(effect: () => Promise<T>): Promise<T> {
    const number = ++this.calls;
    const { fault, faultAt } = this;
    if (!fault || faultAt === undefined || number < faultAt) return effect();
    this.hitNow();
    if (fault.how === 'stall') {
      if (number === faultAt) this.isStalled = true;
      await this.goOn.promise;
      return effect();
    }
    if (number === faultAt && fault.how === 'after') await effect();
    throw new CoordError('unavailable', 'the process is dead');
  }
}
