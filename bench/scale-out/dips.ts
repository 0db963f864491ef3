/** What clients and storage have seen in about a second. */
export interface Tick {
  readonly seconds: number;
  readonly requests: number;
  /** Answers whose `x-forebay-cache` says that no byte came from the storage. */
  readonly hits: number;
  /** Answers that were no 200, or wrong, or none. */
  readonly failures: number;
  /** GETs of objects, by the storage's own count. */
  readonly storageReads: number;
}

/** Parts of 1. */
export interface Ratios {
  /** As the answers' headers say. */
  readonly byHeader: number;
  /** As the storage says: what was asked of the cluster and not of it. */
  readonly byStorage: number;
}

/** How far the hit ratio went down after an event, against what it was right before. */
export interface Dip {
  readonly before: Ratios;
  /** Each of its worst window. */
  readonly worst: Ratios;
  /** Percentage points; of the two counts the larger. */
  readonly points: number;
  readonly requests: number;
  readonly failures: number;
}

export function ratiosOf(ticks: readonly Tick[]): Ratios {
  const sum = (of: (tick: Tick) => number) => ticks.reduce((total, tick) => total + of(tick), 0);
  const requests = sum(({ requests }) => requests);
  if (requests === 0) return { byHeader: 0, byStorage: 0 };
  return {
    byHeader: sum(({ hits }) => hits) / requests,
    byStorage: 1 - sum(({ storageReads }) => storageReads) / requests,
  };
}

/** `windowTicks`: how long a window is; one begins with each tick after the event. What is left of the last is no window. */
export function dipAfter(before: readonly Tick[], after: readonly Tick[], windowTicks: number): Dip {
  const base = ratiosOf(before);
  let worst: Ratios = { byHeader: 1, byStorage: 1 };
  for (let first = 0; first + windowTicks <= after.length; first++) {
    const { byHeader, byStorage } = ratiosOf(after.slice(first, first + windowTicks));
    worst = {
      byHeader: Math.min(worst.byHeader, byHeader),
      byStorage: Math.min(worst.byStorage, byStorage),
    };
  }
  const points = 100 * Math.max(base.byHeader - worst.byHeader, base.byStorage - worst.byStorage);
  return {
    before: base,
    worst,
    points,
    requests: after.reduce((total, { requests }) => total + requests, 0),
    failures: after.reduce((total, { failures }) => total + failures, 0),
  };
}
