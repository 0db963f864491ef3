import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { CoordError, type CoordStore } from '../coord/store.ts';
import type { ClusterTable } from './cluster-table.ts';
import { lostBetween, nextView, type ViewContent } from './next-view.ts';
import type { RingWorker } from './ring.ts';
import {
  epochOfKey,
  pointerKey,
  pointerTo,
  type ViewName,
  type ViewPointer,
  type ViewRecord,
  viewKey,
  viewsPrefix,
} from './view-record.ts';

/** Changes that come so close together make one view. */
const togetherMs = 100;
/** The member with the lowest id writes; each of the others waits so much longer than the one before it. */
const rankMs = 1_000;
const maxRank = 60;
/** Views that are kept for those who have not applied them yet. */
const keptViews = 16;
/** How often, in views, what was left over is looked for. */
const sweepEvery = 16;
/** Losses within this time count as one. */
const lostAtOnceMs = 30_000;

/** What the writer knows of this node. */
export interface WriterPart {
  /** The applied view. */
  present(): ViewRecord | undefined;
  /** Whether this node is registered as alive, and may act on what it sees. */
  mayWrite(): boolean;
  readAgain(): Promise<void>;
}

/** Writes the next view where the applied one is not what the members alive should have. */
export class ViewWriter {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly log: Log;
  private readonly store: CoordStore;
  private readonly table: ClusterTable;
  private readonly workerId: string;
  private readonly part: WriterPart;
  private readonly ended = new AbortController();
  private readonly lost = new Map<string, { readonly worker: RingWorker; readonly atMs: number }>();
  private working: Promise<void> | undefined;

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    store: CoordStore,
    table: ClusterTable,
    workerId: string,
    part: WriterPart,
  ) {
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.store = store;
    this.table = table;
    this.workerId = workerId;
    this.part = part;
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.working;
  }

  /** To be called when a view was applied. */
  onView(view: ViewRecord, before: ViewRecord | undefined): void {
    const atMs = this.clock.monotonicMs();
    if (before?.frozen && !view.frozen) this.lost.clear();
    else if (before) {
      for (const worker of lostBetween(before, view.members))
        this.lost.set(worker.workerId, { worker, atMs });
    }
    this.look();
  }

  /** To be called when anything has changed that views are made of, or may have. Takes no time. */
  look(): void {
    if (this.working || this.ended.signal.aborted) return;
    this.working = this.work().finally(() => {
      this.working = undefined;
    });
  }

  /** Begins a new generation with the members that are alive, whatever the store says: for one that was restored. Rejects with `CoordError`. */
  async raiseGeneration(latestSeen: ViewName | undefined): Promise<ViewName> {
    const entry = await this.store.get(pointerKey);
    const pointer = entry && (JSON.parse(entry.value) as ViewPointer);
    const content = nextView(undefined, this.table.state([], Number.POSITIVE_INFINITY));
    const view: ViewRecord = {
      ...(content as ViewContent),
      generation: Math.max(pointer?.generation ?? 0, latestSeen?.generation ?? 0) + 1,
      epoch: Math.max(pointer?.epoch ?? 0, latestSeen?.epoch ?? 0) + 1,
      id: this.random.uuid(),
      previousId: '',
    };
    if (!(await this.put(view, undefined, entry))) {
      throw new CoordError('unavailable', 'another node has changed the view meanwhile: try again');
    }
    return view;
  }

  private next(): ViewContent | undefined {
    const present = this.part.present();
    if (!this.part.mayWrite()) return undefined;
    return nextView(present, this.table.state(this.lostLately(), present?.epoch ?? 0));
  }

  private lostLately(): RingWorker[] {
    const sinceMs = this.clock.monotonicMs() - lostAtOnceMs;
    for (const [workerId, { atMs }] of this.lost) if (atMs < sinceMs) this.lost.delete(workerId);
    return [...this.lost.values()].map(({ worker }) => worker);
  }

  /** Until the view is right, by this node or another. While others write views, this node leaves it to them. */
  private async work(): Promise<void> {
    const { signal } = this.ended;
    for (let waitMs = this.delayMs(); ; waitMs = this.delayMs()) {
      const before = this.part.present()?.id;
      // Closed meanwhile: the loop ends.
      await this.clock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted || !this.next()) return;
      if (this.part.present()?.id !== before) continue;
      try {
        await this.part.readAgain();
        if (this.part.present()?.id === before && (await this.write())) return;
      } catch (error) {
        if (!(error instanceof CoordError)) throw error;
        this.log.warn({ err: error }, 'the next view of the cluster could not be written');
      }
    }
  }

  /** The member with the lowest id is the first to write; the others follow in order, where it does not. */
  private delayMs(): number {
    return togetherMs + this.rank() * rankMs;
  }

  /** The place of this node among those alive. */
  private rank(): number {
    const lower = this.table.alive().filter(({ workerId }) => workerId < this.workerId);
    return Math.min(lower.length, maxRank);
  }

  /** False if another node has written one. */
  private async write(): Promise<boolean> {
    const entry = await this.store.get(pointerKey);
    const present = this.part.present();
    const named = entry && (JSON.parse(entry.value) as ViewPointer).id;
    const content = this.next();
    if (!content || named !== present?.id) return false;
    const view: ViewRecord = {
      ...content,
      generation: present?.generation ?? 1,
      epoch: (present?.epoch ?? 0) + 1,
      id: this.random.uuid(),
      previousId: present?.id ?? '',
    };
    if (!(await this.put(view, present, entry))) return false;
    this.log.info({ epoch: view.epoch, members: view.members.length, frozen: view.frozen }, 'a new view');
    if (view.epoch % sweepEvery === 0) await this.sweep(view.epoch - keptViews);
    return true;
  }

  private async put(
    view: ViewRecord,
    before: ViewRecord | undefined,
    pointer: { readonly revision: number } | undefined,
  ): Promise<boolean> {
    const key = viewKey(view);
    await this.store.putIf(key, JSON.stringify(view), 'absent');
    const expected = pointer ? { revision: pointer.revision } : 'absent';
    const value = JSON.stringify(pointerTo(view, before));
    if ((await this.store.putIf(pointerKey, value, expected)) !== undefined) return true;
    await this.store.deleteIf(key, 'any');
    return false;
  }

  /** Views up to this epoch are needed by nobody any more. */
  private async sweep(upTo: number): Promise<void> {
    const { entries } = await this.store.list(viewsPrefix);
    for (const { key } of entries) if (epochOfKey(key) <= upTo) await this.store.deleteIf(key, 'any');
  }
}
