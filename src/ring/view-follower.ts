import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { inTurns } from '../common/steps.ts';
import { CoordError, type CoordStore, type Entry } from '../coord/store.ts';
import type { ClusterOwnership } from './cluster-ownership.ts';
import { RingView } from './ring-view.ts';
import { type Moment, momentOf } from './view-lease.ts';
import {
  compareEpochs,
  pointerKey,
  type ViewName,
  type ViewPointer,
  type ViewRecord,
  viewAfter,
  viewKey,
} from './view-record.ts';

/** Reads that wait for their answer; while so many do, no other is sent. */
const maxReads = 4;
/** How many views are loaded one by one to see what each of them has moved. */
const maxSteps = 16;
/** Where this node keeps the latest view that it has seen, in a store of its own. */
const seenKey = 'ring/seen';

/** Brings the ownership up to the latest view, and keeps its view lease by reading `ring/epoch` again and again. */
export class ViewFollower {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly store: CoordStore;
  /** Of this node alone; it outlives the process. */
  private readonly own: CoordStore;
  private readonly ownership: ClusterOwnership;
  private readonly ended = new AbortController();
  private reads = 0;
  private turn: Promise<void> = Promise.resolve();
  private polling: Promise<void> | undefined;
  /** The latest view that this node has seen, in this process or before, and when. */
  private known: ViewName | undefined;
  private knownAtMs = Number.NEGATIVE_INFINITY;
  private reason: string | undefined;

  constructor(clock: Clock, log: Log, store: CoordStore, own: CoordStore, ownership: ClusterOwnership) {
    this.clock = clock;
    this.log = log;
    this.store = store;
    this.own = own;
    this.ownership = ownership;
  }

  /** Resolves when the latest view is applied, if there is one. Rejects with `CoordError`. */
  async open(readEveryMs: number): Promise<void> {
    const seen = await this.own.get(seenKey);
    this.known = seen && (JSON.parse(seen.value) as ViewName);
    await this.read();
    this.polling = this.poll(readEveryMs);
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.polling;
    await this.turn;
  }

  /** Why this node may not act on any view: the store has gone back behind what it had said. */
  get stoppedBecause(): string | undefined {
    return this.reason;
  }

  /** The latest view that this node has seen. */
  get latestSeen(): ViewName | undefined {
    return this.known;
  }

  /** Reads which view is the latest, and applies it. Rejects with `CoordError`. */
  async read(): Promise<void> {
    const sent = momentOf(this.clock);
    const entry = await this.store.get(pointerKey);
    await this.take(entry, this.clock.monotonicMs(), sent);
  }

  /** What the watch of `ring/epoch` has brought. */
  async hear(entry: Entry): Promise<void> {
    await this.take(entry, this.clock.monotonicMs(), undefined);
  }

