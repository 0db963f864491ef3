/** `small`: where newcomers lie; `main`: where those lie that were used again. As in S3-FIFO (see `cache-policy.ts`). */
export type Queue = 'small' | 'main';

/** A segment that is to be emptied, and where it came from. */
export interface Victim {
  readonly segment: number;
  readonly queue: Queue;
  /** How far it is written. */
  readonly fillBytes: number;
}

interface Lane {
  /** The segment that is being written, or -1. */
  active: number;
  /** Full ones, the oldest first. */
  readonly closed: number[];
}

/** Share of the segments that newcomers may take while others want them. */
const smallShare = 0.1;

/** Which segment of an arena is in which state, and which one goes next. Whether a segment is pinned is asked of the caller. */
export class SegmentLog {
  private readonly segmentBytes: number;
  private readonly segmentCount: number;
  private readonly isPinned: (segment: number) => boolean;
  private readonly free: number[];
  /** How far each segment is written, bytes. */
  private readonly fills: number[];
  /** Emptied while readers still held them. */
  private draining: number[] = [];
  private readonly lanes: Record<Queue, Lane> = {
    small: { active: -1, closed: [] },
    main: { active: -1, closed: [] },
  };

  constructor(segmentCount: number, segmentBytes: number, isPinned: (segment: number) => boolean) {
    this.segmentBytes = segmentBytes;
    this.segmentCount = segmentCount;
    this.isPinned = isPinned;
    this.free = Array.from({ length: segmentCount }, (_, i) => segmentCount - 1 - i);
    this.fills = this.free.map(() => 0);
  }

  /**
   * Room for a record at the end of a queue; undefined if there is none without emptying a segment. `reserve` segments stay free, for
   * what is carried forward out of the next one that is emptied.
   */
  place(queue: Queue, bytes: number, reserve: number): { segment: number; offset: number } | undefined {
    if (bytes > this.segmentBytes) return undefined;
    const lane = this.lanes[queue];
    if (lane.active < 0 || this.fillOf(lane.active) + bytes > this.segmentBytes) {
      this.reclaim();
      if (this.free.length <= reserve) return undefined;
      if (lane.active >= 0) lane.closed.push(lane.active);
      lane.active = this.free.pop() as number;
      this.fills[lane.active] = 0;
    }
    const offset = this.fillOf(lane.active);
    this.fills[lane.active] = offset + bytes;
    return { segment: lane.active, offset };
  }

  /** Takes the segment that is to be emptied next out of its queue; undefined if readers hold all of them. */
  takeVictim(): Victim | undefined {
    const smallCount = this.lanes.small.closed.length + (this.lanes.small.active < 0 ? 0 : 1);
    const first: Queue = smallCount > Math.max(1, this.segmentCount * smallShare) ? 'small' : 'main';
    const second: Queue = first === 'small' ? 'main' : 'small';
    return (
      this.takeClosed(first) ?? this.takeClosed(second) ?? this.takeActive(first) ?? this.takeActive(second)
    );
  }

  /** The victim holds no record any more. */
  emptied(segment: number): void {
    if (this.isPinned(segment)) this.draining.push(segment);
    else this.free.push(segment);
  }

  private takeClosed(queue: Queue): Victim | undefined {
    const { closed } = this.lanes[queue];
    const index = closed.findIndex((segment) => !this.isPinned(segment));
    if (index < 0) return undefined;
    const [segment] = closed.splice(index, 1) as [number];
    return { segment, queue, fillBytes: this.fillOf(segment) };
  }

  private takeActive(queue: Queue): Victim | undefined {
    const lane = this.lanes[queue];
    const segment = lane.active;
    if (segment < 0 || this.isPinned(segment)) return undefined;
    lane.active = -1;
    return { segment, queue, fillBytes: this.fillOf(segment) };
  }

  private reclaim(): void {
    if (this.draining.length === 0) return;
    const still = this.draining.filter((segment) => this.isPinned(segment));
    this.free.push(...this.draining.filter((segment) => !still.includes(segment)));
    this.draining = still;
  }

  private fillOf(segment: number): number {
    return this.fills[segment] as number;
  }
}
