import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { DamagedRecordError } from './root-record.ts';

/** For so long no path is told of again, and no more than `toldCount` paths at all. */
const quietMs = 60_000;
const toldCount = 20;

/** Tells the operator of damaged records, however often they are come across, in a bounded number of lines. */
export class DamagedRecords {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly told = new Set<string>();
  private untoldCount = 0;
  private quietUntilMs = Number.NEGATIVE_INFINITY;
  private hasReplaced = false;

  constructor(clock: Clock, log: Log) {
    this.clock = clock;
    this.log = log;
  }

  /** True if a damaged record was replaced: only a sweep finds the body that it may have had. */
  get leftBodies(): boolean {
    return this.hasReplaced;
  }

  found(error: DamagedRecordError): void {
    this.tell(
      error,
      'a record is damaged: the object is listed, cannot be read, and can be put anew or deleted',
    );
  }

  /** Of one that was overwritten or removed. */
  replaced(error: DamagedRecordError): void {
    this.hasReplaced = true;
    this.tell(error, 'a damaged record was overwritten or removed');
  }

  /** Of something that is no directory and lies in the place of one: no key below it is there. */
  obstructed(path: string, cause: unknown): void {
    this.tell(
      { path, cause },
      'in the place of a folder lies something else: nothing is below it, and nothing can be put there',
    );
  }

  private tell(error: { readonly path: string; readonly cause?: unknown }, message: string): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= this.quietUntilMs) {
      this.told.clear();
      this.quietUntilMs = nowMs + quietMs;
    }
    const what = `${message} ${error.path}`;
    if (this.told.has(what)) return;
    if (this.told.size >= toldCount) {
      this.untoldCount++;
      return;
    }
    this.told.add(what);
    const untoldCount = this.untoldCount;
    this.untoldCount = 0;
    this.log.warn(
      {
        path: error.path,
        err: error instanceof Error ? error : error.cause,
        ...(untoldCount > 0 ? { untoldCount } : {}),
      },
      message,
    );
  }
}