  private async poll(everyMs: number): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      if (this.reads < maxReads) void this.readOnce();
      // Closed meanwhile: the loop ends.
      await this.clock.sleep(everyMs, signal).catch(() => {});
    }
  }

  private async readOnce(): Promise<void> {
    this.reads += 1;
    try {
      await this.read();
    } catch (error) {
      // The lease runs out unless a later read is answered.
      if (!(error instanceof CoordError)) throw error;
    } finally {
      this.reads -= 1;
    }
  }

  /** One after the other. `seenMs`: when the answer was here. */
  private take(entry: Entry | undefined, seenMs: number, sent: Moment | undefined): Promise<void> {
    const taken = this.turn.then(async () => {
      if (!this.ended.signal.aborted) await this.takeNow(entry, seenMs, sent);
    });
    this.turn = taken.catch(() => {});
    return taken;
  }

  private async takeNow(entry: Entry | undefined, seenMs: number, sent: Moment | undefined): Promise<void> {
    const pointer = entry && (JSON.parse(entry.value) as ViewPointer);
    const why = this.whyWrong(pointer, sent);
    if (why === 'old') return;
    if (why !== undefined) return this.stop(why);
    if (!pointer) return;
    if (compareEpochs(pointer, this.ownership.view()) > 0 && !(await this.applyUpTo(pointer, seenMs))) return;
    this.resume();
    if (sent) this.ownership.renew(sent, pointer);
  }

  /** `old`: the answer to a read that was sent before something later was seen. */
  private whyWrong(pointer: ViewPointer | undefined, sent: Moment | undefined): string | undefined {
    const { known } = this;
    if (!known) return undefined;
    const order = pointer ? compareEpochs(pointer, known) : -1;
    if (order < 0) {
      const isLate = sent === undefined || sent.monotonicMs < this.knownAtMs;
      return isLate ? 'old' : `it names view ${textOf(pointer)}, after ${textOf(known)} was seen`;
    }
    const isFork =
      (order === 0 && pointer?.id !== known.id) ||
      (follows(known, pointer) && pointer?.previousId !== known.id);
    return isFork
      ? `its view ${textOf(pointer)} is of another history than view ${textOf(known)}`
      : undefined;
  }

  /** False if another history came to light, or may be there, or the view is gone already and a later one has to be read first. */
  private async applyUpTo(pointer: ViewPointer, seenMs: number): Promise<boolean> {
    const applied = this.ownership.ringView?.record;
    const latest = viewAfter(applied, pointer) ?? (await this.load(pointer));
    if (!latest) return false;
    const views = await this.pathTo(latest, applied);
    const oldest = views[0] as ViewRecord;
    const { known } = this;
    if (known && follows(known, oldest) && oldest.previousId !== known.id) {
      this.stop(`its view ${textOf(oldest)} is of another history than view ${textOf(known)}`);
      return false;
    }
    const isFirst = oldest.previousId === '' && oldest.generation === 1;
    const isComplete = applied ? oldest.previousId === applied.id : isFirst;
    // Once it went back, nothing is believed of that generation but what is known to follow.
    if (this.reason !== undefined && known?.generation === pointer.generation && !isComplete) return false;
    await this.remember(pointer, seenMs);
    for (const [i, view] of views.entries()) {
      const rings = await inTurns(RingView.ringsOf(view, this.ownership.ringView));
      if (this.ended.signal.aborted) return false;
      this.ownership.apply(view, seenMs, i > 0 || isComplete, rings);
    }
    return true;
  }

  /** The views from the one after `applied` up to `latest`; fewer where one of them is gone, or there are too many. */
  private async pathTo(latest: ViewRecord, applied: ViewRecord | undefined): Promise<ViewRecord[]> {
    const views = [latest];
    for (let oldest = latest; views.length < maxSteps; ) {
      if (!applied || oldest.previousId === '' || oldest.epoch - 1 <= applied.epoch) break;
      const before = await this.load({ epoch: oldest.epoch - 1, id: oldest.previousId });
      if (!before) break;
      views.unshift(before);
      oldest = before;
    }
    return views;
  }

  private async load(name: Pick<ViewName, 'epoch' | 'id'>): Promise<ViewRecord | undefined> {
    const entry = await this.store.get(viewKey(name));
    return entry && (JSON.parse(entry.value) as ViewRecord);
  }

  private async remember({ generation, epoch, id }: ViewName, seenMs: number): Promise<void> {
    this.known = { generation, epoch, id };
    this.knownAtMs = seenMs;
    try {
      await this.own.putIf(seenKey, JSON.stringify(this.known), 'any');
    } catch (error) {
      // After a restart this node would not notice that the store went back behind this view.
      if (!(error instanceof CoordError)) throw error;
      this.log.warn({ err: error }, 'the latest view of the cluster could not be written down');
    }
  }

  private stop(why: string): void {
    if (this.reason === undefined) {
      this.log.error(
        { why },
        'the coordination store went back, as if restored: writes stop until its generation is raised',
      );
    }
    this.reason = `the coordination store went back: ${why}`;
    this.ownership.dropLease();
  }

  private resume(): void {
    if (this.reason !== undefined) this.log.info('the coordination store is followed again');
    this.reason = undefined;
  }
}

function follows(known: ViewName, pointer: ViewName | undefined): boolean {
  return pointer?.generation === known.generation && pointer.epoch === known.epoch + 1;
}

function textOf(name: ViewName | undefined): string {
  return name ? `${name.generation}.${name.epoch}` : 'none';
}
