import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Mutants } from '../common/mutants.ts';
import type { DeadPages } from './dead-pages.ts';
import { FillBudget } from './fill-budget.ts';
import { FillRun, type RunEvents } from './fill-run.ts';
import { PageFlight } from './page-flight.ts';
import { pageKeyOf, pageLength, pageName } from './page-key.ts';
import type { PageStore } from './page-store.ts';
import { type Intake, type ReadTarget, WorkerError } from './reader.ts';

export interface PageFillSettings {
  /** Memory for pages being filled, bytes, shared by all readers. */
  readonly maxFillBytes: number;
  /** Pages being filled at once. */
  readonly maxFills: number;
  /** Fills that may wait for memory before new readers are told `overloaded`. */
  readonly maxQueuedFills: number;
  /** A backend read that nobody continues for so long is given up. */
  readonly idleRunMs: number;
  readonly mutants: Mutants;
}

/** A backend read is planned over at most so many pages; a longer one continues with the next read. */
const maxRunPages = 1024;
/** Pages handed to the store at once; each is held twice meanwhile, in chunks and in one piece. */
const maxStoreWrites = 4;

/** The page before which that ends what is on its way already from the start of `first`; undefined if no page of it is. */
function openedPages({ opened, meta, pageSizeBytes }: ReadTarget, first: number): number | undefined {
  const endBytes = opened?.endFrom(meta.generation, first * pageSizeBytes);
  if (endBytes === undefined) return undefined;
  const end =
    endBytes === meta.sizeBytes ? Math.ceil(endBytes / pageSizeBytes) : Math.floor(endBytes / pageSizeBytes);
  return end > first ? end : undefined;
}

/** Pages on their way from backends: one flight per page, whoever asks. */
export class PageFills {
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly store: PageStore;
  private readonly dead: DeadPages;
  private settings: PageFillSettings;
  private readonly budget: FillBudget;
  private readonly flights = new Map<string, PageFlight>();
  /** Lengths of the flights, whether they have their memory yet or not. */
  private flightBytes = 0;
  private readonly runs = new Set<FillRun>();
  /** Runs by the name of the page they would give next. */
  private readonly continuable = new Map<string, FillRun>();
  /** Flights that are whole and need not be kept: what gives their memory back. */
  private readonly spare = new Map<PageFlight, () => void>();
  /** Uploads whose pages are kept in memory until they are there. */
  private readonly intakes = new Set<Pick<Intake, 'drop'>>();
  private readonly writes = new Set<Promise<void>>();
  private readonly writeQueue: (() => void)[] = [];
  private writeCount = 0;
  private closed = false;

  constructor(clock: Clock, metrics: Metrics, store: PageStore, dead: DeadPages, settings: PageFillSettings) {
    this.clock = clock;
    this.metrics = metrics;
    this.store = store;
    this.dead = dead;
    this.settings = settings;
    this.budget = new FillBudget(() => this.retireSpare(), settings);
  }

  tune(limits: Pick<PageFillSettings, 'maxFillBytes' | 'maxFills' | 'maxQueuedFills'>): void {
    this.settings = { ...this.settings, ...limits };
    this.budget.tune(limits);
  }

  get usage() {
    return { flights: this.flights.size, runs: this.runs.size, ...this.budget.usage };
  }

  /** Throws `overloaded` if a new reader may not start a fill now. Readers under way are not refused. */
  checkRoom(): void {
    if (this.closed) throw new WorkerError('closed', 'the worker is closing');
    if (this.budget.usage.waiting >= this.settings.maxQueuedFills) {
      throw new WorkerError('overloaded', `${this.budget.usage.waiting} fills are waiting for memory`);
    }
  }

  /** Memory for a read that is no page's; undefined once the signal is aborted. The result gives it back. */
  async borrow(bytes: number, signal: AbortSignal): Promise<(() => void) | undefined> {
    this.checkRoom();
    return this.budget.acquire(bytes, signal);
  }

  /** Memory for bytes that nobody waits for, if there is room for them at once. The result gives it back. */
  tryBorrow(bytes: number): (() => void) | undefined {
    return this.hasRoomAhead(bytes) ? this.budget.takeAtOnce(bytes) : undefined;
  }

  /** Has a holder of such memory give it back as soon as somebody waits. */
  onPressure(intake: Pick<Intake, 'drop'>): void {
    this.intakes.add(intake);
  }

  offPressure(intake: Pick<Intake, 'drop'>): void {
    this.intakes.delete(intake);
  }

  /** Whether a page of so many bytes that nobody waits for may be filled: it leaves half of the limits to those who wait. */
  hasRoomAhead(bytes: number): boolean {
    return !this.closed && this.budget.hasBackgroundRoom(bytes, this.flightBytes, this.flights.size);
  }

