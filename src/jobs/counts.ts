/** An object that a job could not do its work on. */
export interface Failure {
  readonly key: string;
  readonly reason: string;
}

/**
 * What a job, or a part of one, has found. Every object that was come to is in exactly one of the first five; of a job that scrubs, every page:
 * `cached` as it was written, or `freed`.
 */
export interface Counts {
  /** Objects of which something was not here, and all is now; of a plan: would have to be fetched. Of a job that syncs: that have changed. */
  readonly loaded: number;
  /** Objects that were here whole; of a job that frees: of which nothing was here; of one that syncs: that have not changed. */
  readonly cached: number;
  /** Objects of which pages were dropped; of a plan: would be. */
  readonly freed: number;
  /** Objects that were deleted between the list and the work; of a job that syncs: since they were last asked about. */
  readonly gone: number;
  readonly failed: number;
  /** Bytes that were fetched for the objects that are not failed. */
  readonly loadedBytes: number;
  /** Bytes that were here before. */
  readonly cachedBytes: number;
  readonly freedBytes: number;
  /** The first of the failed ones. */
  readonly failures: readonly Failure[];
}

/** Failed objects whose names are kept, of one job. */
export const maxFailures = 100;
/** Reasons are cut to so many characters. */
const maxReason = 300;

export const noCounts: Counts = Object.freeze({
  loaded: 0,
  cached: 0,
  freed: 0,
  gone: 0,
  failed: 0,
  loadedBytes: 0,
  cachedBytes: 0,
  freedBytes: 0,
  failures: [],
});

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    loaded: a.loaded + b.loaded,
    cached: a.cached + b.cached,
    freed: a.freed + b.freed,
    gone: a.gone + b.gone,
    failed: a.failed + b.failed,
    loadedBytes: a.loadedBytes + b.loadedBytes,
    cachedBytes: a.cachedBytes + b.cachedBytes,
    freedBytes: a.freedBytes + b.freedBytes,
    failures: [...a.failures, ...b.failures].slice(0, maxFailures),
  };
}

export function objectsIn({ loaded, cached, freed, gone, failed }: Counts): number {
  return loaded + cached + freed + gone + failed;
}

/** What became of one object. */
export type ObjectOutcome =
  | {
      readonly type: 'load';
      readonly sizeBytes: number;
      readonly loadedBytes: number;
      readonly cachedBytes: number;
    }
  | { readonly type: 'free'; readonly freedBytes: number; readonly hadPages: boolean }
  | { readonly type: 'sync'; readonly hasChanged: boolean }
  | { readonly type: 'scrub'; readonly whole: Pages; readonly damaged: Pages };

export interface Pages {
  readonly count: number;
  readonly bytes: number;
}

/** An object counts as loaded only if each of its bytes is accounted for. Undefined: it is gone. */
export function countsOf(key: string, outcome: ObjectOutcome | undefined): Counts {
  if (!outcome) return { ...noCounts, gone: 1 };
  if (outcome.type === 'free') {
    const { freedBytes, hadPages } = outcome;
    return hadPages ? { ...noCounts, freed: 1, freedBytes } : { ...noCounts, cached: 1 };
  }
  if (outcome.type === 'sync')
    return outcome.hasChanged ? { ...noCounts, loaded: 1 } : { ...noCounts, cached: 1 };
  if (outcome.type === 'scrub') {
    const { whole, damaged } = outcome;
    const counts = { cached: whole.count, cachedBytes: whole.bytes };
    return { ...noCounts, ...counts, freed: damaged.count, freedBytes: damaged.bytes };
  }
  const { sizeBytes, loadedBytes, cachedBytes } = outcome;
  if (loadedBytes + cachedBytes !== sizeBytes) {
    const kept = loadedBytes + cachedBytes;
    return failureOf(
      key,
      `${sizeBytes - kept} of its ${sizeBytes} bytes were not kept: no room, or not to be cached`,
    );
  }
  if (loadedBytes === 0) return { ...noCounts, cached: 1, cachedBytes };
  return { ...noCounts, loaded: 1, loadedBytes, cachedBytes };
}

export function failureOf(key: string, reason: string): Counts {
  return { ...noCounts, failed: 1, failures: [{ key, reason: reason.slice(0, maxReason) }] };
}
