/**
 * Fills a page store through its own class, as a node that read so many small objects would have, and prints what it took: one line of
 * JSON. A process of its own: what it takes of memory is not the node's.
 *
 *   node fill-pages.ts JOB, JOB being JSON as `FillJob` has it
 */
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { DiskPageStore } from '../../src/worker/disk-page-store.ts';

export interface FillJob {
  readonly path: string;
  readonly capacityBytes: number;
  readonly objects: number;
  readonly objectBytes: number;
  readonly pageSizeBytes: number;
  /** The mount's. */
  readonly incarnation: string;
}

export interface Filled {
  /** Pages that are there now, those of before among them. */
  readonly pages: number;
  readonly seconds: number;
}

/** Fewer than the store takes at once. */
const writesAtOnce = 32;

const job = JSON.parse(process.argv[2] ?? '{}') as FillJob;
const store = await DiskPageStore.open(systemClock, new Metrics(), silentLog(), {
  directories: [{ path: job.path, capacityBytes: job.capacityBytes }],
});
await store.settled();
const startMs = performance.now();
let next = 0;
async function writeOn(): Promise<void> {
  const page = Buffer.alloc(job.objectBytes);
  while (next < job.objects) {
    const index = next++;
    page.fill(`object ${index} `);
    // As long as those that name the versions of another S3's objects.
    const etag = `%22${index.toString(16).padStart(32, '0')}%22`;
    const key = {
      incarnation: job.incarnation,
      path: `folder-${index % 1000}/object-${index}.parquet`,
      generation: `${etag}|1750000000000|${job.objectBytes}|0123456789abcdef|`,
      pageSizeBytes: job.pageSizeBytes,
      pageIndex: 0,
    };
    await store.write(key, page);
  }
}
await Promise.all(Array.from({ length: writesAtOnce }, writeOn));
const seconds = (performance.now() - startMs) / 1000;
const { pages } = store.usage;
await store.close();
const filled: Filled = { pages, seconds };
console.log(JSON.stringify(filled));
