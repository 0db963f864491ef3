import { Claim, type Wait } from './claim.ts';
import type { Arc } from './ring.ts';
import type { RingView } from './ring-view.ts';

/** An arc that this node owns. */
export interface Tenure extends Arc {
  /** The step at which it was gained; it was owned without interruption since. */
  readonly since: number;
  /** Undefined if nothing is waited for. */
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
  /** Owners that are not known. */
  readonly unknown: Wait;
  readonly nowMs: number;
  /** How long after it was sent a change may have its effect. */
  readonly settlingMs: number;
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

  /** Claims on what somebody has not released yet. */
  openClaims(nowMs: number): readonly Claim[] {
    return this.claims().filter((claim) => !claim.isReleased(nowMs));
  }

  /** Claims that are not settled yet. */
  unsettledClaims(nowMs: number): readonly Claim[] {
    return this.claims().filter((claim) => !claim.isSettled(nowMs));
  }

  /** From when on nothing has an effect any more that others sent before, for all that is held, on the monotonic clock. */
  settledMs(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.claims().map((claim) => claim.settledUntilMs()));
  }

  private claims(): readonly Claim[] {
    const claims = new Set<Claim>();
    for (const { claim } of this.held) if (claim) claims.add(claim);
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
    let parts: { arc: Arc; owners: ReadonlyMap<string, Wait> }[] = [
      { arc: gained, owners: new Map([[anybody, step.unknown]]) },
    ];
    for (const { view, deadAtMs } of step.pastViews) {
      parts = parts.flatMap(({ arc, owners }) => {
        const there = view.writeRing.ownersIn(arc);
        if (there.length === 0) return [{ arc, owners }];
        const wait = { untilMs: deadAtMs, settledMs: deadAtMs + step.settlingMs };
        return there.map((owner) => ({
          arc: owner.arc,
          owners: this.with(owners, nameIn(view, owner.workerId), wait),
        }));
      });
    }
    return parts.map(({ arc: { from, to }, owners }) => ({
      from,
      to,
      since: gained.since,
      claim: this.claimOn(owners, step, claims),
    }));
  }

  private with(owners: ReadonlyMap<string, Wait>, name: string, wait: Wait): ReadonlyMap<string, Wait> {
    if (name === this.self) return owners;
    const known = owners.get(name);
    return new Map(owners).set(name, known && known.untilMs > wait.untilMs ? known : wait);
  }

  /** One claim for all parts with the same owners before; undefined where there is nothing to wait for. */
  private claimOn(
    owners: ReadonlyMap<string, Wait>,
    { nowMs, settlingMs }: Step,
    claims: Map<string, Claim>,
  ): Claim | undefined {
    const waiting = new Map<string, Wait>();
    let settledMs = Number.NEGATIVE_INFINITY;
    for (const [name, wait] of owners) {
      const isGone = this.gone.includes(name);
      if (!isGone && wait.untilMs > nowMs) waiting.set(name, wait);
      else settledMs = Math.max(settledMs, isGone ? nowMs + settlingMs : wait.settledMs);
    }
    if (waiting.size === 0 && settledMs <= nowMs) return undefined;
    const text = JSON.stringify([settledMs, ...[...waiting].sort(([a], [b]) => (a < b ? -1 : 1))]);
    const claim = claims.get(text) ?? new Claim(waiting, settledMs);
    claims.set(text, claim);
    return claim;
  }
}

/** The name of one start of a worker, under which it is waited for. */
export function nameOf(worker: { readonly workerId: string; readonly incarnation: string }): string {
  return `${worker.workerId}/${worker.incarnation}`;
}

function nameIn(view: RingView, workerId: string): string {
  return nameOf({ workerId, incarnation: view.member(workerId)?.incarnation ?? '' });
}

function append(held: Tenure[], part: Tenure): void {
  const before = held.at(-1);
  const isOne = before && before.to === part.from - 1 && before.since === part.since;
  if (isOne && before.claim === part.claim) held[held.length - 1] = { ...before, to: part.to };
  else held.push(part);
}
