/** Of a removed incarnation: every record before this point is gone. */
export interface IncarnationRemoval {
  readonly incarnation: string;
  /** Regions with a smaller number are concerned; */
  readonly nextRegion: number;
  /** of those that were being written, what begins before this offset. */
  readonly open: readonly (readonly [region: number, offset: number])[];
}

/** What was removed at one time. */
export interface RemovalChange {
  /** Regions that were given up, with all that is in them. */
  readonly retired?: readonly number[];
  /** Records by region and offsets. */
  readonly dead?: readonly (readonly [region: number, ...offsets: number[]])[];
  readonly incarnations?: readonly IncarnationRemoval[];
  /** No region with a greater number was made so far. */
  readonly lastRegion?: number;
}

/** Dead records of a change, at most: what is written in one go stays small. */
const maxOffsets = 4096;

/**
 * What was removed of the records in a directory's regions: what an index that is made anew must not bring back. A record that is in a region's
 * file is either known to the table, or removed here.
 */
export class Removals {
  private readonly retiredRegions = new Set<number>();
  private readonly offsets = new Map<number, number[]>();
  private readonly incarnations = new Map<string, IncarnationRemoval>();
  private greatestRegion = 0;

  /** The greatest number of a region that was ever heard of. */
  get lastRegion(): number {
    return this.greatestRegion;
  }

  apply(change: RemovalChange): void {
    this.heardOf(change.lastRegion ?? 0);
    for (const region of change.retired ?? []) this.retire(region);
    for (const [region, ...offsets] of change.dead ?? []) {
      for (const offset of offsets) this.addDead(region, offset);
    }
    for (const removal of change.incarnations ?? []) this.addIncarnation(removal);
  }

  heardOf(region: number): void {
    this.greatestRegion = Math.max(this.greatestRegion, region);
  }

  retire(region: number): void {
    this.heardOf(region);
    this.retiredRegions.add(region);
    this.offsets.delete(region);
  }

  addDead(region: number, offset: number): void {
    this.heardOf(region);
    if (this.retiredRegions.has(region)) return;
    const known = this.offsets.get(region);
    if (known) known.push(offset);
    else this.offsets.set(region, [offset]);
  }

  /** A later removal of an incarnation covers what an earlier one did. */
  addIncarnation(removal: IncarnationRemoval): void {
    this.heardOf(removal.nextRegion - 1);
    this.incarnations.set(removal.incarnation, removal);
  }

  isRetired(region: number): boolean {
    return this.retiredRegions.has(region);
  }

  get retired(): readonly number[] {
    return [...this.retiredRegions];
  }

  /** The region's file is not there any more, and cannot come back. */
  forgetRetired(region: number): void {
    this.retiredRegions.delete(region);
  }

  /** Drops what concerns no region that is left. `oldest`: the smallest number among those that are. */
  forgetBefore(oldest: number): void {
    for (const [incarnation, { nextRegion }] of this.incarnations) {
      if (nextRegion <= oldest) this.incarnations.delete(incarnation);
    }
  }

  /** A test for the records of one region. */
  ofRegion(region: number): (offset: number, incarnation: string) => boolean {
    const dead = new Set(this.offsets.get(region));
    return (offset, incarnation) => {
      if (dead.has(offset)) return true;
      const removal = this.incarnations.get(incarnation);
      if (!removal || region >= removal.nextRegion) return false;
      const open = removal.open.find(([number]) => number === region);
      return open === undefined || offset < open[1];
    };
  }

  /** Everything, in changes of bounded size. */
  *changes(): Generator<RemovalChange> {
    yield { lastRegion: this.greatestRegion, retired: [...this.retiredRegions] };
    for (const removal of this.incarnations.values()) yield { incarnations: [removal] };
    for (const [region, offsets] of this.offsets) {
      for (let at = 0; at < offsets.length; at += maxOffsets) {
        yield { dead: [[region, ...offsets.slice(at, at + maxOffsets)]] };
      }
    }
  }
}
