/** One reader's way through an object, from request to request. */
export interface Sequence<T> {
  /** What the offsets count in: one version of an object. */
  readonly name: string;
  /** Where its next request is expected to begin. */
  nextOffset: number;
  /** Pages that are worth having ahead of it; 0 until a request followed on another. */
  aheadPages: number;
  /** The page at which that grew last. */
  grownAtPage: number;
  /** When its last request came (monotonic ms). */
  seenMs: number;
  /** What its finder keeps with it. */
  held: T | undefined;
}

export interface SequentialReadersSettings {
  readonly maxAheadPages: number;
  /** Readers that are remembered; beyond it the one that was silent longest is forgotten. */
  readonly maxReaders: number;
  /** A reader that was silent for so long is forgotten. */
  readonly idleMs: number;
}

/**
 * Finds readers that go through an object in order by the ranges they ask for: one request begins where another ended. Requests of one
 * connection or another are all alike. Pure: no clock, no I/O; its size is bounded.
 */
export class SequentialReaders<T> {
  private readonly settings: SequentialReadersSettings;
  private readonly onForgotten: (sequence: Sequence<T>) => void;
  /** By the place where the next request is expected; the one that was silent longest first. */
  private readonly expected = new Map<string, Sequence<T>>();

  /** `onForgotten` is called for each sequence that will not be continued. */
  constructor(onForgotten: (sequence: Sequence<T>) => void, settings: SequentialReadersSettings) {
    this.onForgotten = onForgotten;
    this.settings = settings;
  }

  get count(): number {
    return this.expected.size;
  }

  /**
   * Takes a request for bytes `[start, end)`, and gives the sequence that it belongs to. What there is to have ahead is one page after the
   * second request, and doubles whenever the reader has come to another page.
   */
  take(name: string, start: number, end: number, pageSizeBytes: number, nowMs: number): Sequence<T> {
    this.forgetSilent(nowMs);
    const found = this.expected.get(placeOf(name, start));
    if (found) this.expected.delete(placeOf(name, start));
    const sequence = found ?? begun(name);
    const page = Math.floor((end - 1) / pageSizeBytes);
    if (found && sequence.aheadPages === 0) grow(sequence, Math.min(1, this.settings.maxAheadPages), page);
    else if (found && page > sequence.grownAtPage) {
      grow(sequence, Math.min(2 * sequence.aheadPages, this.settings.maxAheadPages), page);
    }
    sequence.nextOffset = end;
    sequence.seenMs = nowMs;
    return this.expect(sequence);
  }

  /**
   * Expects a sequence whose request took a while to go on from now on, also if it was forgotten meanwhile. False if another one has come
   * to its place: that one is followed.
   */
  renew(sequence: Sequence<T>, nowMs: number): boolean {
    const other = this.expected.get(placeOf(sequence.name, sequence.nextOffset));
    if (other && other !== sequence) return false;
    sequence.seenMs = nowMs;
    this.putLast(sequence);
    return true;
  }

  /** Forgets a sequence, if it is still expected to go on. */
  forget(sequence: Sequence<T>): void {
    const place = placeOf(sequence.name, sequence.nextOffset);
    if (this.expected.get(place) !== sequence) return;
    this.expected.delete(place);
    this.onForgotten(sequence);
  }

  /** Forgets those that were silent for too long; gives the time until the next one will have been. */
  forgetSilent(nowMs: number): number {
    for (const sequence of this.expected.values()) {
      const leftMs = sequence.seenMs + this.settings.idleMs - nowMs;
      if (leftMs > 0) return leftMs;
      this.forget(sequence);
    }
    return this.settings.idleMs;
  }

  forgetAll(): void {
    for (const sequence of this.expected.values()) this.forget(sequence);
  }

  private expect(sequence: Sequence<T>): Sequence<T> {
    const place = placeOf(sequence.name, sequence.nextOffset);
    const other = this.expected.get(place);
    // Readers that have come to one place are followed as one: the one that has more ahead of it.
    const [kept, given] =
      other && other.aheadPages > sequence.aheadPages ? [other, sequence] : [sequence, other];
    if (given) this.onForgotten(given);
    kept.seenMs = sequence.seenMs;
    this.putLast(kept);
    return kept;
  }

  private putLast(sequence: Sequence<T>): void {
    const place = placeOf(sequence.name, sequence.nextOffset);
    this.expected.delete(place);
    this.expected.set(place, sequence);
    const [silentLongest] = this.expected.values();
    if (this.expected.size > this.settings.maxReaders && silentLongest) this.forget(silentLongest);
  }
}

function begun<T>(name: string): Sequence<T> {
  return { name, nextOffset: 0, aheadPages: 0, grownAtPage: -1, seenMs: 0, held: undefined };
}

function grow<T>(sequence: Sequence<T>, aheadPages: number, page: number): void {
  sequence.aheadPages = aheadPages;
  sequence.grownAtPage = page;
}

function placeOf(name: string, offset: number): string {
  return `${offset}\0${name}`;
}
