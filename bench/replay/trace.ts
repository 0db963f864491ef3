/** What was asked for, in order. Entries are numbered from 0. */
export interface Trace {
  readonly name: string;
  /** Entry numbers. */
  readonly requests: Uint32Array;
  /** Bytes, by entry number. */
  readonly sizes: Uint32Array;
  /** The first request that counts; those before it warm the cache up. */
  readonly countedFrom: number;
}

/** Shares between 0 and 1. */
export interface Ratios {
  /** Of the requests, how many found their entry in the cache. */
  readonly objects: number;
  /** Of the bytes asked for, how many came from it. */
  readonly bytes: number;
}

/** Asks `read` for everything, in order; it says whether the entry was there. */
export function replay({ requests, sizes, countedFrom }: Trace, read: (id: number) => boolean): Ratios {
  let hits = 0;
  let hitBytes = 0;
  let allBytes = 0;
  for (let at = 0; at < requests.length; at++) {
    const id = requests[at] ?? 0;
    const isHit = read(id);
    if (at < countedFrom) continue;
    const bytes = sizes[id] ?? 0;
    allBytes += bytes;
    if (!isHit) continue;
    hits++;
    hitBytes += bytes;
  }
  return { objects: hits / (requests.length - countedFrom), bytes: hitBytes / allBytes };
}
