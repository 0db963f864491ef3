/** What a part of the node has to say of itself. */
export interface ReadinessPart {
  readonly reasonNotReady?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What a node still waits for before it may be sent requests. */
export class Readiness {
  private readonly waitingFor: Set<string>;
  private readonly parts: (() => ReadinessPart)[] = [];
  private reason: string | undefined;

  /** `parts`: what must all be there, as an operator would name it. */
  constructor(parts: readonly string[]) {
    this.waitingFor = new Set(parts);
  }

  ready(part: string): void {
    this.waitingFor.delete(part);
  }

  /** The node is going down, or cannot serve: not ready any more, whatever else is there. */
  notReady(reason: string): void {
    this.reason = reason;
  }

  /** From now on `look` is asked too: for a reason not to be ready, and for what else there is to tell. */
  watch(look: () => ReadinessPart): void {
    this.parts.push(look);
  }

  /** What there is to tell of a node that is ready. */
  details(): Readonly<Record<string, unknown>> {
    return Object.assign({}, ...this.parts.map((look) => look().details));
  }

  /** Undefined if the node is ready; otherwise why it is not. */
  reasonNotReady(): string | undefined {
    if (this.reason !== undefined) return this.reason;
    for (const look of this.parts) {
      const { reasonNotReady } = look();
      if (reasonNotReady !== undefined) return reasonNotReady;
    }
    return this.waitingFor.size === 0 ? undefined : `waiting for ${[...this.waitingFor].join(', ')}`;
  }
}
