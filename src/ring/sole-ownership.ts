import type { LeaseEnd, OwnedWrite, Ownership, Released, View, ViewMember } from './ownership.ts';

const always: LeaseEnd = Object.freeze({
  monotonicMs: Number.POSITIVE_INFINITY,
  wallMs: Number.POSITIVE_INFINITY,
});
const nobody: ReadonlyMap<string, number> = new Map();
const write: OwnedWrite = Object.freeze({
  mayAcknowledge: () => true,
  mayGoOut: () => true,
  isHeld: () => true,
  end: () => {},
});

/** The ownership of a node that is no member of a cluster: everything is its own, always. */
export class SoleOwnership implements Ownership {
  readonly workerId: string;
  readonly incarnation: string;
  private readonly only: View;

  constructor(member: ViewMember) {
    const { workerId, incarnation } = member;
    this.workerId = workerId;
    this.incarnation = incarnation;
    this.only = Object.freeze({
      generation: 1,
      epoch: 1,
      members: [member],
      member: (id: string) => (id === workerId ? member : undefined),
      metadataOwnerOf: () => workerId,
      placementOwnerOf: () => workerId,
      previousPlacementOwnerOf: () => undefined,
    });
  }

  view(): View {
    return this.only;
  }

  mayUseMetadata(): boolean {
    return true;
  }

  mayKeepMetadata(): boolean {
    return true;
  }

  owns(): boolean {
    return true;
  }

  ownedSince(): number {
    return 1;
  }

  gains() {
    return { views: 1, areSettled: true };
  }

  beginWrite(): OwnedWrite {
    return write;
  }

  leaseEnd(): LeaseEnd {
    return always;
  }

  onLease(): () => void {
    return () => {};
  }

  onView(): () => void {
    return () => {};
  }

  async whenSettled(): Promise<void> {}

  async whenApplied(): Promise<void> {}

  async whenReleased(): Promise<Released> {
    return { settlesInMs: 0 };
  }

  async refresh(): Promise<void> {}

  async suspect(): Promise<void> {}

  overdue(): ReadonlyMap<string, number> {
    return nobody;
  }

  askWith(): void {}
}
