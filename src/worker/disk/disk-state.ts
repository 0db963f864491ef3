import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Metrics } from '../../common/metrics.ts';
import { PageFaultError } from './page-fault.ts';

export interface DiskStateSettings {
  /** The page folder. */
  readonly path: string;
  /** How long a disk that failed is left alone before it is tried again. */
  readonly retryMs: number;
}

/** Makes the disk ready again after `fault`. Rejects with `PageFaultError` if it still fails. */
export type Recover = (fault: PageFaultError) => Promise<void>;

/** Whether pages can be kept on a disk at the moment. A disk that failed is tried again, every `retryMs`, until it does well. */
export class DiskState {
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly log: Log;
  private readonly settings: DiskStateSettings;
  private readonly recover: Recover;
  private readonly closed = new AbortController();
  private retrying: Promise<void> = Promise.resolve();
  private fault: PageFaultError | undefined;

  constructor(clock: Clock, metrics: Metrics, log: Log, settings: DiskStateSettings, recover: Recover) {
    this.clock = clock;
    this.metrics = metrics;
    this.log = log;
    this.settings = settings;
    this.recover = recover;
    this.set(undefined);
  }

  get isUp(): boolean {
    return this.fault === undefined;
  }

  /** Why the disk is passed by; undefined while it is not. */
  get reasonDown(): PageFaultError | undefined {
    return this.fault;
  }

  /** From now on the disk is passed by, until it has been made ready again. */
  failed(fault: PageFaultError): void {
    if (!this.isUp || this.closed.signal.aborted) return;
    this.set(fault);
    this.log.warn({ err: fault, path: this.settings.path }, 'pages are not kept on disk for a while');
    this.retrying = this.retry(fault);
  }

  /** Ends the trying, after what is under way of it. */
  async close(): Promise<void> {
    this.closed.abort();
    await this.retrying;
  }

  private async retry(first: PageFaultError): Promise<void> {
    for (let fault = first; await this.pause(); ) {
      try {
        await this.recover(fault);
        this.set(undefined);
        this.log.info({ path: this.settings.path }, 'pages are kept on disk again');
        return;
      } catch (error) {
        if (!(error instanceof PageFaultError)) throw error;
        this.metrics.pageStoreErrors.inc({ reason: error.reason });
        // Said again only when something else stands in the way.
        if (error.message !== fault.message) {
          this.log.warn({ err: error, path: this.settings.path }, 'pages can still not be kept on disk');
        }
        fault = error;
        this.set(fault);
      }
    }
  }

  /** False if it was closed meanwhile. */
  private async pause(): Promise<boolean> {
    try {
      await this.clock.sleep(this.settings.retryMs, this.closed.signal);
      return true;
    } catch {
      return false; // Only closing ends a sleep early.
    }
  }

  private set(fault: PageFaultError | undefined): void {
    this.fault = fault;
    this.metrics.pageStoreUp.set({ path: this.settings.path }, fault ? 0 : 1);
  }
}
