import { AssertionError } from '../common/assert.ts';
import type { Clock } from '../common/clock.ts';
import { UfsError } from '../ufs/errors.ts';
import { ChunkSource } from './chunk-source.ts';
import type { FillBudget } from './fill-budget.ts';
import type { PageFlight } from './page-flight.ts';
import type { ReadTarget } from './reader.ts';

/** What a run tells its owner. */
export interface RunEvents {
  /** Every byte of the page is here; `release` gives its memory back to the budget. */
  filled(flight: PageFlight, release: () => void): void;
  failed(flight: PageFlight, error: unknown): void;
  /** No page can be asked of this run any more. */
  sealed(run: FillRun): void;
  /** The backend read has been given up, or has ended. */
  closed(run: FillRun): void;
}

export interface FillRunSettings {
  /** A backend read that nobody continues for so long is given up. */
  readonly idleRunMs: number;
  readonly acceptShortReads: boolean;
}

/**
 * One read at the backend over a run of missing pages, cut into page flights. It moves on only when the next page has
 * been asked for, so that at most the pages asked for are read, however long the run.
 */
export class FillRun {
  /** The first page that nobody has asked this run for. */
  nextPage: number;
  readonly endPage: number;
  /** Resolves when the backend read has ended, well or not. */
  finished: Promise<void> = Promise.resolve();
  /** Readers that may still ask for its next page. */
  private readers = 0;
  private readonly clock: Clock;
  private readonly budget: FillBudget;
  private readonly target: ReadTarget;
  private readonly events: RunEvents;
  private readonly settings: FillRunSettings;
  readonly firstPage: number;
  private readonly queue: PageFlight[] = [];
  private readonly abort = new AbortController();
  private asked: PromiseWithResolvers<void> | undefined;
  private waitingForBudget = false;
  private open = true;
  private isSealed = false;

  constructor(
    clock: Clock,
    budget: FillBudget,
    target: ReadTarget,
    pages: { readonly first: number; readonly end: number },
    events: RunEvents,
    settings: FillRunSettings,
  ) {
    this.clock = clock;
    this.budget = budget;
    this.target = target;
    this.firstPage = pages.first;
    this.nextPage = pages.first;
    this.endPage = pages.end;
    this.events = events;
    this.settings = settings;
  }

  /** Asks for the next page. The first call starts the run. */
  ask(flight: PageFlight): void {
    this.queue.push(flight);
    this.nextPage++;
    if (this.nextPage === this.firstPage + 1) this.finished = this.pump();
    this.asked?.resolve();
  }

  join(): void {
    this.readers++;
  }

  leave(): void {
    this.readers--;
    this.reconsider();
  }

  /** A reader has come to one of its pages. */
  prioritise(): void {
    if (this.waitingForBudget) this.budget.reprioritise();
  }

  /** When the last reader has gone, what was begun is finished and the rest is not read. */
  reconsider(): void {
    if (this.readers > 0) return;
    this.dropUnwanted();
    if (this.queue.length === 0) this.close();
    else if (this.waitingForBudget && this.queue.every((flight) => flight.readers === 0)) this.close();
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.seal();
    this.events.closed(this);
    // Nobody may join what is not going to be filled, from this moment on.
    if (this.waitingForBudget) this.failAll(cancelled(this.target));
    this.asked?.resolve();
    this.abort.abort();
  }

  private seal(): void {
    if (this.isSealed) return;
    this.isSealed = true;
    this.events.sealed(this);
  }

  /** Gives up pages that were not begun and that nobody wants, from the end to the last one that somebody does. */
  private dropUnwanted(): void {
    while (this.queue.length > 1) {
      const last = this.queue.at(-1);
      if (!last || last.readers > 0) return;
      this.seal();
      this.queue.pop();
      this.events.failed(last, cancelled(this.target));
    }
  }

  private async pump(): Promise<void> {
    const source = new ChunkSource(this.target, this.firstPage, this.endPage, this.abort.signal);
    try {
      for (let flight = await this.next(); flight; flight = await this.next()) {
        const release = await this.memoryFor(flight);
        if (!release || !this.open) {
          release?.();
          break;
        }
        try {
          await this.fill(flight, source);
        } catch (error) {
          release();
          throw error;
        }
        this.queue.shift();
        this.events.filled(flight, release);
      }
    } catch (error) {
      this.failAll(error);
      // Not an outcome of a read, and perhaps nobody waits who would be told.
      if (error instanceof AssertionError) throw error;
    } finally {
      this.close();
      this.failAll(cancelled(this.target));
      await source.finish();
    }
  }

  /** The next page asked for; undefined when there will be none. */
  private async next(): Promise<PageFlight | undefined> {
    while (this.isAwaitingAsker()) {
      this.asked = Promise.withResolvers<void>();
      await this.waitForAsker(this.asked.promise);
      this.asked = undefined;
    }
    const flight = this.open ? this.queue[0] : undefined;
    // The run ends now; nobody may ask it for a page in between.
    if (!flight) this.seal();
    return flight;
  }

  private isAwaitingAsker(): boolean {
    const mayGoOn = this.open && !this.isSealed && this.nextPage < this.endPage;
    return mayGoOn && this.queue.length === 0 && this.readers > 0;
  }

  private async waitForAsker(asked: Promise<void>): Promise<void> {
    const timer = new AbortController();
    const idle = this.clock.sleep(this.settings.idleRunMs, timer.signal).then(
      () => this.queue.length === 0 && this.close(),
      // Aborted because a reader asked in time.
      () => undefined,
    );
    await Promise.race([asked, idle]);
    timer.abort();
  }

  private async memoryFor(flight: PageFlight): Promise<(() => void) | undefined> {
    this.waitingForBudget = true;
    // Pages come in order: whoever waits for a later one waits for this one too.
    const isUrgent = () => this.queue.some((queued) => queued.isUrgent);
    const release = await this.budget.acquire(flight.lengthBytes, this.abort.signal, isUrgent);
    this.waitingForBudget = false;
    return release;
  }

  private async fill(flight: PageFlight, source: ChunkSource): Promise<void> {
    while (flight.missingBytes > 0) {
      const chunk = await source.take(flight.missingBytes);
      if (!chunk) {
        if (this.settings.acceptShortReads) break;
        throw wrongLength(this.target, 'fewer');
      }
      flight.push(chunk, source.isHandedOver);
    }
    // A backend that looks at the version once more after the last byte says so at the end of its iteration.
    if (flight.key.pageIndex === this.endPage - 1 && (await source.take(1))) {
      throw wrongLength(this.target, 'more');
    }
    flight.complete();
  }

  private failAll(error: unknown): void {
    for (const flight of this.queue.splice(0)) this.events.failed(flight, error);
  }
}

export function wrongLength(target: ReadTarget, how: 'fewer' | 'more'): UfsError {
  return new UfsError('io', `the backend gave ${how} bytes than its metadata says`, {
    backend: target.backend.uri,
    key: target.path,
  });
}

export function cancelled(target: ReadTarget, cause?: unknown): UfsError {
  return new UfsError('cancelled', 'the read was given up', {
    backend: target.backend.uri,
    key: target.path,
    cause,
  });
}
