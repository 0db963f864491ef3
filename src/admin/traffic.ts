import type { Clock } from '../common/clock.ts';
import { type MetricValues, sumOf } from '../common/merged-metrics.ts';
import { errorCodes } from '../s3api/error-codes.ts';

/** What a node has counted since it was started. */
export interface Counts {
  readonly requests: number;
  /** Answers that tell of a fault, and answers cut off. */
  readonly faults: number;
  /** Answered 503 SlowDown: there were more than the limits allow. */
  readonly slowDowns: number;
  /** Answered 401 or 403. */
  readonly refused: number;
  /** To clients. */
  readonly servedBytes: number;
  /** To clients and other nodes, out of this node's cache or from the storage. */
  readonly givenBytes: number;
  /** Of these, what came out of its cache. */
  readonly cachedBytes: number;
  readonly evictedPages: number;
  readonly lostLogLines: number;
}

/** What was counted in the last `seconds`, a minute at most if the node is that old. */
export interface Traffic extends Counts {
  readonly seconds: number;
}

interface Sample {
  readonly atMs: number;
  readonly counts: Counts;
}

const everyMs = 10_000;
const windowMs = 60_000;
const none: Counts = {
  requests: 0,
  faults: 0,
  slowDowns: 0,
  refused: 0,
  servedBytes: 0,
  givenBytes: 0,
  cachedBytes: 0,
  evictedPages: 0,
  lostLogLines: 0,
};

/** Looks at a node's counts now and then, so that it can be told what went on in the last minute. */
export class TrafficWatch {
  readonly #clock: Clock;
  readonly #read: () => Promise<readonly MetricValues[]>;
  readonly #ended = new AbortController();
  /** The oldest first. */
  readonly #samples: Sample[] = [];

  /** `read`: what all threads have counted. */
  constructor(clock: Clock, read: () => Promise<readonly MetricValues[]>) {
    this.#clock = clock;
    this.#read = read;
    this.#samples.push({ atMs: clock.monotonicMs(), counts: none });
    void this.#look();
  }

  async lastMinute(): Promise<Traffic> {
    const now = await this.#sample();
    const first = this.#samples[0] ?? now;
    const since = (name: keyof Counts) => now.counts[name] - first.counts[name];
    const names = Object.keys(none) as (keyof Counts)[];
    const counts = Object.fromEntries(names.map((name) => [name, since(name)])) as unknown as Counts;
    return { ...counts, seconds: Math.max(1, now.atMs - first.atMs) / 1_000 };
  }

  close(): void {
    this.#ended.abort();
  }

  async #look(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      // Cut short by the end.
      await this.#clock.sleep(everyMs, signal).catch(() => {});
      if (signal.aborted) return;
      this.#samples.push(await this.#sample());
      this.#forget(this.#clock.monotonicMs() - windowMs);
    }
  }

  /** Keeps one that is as old as the window, or older. */
  #forget(beforeMs: number): void {
    while ((this.#samples[1]?.atMs ?? Number.POSITIVE_INFINITY) <= beforeMs) this.#samples.shift();
  }

  async #sample(): Promise<Sample> {
    const counts = countsIn(await this.#read());
    return { atMs: this.#clock.monotonicMs(), counts };
  }
}

/** Codes of status 5xx that tell of no fault of the node or its storage. */
const noFaults: ReadonlySet<string> = new Set(['SlowDown', 'NotImplemented']);

function countsIn(all: readonly MetricValues[]): Counts {
  const requests = (isWanted: (code: string) => boolean) =>
    sumOf(all, 'forebay_requests_total', ({ code }) => isWanted(String(code)));
  const bytes = (name: string, isWanted: (source: string) => boolean = () => true) =>
    sumOf(all, name, ({ source }) => isWanted(String(source)));
  // What another node gave is counted there.
  const toClients = 'forebay_bytes_served_total';
  const toPeers = 'forebay_peer_bytes_total';
  return {
    requests: requests(() => true),
    faults: requests((code) => code === 'FailedLater' || (statusOf(code) >= 500 && !noFaults.has(code))),
    slowDowns: requests((code) => code === 'SlowDown'),
    refused: requests((code) => [401, 403].includes(statusOf(code))),
    servedBytes: bytes(toClients),
    givenBytes: bytes(toClients, (source) => source !== 'peer') + bytes(toPeers),
    cachedBytes:
      bytes(toClients, (source) => source === 'hit') + bytes(toPeers, (source) => source === 'hit'),
    evictedPages: sumOf(all, 'forebay_page_evictions_total'),
    lostLogLines: sumOf(all, 'forebay_log_dropped_total'),
  };
}

function statusOf(code: string): number {
  return Object.hasOwn(errorCodes, code) ? errorCodes[code as keyof typeof errorCodes][0] : 0;
}
