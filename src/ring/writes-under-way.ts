import { Changes } from './changes.ts';

/** A write that has begun and not ended. */
export interface WriteUnderWay {
  readonly position: number;
  /** The step at which it began. */
  readonly began: number;
  /** When its object went to another node, on the monotonic clock; undefined while it has not. */
  leftMs?: number;
}

/** The writes that this node carries out, and those of them whose object went to another node meanwhile. */
export class WritesUnderWay {
  private readonly all = new Set<WriteUnderWay>();
  private readonly left = new Set<WriteUnderWay>();
  private readonly ended = new Changes<void>();

  begin(write: WriteUnderWay): void {
    this.all.add(write);
  }

  end(write: WriteUnderWay): void {
    if (this.all.delete(write) && this.left.delete(write)) this.ended.tell();
  }

  /** From now on what `isKept` says false for counts as left behind. */
  leave(isKept: (write: WriteUnderWay) => boolean, nowMs: number): void {
    for (const write of this.all) {
      if (isKept(write)) continue;
      this.left.add(write);
      write.leftMs ??= nowMs;
    }
  }

  /** Resolves when those that are left behind at this moment have ended; rejects with the signal's reason. */
  async untilLeftEnded(signal: AbortSignal): Promise<void> {
    const waitedFor = [...this.left];
    while (waitedFor.some((write) => this.left.has(write))) await this.ended.next(signal);
  }
}