  /** A flight of the page that has not failed, if there is one. */
  find(name: string): PageFlight | undefined {
    return this.settings.mutants.separateFills ? undefined : this.flights.get(name);
  }

  /**
   * Reads a page that the store lacks, or joins whoever does already. `endPage` is where the asker's range ends: one backend
   * read is planned up to there, or up to the next page that is present. The caller joins the flight at once.
   */
  demand(target: ReadTarget, pageIndex: number, endPage: number): PageFlight {
    if (this.closed) throw new WorkerError('closed', 'the worker is closing');
    const key = pageKeyOf(target, pageIndex);
    const name = pageName(key);
    const present = this.find(name);
    if (present) {
      this.metrics.coalescedFills.inc();
      return present;
    }
    const run = this.continuable.get(name) ?? this.startRun(target, pageIndex, endPage);
    this.continuable.delete(name);
    const length = pageLength(target.meta, target.pageSizeBytes, pageIndex);
    const flight = new PageFlight(key, name, length, pageIndex !== run.firstPage, run, (left) =>
      this.left(left),
    );
    this.flights.set(name, flight);
    this.flightBytes += length;
    run.ask(flight);
    if (run.nextPage < run.endPage) {
      this.continuable.set(pageName(pageKeyOf(target, run.nextPage)), run);
    }
    return flight;
  }

  /** Ends every backend read and waits for what is being written. */
  async close(): Promise<void> {
    this.closed = true;
    const runs = [...this.runs];
    for (const run of runs) run.close();
    await Promise.all(runs.map((run) => run.finished));
    await Promise.all(this.writes);
  }

  private startRun(target: ReadTarget, first: number, endPage: number): FillRun {
    const opened = openedPages(target, first);
    const limit = Math.min(endPage, first + maxRunPages, opened ?? Number.POSITIVE_INFINITY);
    let end = first + 1;
    while (end < limit && this.isMissing(target, end)) end++;
    const events: RunEvents = {
      filled: (flight, release) => this.filled(target, flight, release),
      failed: (flight, error) => {
        this.forget(flight);
        flight.fail(error);
      },
      sealed: (sealedRun) => this.runSealed(target, sealedRun),
      closed: (closedRun) => this.runClosed(closedRun, leave),
    };
    const leave = this.dead.enter(target, target.meta.generation);
    const run = new FillRun(this.clock, this.budget, target, { first, end }, events, {
      idleRunMs: this.settings.idleRunMs,
      acceptShortReads: this.settings.mutants.acceptShortReads ?? false,
    });
    this.runs.add(run);
    return run;
  }

  private isMissing(target: ReadTarget, pageIndex: number): boolean {
    const key = pageKeyOf(target, pageIndex);
    return !this.flights.has(pageName(key)) && !this.store.has(key);
  }

  private runClosed(run: FillRun, leave: () => void): void {
    this.runs.delete(run);
    // Its last pages may still be on their way to the store.
    void run.finished.then(() => Promise.allSettled(this.writes)).then(leave);
  }

  private runSealed(target: ReadTarget, run: FillRun): void {
    const next = pageName(pageKeyOf(target, run.nextPage));
    if (this.continuable.get(next) === run) this.continuable.delete(next);
  }

  private filled(target: ReadTarget, flight: PageFlight, release: () => void): void {
    const write = this.keep(target, flight).then(() => {
      this.writes.delete(write);
      flight.kept();
      this.spare.set(flight, release);
      if (flight.readers === 0 || this.budget.pressed) this.left(flight);
    });
    this.writes.add(write);
  }

  private async keep(target: ReadTarget, flight: PageFlight): Promise<void> {
    if (!target.meta.generationSettled && !this.settings.mutants.keepUnsettledPages) return;
    if (this.writeCount >= maxStoreWrites) {
      await new Promise<void>((resolve) => this.writeQueue.push(resolve));
    }
    this.writeCount++;
    try {
      await this.store.write(flight.key, ...flight.chunks);
    } finally {
      this.writeCount--;
      this.writeQueue.shift()?.();
    }
  }

  /** No reader wants the flight any more, or somebody else needs its memory. */
  private left(flight: PageFlight): void {
    const release = this.spare.get(flight);
    if (!release) {
      flight.run.reconsider();
    } else if (!this.settings.mutants.leakFlights) {
      this.spare.delete(flight);
      this.forget(flight);
      flight.retire();
      release();
    }
  }

  private retireSpare(): void {
    for (const flight of this.spare.keys()) {
      if (!this.budget.pressed) return;
      this.left(flight);
    }
    for (const intake of this.intakes) {
      if (!this.budget.pressed) return;
      intake.drop();
    }
  }

  private forget(flight: PageFlight): void {
    if (this.flights.get(flight.name) !== flight) return;
    this.flights.delete(flight.name);
    this.flightBytes -= flight.lengthBytes;
  }
}
