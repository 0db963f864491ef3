import type { BodyPlace } from './record-format.ts';
import type { ChangeHead, SentCondition } from './records.ts';
import type { RecoveredChange } from './recovery.ts';
import { formatStamp, type Stamp } from './stamp.ts';

/** What an entry takes beside its body, as far as the journal's capacity is concerned. */
export const entryBytes = 1024;

/** A change of the journal, and how far it has come. */
export class PendingEntry {
  readonly change: ChangeHead;
  readonly stamp: Stamp;
  /** The stamp in one word. */
  readonly name: string;
  /** Where its record lies; moves when its segment goes. */
  segment: number;
  body: BodyPlace;
  /** What the last attempt replaces; undefined while there was none. */
  sent: SentCondition | undefined;
  /** An attempt went out in an earlier process, of which nothing else is known. */
  wasSentBefore: boolean;
  /** Its bytes cannot be read. */
  isDamaged: boolean;
  /** It is about to be recorded as done, or a later one has taken its place. */
  isOver = false;
  /** It is over for sure. */
  isFreed = false;
  /** Nothing is kept of it any more. */
  isGone = false;
  holds = 0;

  constructor(origin: string, { change, segment, body, isWhole, sent }: RecoveredChange) {
    this.change = change;
    const [epoch, sequence] = change.stamp;
    this.stamp = { origin, epoch, sequence };
    this.name = formatStamp(this.stamp);
    this.segment = segment;
    this.body = body;
    this.sent = sent;
    this.wasSentBefore = sent !== undefined;
    this.isDamaged = change.damaged === true || !isWhole;
  }

  /** Another node may have sent attempts of it, of which nothing is known. */
  mayHaveBeenSent(): void {
    this.sent ??= 'anything';
    this.wasSentBefore = true;
  }

  get key(): string {
    return this.change.key;
  }

  /** What it takes of the journal's capacity. */
  get bytes(): number {
    return entryBytes + (this.change.meta?.sizeBytes ?? 0);
  }
}
