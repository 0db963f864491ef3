import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';

/** Whether it is made as `UploadIds` makes them. No other text becomes part of a name or a path. */
export function isUploadId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

/**
 * Ids of uploads, each greater in byte order than those given before: the uploads of one key are listed in the order in which they were
 * initiated, and a page goes on behind an id (S3 API Reference, ListMultipartUploads). UUIDs of version 7 (RFC 9562, 5.7).
 */
export class UploadIds {
  private readonly clock: Clock;
  private readonly random: Random;
  private lastMs = 0;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  next(): string {
    // Of several in one millisecond, and where the clock goes back, the later ones borrow from the time to come.
    this.lastMs = Math.max(this.clock.nowMs(), this.lastMs + 1);
    const time = this.lastMs.toString(16).padStart(12, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${this.random.uuid().slice(15)}`;
  }
}
