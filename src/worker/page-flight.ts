import { assert } from '../common/assert.ts';
import type { FillRun } from './fill-run.ts';
import type { PageKey } from './page-store.ts';

/** waiting: no byte yet; whole: every byte is here; retired: was whole, and its memory was given up; failed: will never be whole. */
export type FlightState = 'waiting' | 'filling' | 'whole' | 'retired' | 'failed';

/**
 * One page on its way from the backend. Readers follow its chunks as they arrive; each keeps its own position, and
 * the flight keeps every chunk until it retires.
 */
export class PageFlight {
  readonly key: PageKey;
  readonly name: string;
  readonly lengthBytes: number;
  /** True if it is not the first page of its backend read, which may have gone stale while it waited for readers. */
  readonly continued: boolean;
  /** The backend read it comes from. */
  readonly run: FillRun;
  state: FlightState = 'waiting';
  error: unknown;
  /** Readers that still want bytes of it, those included that will want them later. */
  readers = 0;
  /** Those that will want them later. */
  private aheadReaders = 0;

  private chunkList: Buffer[] = [];
  private filledBytes = 0;
  private handedBytes = 0;
  private changed: PromiseWithResolvers<void> | undefined;
  private wholeWaiters: PromiseWithResolvers<readonly Buffer[]>[] = [];
  private handedToStore = false;
  private keptWaiter: PromiseWithResolvers<void> | undefined;
  private readonly onLeft: (flight: PageFlight) => void;

  constructor(
    key: PageKey,
    name: string,
    lengthBytes: number,
    continued: boolean,
    run: FillRun,
    onLeft: (flight: PageFlight) => void,
  ) {
    this.key = key;
    this.name = name;
    this.lengthBytes = lengthBytes;
    this.continued = continued;
    this.run = run;
    this.onLeft = onLeft;
  }

  /** Empty again once it has retired or failed. */
  get chunks(): readonly Buffer[] {
    return this.chunkList;
  }

  get missingBytes(): number {
    return this.lengthBytes - this.filledBytes;
  }

  /** How many bytes from its beginning another node has given: what lies behind them is the backend's. */
  get peerBytes(): number {
    return this.handedBytes;
  }

  /** Whether another node has given all that is here so far. */
  get isHandedOver(): boolean {
    return this.handedBytes > 0 && this.handedBytes === this.filledBytes;
  }

  get receivedNothing(): boolean {
    return this.filledBytes === 0;
  }

  /** Whether a reader waits for it now. */
  get isUrgent(): boolean {
    return this.readers > this.aheadReaders;
  }

  join(): void {
    this.readers++;
    this.run.prioritise();
  }

  /** For a reader that has not come to the page: it waits behind others for memory, and keeps the run going. */
  joinAhead(): void {
    this.readers++;
    this.aheadReaders++;
    this.run.join();
  }

  leaveAhead(): void {
    this.aheadReaders--;
    this.leave();
    this.run.leave();
  }

  leave(): void {
    this.readers--;
    if (this.readers === 0) this.onLeft(this);
  }

  /** Resolves when a chunk arrived or the state changed. Ask only while `waiting` or `filling`. */
  change(): Promise<void> {
    this.changed ??= Promise.withResolvers<void>();
    return this.changed.promise;
  }

  /** All chunks, once every one is here; they stay with the caller when the flight retires. Rejects with the fill's error. */
  whole(): Promise<readonly Buffer[]> {
    if (this.state === 'whole') return Promise.resolve(this.chunkList);
    assert(this.state === 'waiting' || this.state === 'filling', 'only a flight under way is joined');
    const waiter = Promise.withResolvers<readonly Buffer[]>();
    // Whoever asked may have gone by the time it fails.
    waiter.promise.catch(() => undefined);
    this.wholeWaiters.push(waiter);
    return waiter.promise;
  }

  /** Resolves when the store has been given the page, or never will be; whether it keeps it the store alone knows. */
  whenKept(): Promise<void> {
    if (this.handedToStore || this.state === 'failed') return Promise.resolve();
    this.keptWaiter ??= Promise.withResolvers<void>();
    return this.keptWaiter.promise;
  }

  /** To be called when the store has been given the page. */
  kept(): void {
    this.handedToStore = true;
    this.keptWaiter?.resolve();
  }

  push(chunk: Buffer, isHandedOver = false): void {
    this.state = 'filling';
    if (isHandedOver) this.handedBytes += chunk.length;
    this.chunkList.push(chunk);
    this.filledBytes += chunk.length;
    this.wake();
  }

  complete(): void {
    this.state = 'whole';
    for (const waiter of this.wholeWaiters) waiter.resolve(this.chunkList);
    this.wholeWaiters = [];
    this.wake();
  }

  fail(error: unknown): void {
    this.state = 'failed';
    this.error = error;
    this.keptWaiter?.resolve();
    this.chunkList = [];
    for (const waiter of this.wholeWaiters) waiter.reject(error);
    this.wholeWaiters = [];
    this.wake();
  }

  retire(): void {
    this.state = 'retired';
    this.chunkList = [];
    this.wake();
  }

  private wake(): void {
    this.changed?.resolve();
    this.changed = undefined;
  }
}
