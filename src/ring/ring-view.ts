import { allAtOnce, type Steps } from '../common/steps.ts';
import type { View, ViewMember } from './ownership.ts';
import { Ring, type RingWorker } from './ring.ts';
import { inOrder, type ViewRecord } from './view-record.ts';

/** What the rings of a view are. */
export interface ViewRings {
  readonly write: Ring;
  readonly placement: Ring;
}

/** Rings before the present one that pages are looked for by. */
const maxPrevious = 3;

/** A view with its rings: who owns metadata and writes, and where pages lie. */
export class RingView implements View {
  readonly record: ViewRecord;
  readonly generation: number;
  readonly epoch: number;
  readonly members: readonly ViewMember[];
  readonly writeRing: Ring;
  private readonly placementRing: Ring;
  /** By which pages were placed before, the last one first. */
  private readonly previousPlacements: readonly Ring[];
  private readonly byId: ReadonlyMap<string, ViewMember>;

  /** `before`: the view that was applied before, whose rings are used again as far as they are the same. `rings`: those of just this view. */
  constructor(
    record: ViewRecord,
    before?: RingView,
    rings: ViewRings = allAtOnce(RingView.ringsOf(record, before)),
  ) {
    this.record = record;
    this.generation = record.generation;
    this.epoch = record.epoch;
    this.members = record.members;
    this.byId = new Map(record.members.map((member) => [member.workerId, member]));
    this.writeRing = rings.write;
    this.placementRing = rings.placement;
    const earlier = before?.previousPlacements ?? [];
    const isMoved = before !== undefined && before.placementRing !== this.placementRing;
    this.previousPlacements = isMoved ? [before.placementRing, ...earlier].slice(0, maxPrevious) : earlier;
  }

  /** In steps, since large rings take long. */
  static *ringsOf(record: ViewRecord, before?: RingView): Steps<ViewRings> {
    const { virtualNodes } = record.settings;
    const known = [before?.writeRing, before?.placementRing];
    const write = yield* ringOf(writers(record.members), virtualNodes, ...known);
    const placement = yield* ringOf(placementWorkers(record), virtualNodes, write, before?.placementRing);
    return { write, placement };
  }

  member(workerId: string): ViewMember | undefined {
    return this.byId.get(workerId);
  }

  metadataOwnerOf(objectHash: number, without?: ReadonlySet<string>): string | undefined {
    return this.writeRing.ownerOf(objectHash, 0, without);
  }

  placementOwnerOf(objectHash: number, segment: number, without?: ReadonlySet<string>): string | undefined {
    return this.placementRing.ownerOf(objectHash, segment, without);
  }

  previousPlacementOwnerOf(objectHash: number, segment: number): string | undefined {
    const present = this.placementOwnerOf(objectHash, segment);
    for (const ring of this.previousPlacements) {
      const previous = ring.ownerOf(objectHash, segment);
      // Pages that were not asked for since an earlier change still lie where they lay before it.
      if (previous !== undefined && previous !== present && this.byId.has(previous)) return previous;
    }
    return undefined;
  }

  /** The ring by which pages are placed. */
  get placement(): Ring {
    return this.placementRing;
  }
}

/** Where pages lie by a view. */
export function placementWorkers({ placement, members }: Pick<ViewRecord, 'placement' | 'members'>) {
  if (placement) return inOrder(placement);
  const staying = members.filter(({ state }) => state !== 'draining');
  return (staying.length > 0 ? staying : members).map(workerOf);
}

/** Who owns metadata: all that neither go nor are suspected; all there are where nobody else is left. */
function writers(members: readonly ViewMember[]): RingWorker[] {
  const joined = members.filter(({ state }) => state === 'joined');
  return (joined.length > 0 ? joined : members).map(workerOf);
}

export function workerOf({ workerId, weight }: RingWorker): RingWorker {
  return { workerId, weight };
}

/** One of the others where it is the same ring, so that large rings are there once. */
function* ringOf(
  workers: readonly RingWorker[],
  virtualNodes: number,
  ...others: (Ring | undefined)[]
): Steps<Ring> {
  const ordered = inOrder(workers);
  const known = others.filter((other) => other !== undefined);
  const same = known.find((other) => other.virtualNodes === virtualNodes && areSame(other.workers, ordered));
  return same ?? (yield* Ring.inSteps(ordered, virtualNodes, known[0]));
}

function areSame(one: readonly RingWorker[], other: readonly RingWorker[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ workerId, weight }, i) => workerId === other[i]?.workerId && weight === other[i]?.weight)
  );
}
