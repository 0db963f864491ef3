import { S3FifoAdmission } from '../../src/worker/admission.ts';
import { boundsOf } from './bounds.ts';
import { QueueCache } from './queue-cache.ts';
import { RegionCache } from './region-cache.ts';
import { type Ratios, replay, type Trace } from './trace.ts';
import {
  loopWorkload,
  type Scale,
  scanWorkload,
  shiftingWorkload,
  type Workload,
  zipfWorkload,
} from './workloads.ts';

/** Of the synthetic workloads. */
export const scale: Scale = { entries: 80_000, requests: 600_000, seed: 7 };

export const workloads: readonly Workload[] = [
  ...[0.6, 0.8, 1, 1.2].map(zipfWorkload),
  scanWorkload('scan-rounds', 'a hot set of 0.85 caches, then a scan of 4 caches, in turns', {
    hotPerCache: 0.85,
    scanPerCache: 4,
  }),
  scanWorkload('scan-mixed', 'a hot set of 0.85 caches and a scan, read by read', { hotPerCache: 0.85 }),
  scanWorkload('scan-twice', 'the same, each entry of the scan read twice at once', {
    hotPerCache: 0.85,
    times: 2,
  }),
  loopWorkload(1.2),
  loopWorkload(2),
  loopWorkload(4),
  shiftingWorkload('shift-news', 'the newest entries are the hottest: 0.3 of all entries come to be', {
    hottest: 'newest',
    movedShare: 0.3,
  }),
  shiftingWorkload('shift-churn', 'the same, with all entries', { hottest: 'newest', movedShare: 1 }),
  shiftingWorkload('shift-drop', 'the hottest entries go cold at once, 0.04 of all, one by one', {
    hottest: 'oldest',
    movedShare: 0.04,
  }),
  shiftingWorkload('shift-jumps', 'popularity jumps by a tenth of the entries, ten times', {
    hottest: 'oldest',
    movedShare: 1,
    jumps: 10,
  }),
];

export interface Outcome {
  readonly workload: string;
  /** The cache in parts of all entries' bytes. */
  readonly cacheShare: number;
  readonly cacheBytes: number;
  readonly regionCount: number;
  readonly forebay: Ratios;
  readonly lru: Ratios;
  readonly fifo: Ratios;
  readonly bound: Ratios;
  /** Bytes written for each byte filled: 1 if nothing is carried. */
  readonly writtenPerFilled: number;
}

const mostRegions = 64;
const leastRegions = 8;
/** A region holds at least so many of the largest entry, where there are enough bytes. */
const entriesPerRegion = 6;

/** Drives the policy of the page store over a trace, and what it is compared with. */
export function compare(trace: Trace, cacheShare: number): Outcome {
  const { sizes } = trace;
  const capacityBytes = Math.floor(sizes.reduce((sum, bytes) => sum + bytes, 0) * cacheShare);
  const regionCount = regionsOf(trace, capacityBytes);
  const expectedEntries = Math.ceil(sizes.length * cacheShare);
  const policy = new S3FifoAdmission({ capacityBytes, expectedEntries });
  const regions = new RegionCache(policy, sizes, { capacityBytes, regionCount });
  const lru = new QueueCache('recency', sizes, capacityBytes);
  const fifo = new QueueCache('arrival', sizes, capacityBytes);
  return {
    workload: trace.name,
    cacheShare,
    cacheBytes: capacityBytes,
    regionCount,
    forebay: replay(trace, (id) => regions.read(id)),
    lru: replay(trace, (id) => lru.read(id)),
    fifo: replay(trace, (id) => fifo.read(id)),
    bound: boundsOf(trace, capacityBytes),
    writtenPerFilled: 1 + regions.carriedBytes / Math.max(1, regions.filledBytes),
  };
}

function regionsOf({ sizes }: Trace, capacityBytes: number): number {
  const largest = sizes.reduce((most, bytes) => Math.max(most, bytes), 1);
  const fitting = Math.floor(capacityBytes / (entriesPerRegion * largest));
  return Math.max(leastRegions, Math.min(mostRegions, fitting));
}
