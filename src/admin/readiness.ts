/** What a node still waits for before it may be sent requests. */
export class Readiness {
  private readonly waitingFor: Set<string>;
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

  /** Undefined if the node is ready; otherwise why it is not. */
  reasonNotReady(): string | undefined {
    if (this.reason !== undefined) return this.reason;
    return this.waitingFor.size === 0 ? undefined : `waiting for ${[...this.waitingFor].join(', ')}`;
  }
}
