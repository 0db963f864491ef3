import { Claim } from './claim.ts';
import type { Arc } from './ring.ts';
import type { RingView } from './ring-view.ts';

/** An arc that this node owns. */
interface Tenure extends Arc {
  /** The step at which it was gained; it was owned without interruption since. */
  readonly since: number;
  /** Undefined if nobody is waited for. */
  readonly claim: Claim | undefined;
}

/** A view that somebody may still act on. */
export interface PastView {
  readonly view: RingView;
  /** From then on nobody does, on the monotonic clock. */
  readonly deadAtMs: number;
}

/** What a node owned before a step, or may have: whoever is not known is waited for under this name. */
export const anybody = '';

export interface Step {
  /** Counts the views that were applied here. */
  readonly step: number;
  /** What this node owns from now on. */
  readonly arcs: readonly Arc[];
  /** False where views between may have given to others what this node owned: then all is gained anew. */
  readonly isUnbroken: boolean;
  readonly pastViews: readonly PastView[];
  /** Until when owners that are not known may act, on the monotonic clock. */
  readonly unknownUntilMs: number;
  readonly nowMs: number;
}

/** What a node owns, since when, and who may still have to release it. A value that is replaced as views are applied. */
export class Tenures {
  private readonly self: string;
  private readonly held: readonly Tenure[];
  private readonly gone: readonly string[];

  /** `self`: the name of this node, as `nameOf` gives it. `gone`: those who act on nothing any more, for certain. */
  constructor(self: string, held: readonly Tenure[] = [], gone: readonly string[] = []) {
    this.self = self;
    this.held = held;
    this.gone = gone;
  }

  after(step: Step): Tenures {
    const held: Tenure[] = [];
    const claims = new Map<string, Claim>();
    for (const arc of step.arcs) {
      for (const tenure of this.split(arc, step)) {
        const gained = tenure.since === step.step ? this.claimed(tenure, step, claims) : [tenure];
        for (const part of gained) append(held, part);
      }
    }
    return new Tenures(this.self, held, this.gone);
  }

  at(position: number): Tenure | undefined {
    const found = this.held[this.firstUpTo(position)];
    return found && found.from <= position ? found : undefined;
  }

  /** Claims that are not settled yet. */
  openClaims(nowMs: number): readonly Claim[] {
    const claims = new Set<Claim>();
    for (const { claim } of this.held) if (claim && !claim.isSettled(nowMs)) claims.add(claim);
    return [...claims];
  }

  /** An arc in parts: what was held before, and what is gained. */
  private split(arc: Arc, { step, isUnbroken, nowMs }: Step): Tenure[] {
    const parts: Tenure[] = [];
    let next = arc.from;
    const gainUpTo = (to: number) => {
      if (next <= to) parts.push({ from: next, to, since: step, claim: undefined });
      next = Math.max(next, to + 1);
    };
    for (const tenure of isUnbroken ? this.overlapping(arc) : []) {
      gainUpTo(Math.min(tenure.from - 1, arc.to));
      const to = Math.min(tenure.to, arc.to);
      const claim = tenure.claim?.isSettled(nowMs) === false ? tenure.claim : undefined;
      parts.push({ from: next, to, since: tenure.since, claim });
      next = to + 1;
    }
    gainUpTo(arc.to);
    return parts;
  }

  private overlapping({ from, to }: Arc): readonly Tenure[] {
    const first = this.firstUpTo(from);
    let end = first;
    while (end < this.held.length && (this.held[end] as Tenure).from <= to) end++;
    return this.held.slice(first, end);
  }

  /** The place of the first arc that reaches up to a position or beyond. */
  private firstUpTo(position: number): number {
    let low = 0;
    let high = this.held.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.held[middle] as Tenure).to < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What is gained, in parts by who may still act on it. */
  private claimed(gained: Tenure, step: Step, claims: Map<string, Claim>): Tenure[] {
    const unknown = step.unknownUntilMs > step.nowMs ? [[anybody, step.unknownUntilMs] as const] : [];
    let parts: { arc: Arc; waiting: Map<string, number> }[] = [{ arc: gained, waiting: new Map(unknown) }];
    for (const { view, deadAtMs } of step.pastViews) {
      if (deadAtMs <= step.nowMs) continue;
      parts = parts.flatMap(({ arc, waiting }) => {
        const owners = view.writeRing.ownersIn(arc);
        if (owners.length === 0) return [{ arc, waiting }];
        return owners.map((owner) => ({
          arc: owner.arc,
          waiting: this.waitingToo(waiting, nameIn(view, owner.workerId), deadAtMs),
        }));
      });
    }
    return parts.map(({ arc: { from, to }, waiting }) => ({
      from,
      to,
      since: gained.since,
      claim: waiting.size === 0 ? undefined : shared(claims, waiting),
    }));
  }

  private waitingToo(waiting: Map<string, number>, name: string, untilMs: number): Map<string, number> {
    if (name === this.self || this.gone.includes(name)) return waiting;
    return new Map(waiting).set(name, Math.max(untilMs, waiting.get(name) ?? untilMs));
  }
}

/** The name of one start of a worker, under which it is waited for. */
export function nameOf(worker: { readonly workerId: string; readonly incarnation: string }): string {
  return `${worker.workerId}/${worker.incarnation}`;
}

function nameIn(view: RingView, workerId: string): string {
  return nameOf({ workerId, incarnation: view.member(workerId)?.incarnation ?? '' });
}

/** One claim for all parts that wait for the same. */
function shared(claims: Map<string, Claim>, waiting: ReadonlyMap<string, number>): Claim {
  const text = JSON.stringify([...waiting].sort());
  const claim = claims.get(text) ?? new Claim(waiting);
  claims.set(text, claim);
  return claim;
}

function append(held: Tenure[], part: Tenure): void {
  const before = held.at(-1);
  const isOne = before && before.to === part.from - 1 && before.since === part.since;
  if (isOne && before.claim === part.claim) held[held.length - 1] = { ...before, to: part.to };
  else held.push(part);
}
