import type { MaybeChange, Prepared, Step } from './prepare.ts';
import { absent, type KeyState, shows } from './state.ts';

/** One way in which the operations may have happened so far. */
interface Way {
  readonly state: KeyState;
  /** Changes that began, have no answer yet, and have happened. */
  readonly changed: ReadonlySet<number>;
  /** The same of what changes nothing. */
  readonly seen: ReadonlySet<number>;
  /** How many of each kind of maybe-changes have happened. */
  readonly used: readonly number[];
}

export interface SearchLimits {
  /** Ways that are followed at once at most. */
  readonly ways: number;
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  /** No way is left in which this step could have happened. */
  | { readonly kind: 'violated'; readonly at: Step }
  /** There were more ways than may be followed. */
  | { readonly kind: 'undecided'; readonly at: Step };

/**
 * Whether the steps of one key can have happened one after the other, each within its interval. All ways are followed at once, in the
 * order of time, as by Lowe ("Testing for linearizability", 2017): a change is only taken to have happened when an answer demands it.
 * A step that changes nothing happens as soon as it can, since that forbids nothing.
 */
export function search(prepared: Prepared, limits: SearchLimits): Verdict {
  return new Search(prepared.maybe, limits).run(prepared.steps);
}

class Search {
  private readonly pending = new Map<number, Step>();
  private readonly answered = new Set<number>();
  /** Changes that some step must come after, each for itself. */
  private readonly awaited = new Set<number>();
  private readonly maybe: readonly MaybeChange[];
  private readonly limits: SearchLimits;
  private nowMs = Number.NEGATIVE_INFINITY;
  private ways: readonly Way[];

  constructor(maybe: readonly MaybeChange[], limits: SearchLimits) {
    this.maybe = maybe;
    this.limits = limits;
    this.ways = [{ state: absent, changed: new Set(), seen: new Set(), used: maybe.map(() => 0) }];
  }

  run(steps: readonly Step[]): Verdict {
    for (const { after } of steps) for (const id of after) this.awaited.add(id);
    const starts = steps.toSorted((a, b) => a.startMs - b.startMs);
    const ends = steps.toSorted((a, b) => a.endMs - b.endMs);
    let begun = 0;
    for (const step of ends) {
      for (let next = starts[begun]; next && next.startMs <= step.endMs; next = starts[++begun]) {
        this.pending.set(next.operation.id, next);
      }
      this.nowMs = step.endMs;
      const ways = this.waysWith(step);
      if (ways === undefined) return { kind: 'undecided', at: step };
      if (ways.length === 0) return { kind: 'violated', at: step };
      this.pending.delete(step.operation.id);
      this.answered.add(step.operation.id);
      this.ways = ways;
    }
    return { kind: 'linearizable' };
  }

  /** The ways in which the step has happened by now, without it. */
  private waysWith({ operation: { id } }: Step): readonly Way[] | undefined {
    const found = new Ways();
    const tried = new Ways();
    const open = this.ways.map((way) => this.look(way)).filter((way) => tried.add(way));
    for (let way = open.pop(); way; way = open.pop()) {
      if (way.changed.has(id) || way.seen.has(id)) {
        found.add({ ...way, changed: without(way.changed, id), seen: without(way.seen, id) });
        continue;
      }
      for (const next of this.changes(way)) if (tried.add(next)) open.push(next);
      if (tried.count > this.limits.ways) return undefined;
    }
    return found.all();
  }

  /** With all happened that changes nothing and can happen. */
  private look(way: Way): Way {
    const seen = new Set(way.seen);
    for (const [id, { operation, leaves, after }] of this.pending) {
      if (leaves || seen.has(id) || (operation.sight && !shows(way.state, operation.sight))) continue;
      if (after.every((own) => way.changed.has(own) || this.answered.has(own))) seen.add(id);
    }
    return { ...way, seen };
  }

  /**
   * Of changes that demand nothing and leave the same only the one that has its answer first: where another one comes before it, they can
   * change places.
   */
  private pendingChanges(way: Way): Iterable<Step & { readonly leaves: KeyState }> {
    const first = new Map<string, Step & { readonly leaves: KeyState }>();
    for (const [id, step] of this.pending) {
      const { leaves } = step;
      if (!leaves || way.changed.has(id)) continue;
      const isLikeOthers = !step.operation.sight && !this.awaited.has(id);
      const name = isLikeOthers ? leaves.name : `${id}`;
      const known = first.get(name);
      if (!known || step.endMs < known.endMs) first.set(name, { ...step, leaves });
    }
    return first.values();
  }

  /** Each change that may happen next. */
  private changes(way: Way): Way[] {
    const next: Way[] = [];
    for (const { operation, leaves } of this.pendingChanges(way)) {
      if (operation.sight && !shows(way.state, operation.sight)) continue;
      next.push(this.look({ ...way, state: leaves, changed: new Set([...way.changed, operation.id]) }));
    }
    for (const [index, { leaves, startsMs }] of this.maybe.entries()) {
      const used = way.used[index] ?? 0;
      if (leaves.name === way.state.name) continue;
      if ((startsMs[used] ?? Number.POSITIVE_INFINITY) > this.nowMs) continue;
      next.push(this.look({ ...way, state: leaves, used: way.used.with(index, used + 1) }));
    }
    return next;
  }
}

function without(ids: ReadonlySet<number>, id: number): ReadonlySet<number> {
  const others = new Set(ids);
  others.delete(id);
  return others;
}

/** Ways without those that can do no more than another of them. */
class Ways {
  count = 0;
  /** By state and changes: only ways that are alike in both can be compared. */
  private readonly groups = new Map<string, Way[]>();

  /** False if another can do as much. */
  add(way: Way): boolean {
    const name = `${way.state.name} ${[...way.changed].sort((a, b) => a - b).join()}`;
    const alike = this.groups.get(name) ?? [];
    if (alike.some((other) => isAsGood(other, way))) return false;
    const kept = alike.filter((other) => !isAsGood(way, other));
    this.count += kept.length + 1 - alike.length;
    kept.push(way);
    this.groups.set(name, kept);
    return true;
  }

  all(): Way[] {
    return [...this.groups.values()].flat();
  }
}

/** Of two ways to the same state by the same changes: whether the first leaves open whatever the second does. */
function isAsGood(way: Way, other: Way): boolean {
  return (
    isWithin(other.seen, way.seen) && way.used.every((count, index) => count <= (other.used[index] ?? 0))
  );
}

function isWithin(ids: ReadonlySet<number>, others: ReadonlySet<number>): boolean {
  return ids.size <= others.size && [...ids].every((id) => others.has(id));
}
