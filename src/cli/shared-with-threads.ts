import type { ReadinessPart } from '../admin/readiness.ts';
import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Policies } from '../common/policy.ts';
import type { Random } from '../common/random.ts';
import type { IoThreads } from '../gateway/io-threads.ts';
import { ThreadBoard } from '../gateway/thread-board.ts';
import type { Ownership } from '../ring/ownership.ts';
import type { DiskDirectory, DiskPageStore } from '../worker/disk-page-store.ts';
import { EvictionLog } from '../worker/eviction-log.ts';
import { MemoryPageStore } from '../worker/memory-page-store.ts';
import type { SharedDisk } from '../worker/shared-disk-reader.ts';
import { SharedLease } from '../worker/shared-lease.ts';
import { SharedMetadata } from '../worker/shared-metadata.ts';
import { ioThreadsOf, type SharedWithThreads } from './s3-door.ts';
import type { Settings } from './settings-table.ts';

/** Where memory has no room for many pages, larger ones lie on disk alone: one large object would push out a thousand small hot ones. */
const memoryPageBytes = 1024 * 1024;
const manyPages = 64;

/** Memory for pages, and where several threads listen, what else they share. */
export function shareWithThreads(
  settings: Settings,
  clock: Clock,
  random: Random,
  metrics: Metrics,
  pageFolders: readonly DiskDirectory[],
  policies: Policies,
): Pick<SharedWithThreads, 'pages'> & Partial<SharedWithThreads> {
  const ioThreads = ioThreadsOf(settings);
  // The store thread reads too.
  const threadCount = ioThreads === 1 ? 1 : ioThreads + 1;
  const hashSeed = random.bytes(4).readInt32LE();
  const hasRoom = settings['cache.memory'] >= manyPages * settings['page.size'];
  // Without a disk there is no other place for them.
  const takesLargePages = hasRoom || pageFolders.length === 0;
  const pages = new MemoryPageStore(
    metrics,
    {
      capacityBytes: settings['cache.memory'],
      maxPageBytes: takesLargePages ? settings['page.size'] : memoryPageBytes,
      threadCount,
      hashSeed,
      policies,
    },
    clock,
    pageFolders.length === 0 ? new EvictionLog(clock) : undefined,
  );
  if (ioThreads === 1) return { pages };
  const capacityBytes = settings['cache.metadata'];
  return {
    pages,
    board: ThreadBoard.create(threadCount),
    metadata: new SharedMetadata({ capacityBytes, threadCount, hashSeed }),
  };
}

/** What I/O threads read pages from disk with. */
export function sharedDisk(disk: DiskPageStore, pageFolders: readonly DiskDirectory[]): SharedDisk {
  return { table: disk.tableMemory, directories: pageFolders.map(({ path }) => path) };
}

/** The view lease, as I/O threads see it. */
export function leaseForThreads(ownership: Ownership): SharedLease {
  const lease = new SharedLease();
  lease.set(ownership.leaseEnd());
  ownership.onLease((end) => lease.set(end));
  return lease;
}

/** A node goes on with the threads it has; without any its S3 port is closed. */
export function threadsReadiness(threads: IoThreads | undefined): ReadinessPart {
  if (!threads) return { details: {} };
  const { running, count } = threads;
  const details = { ioThreads: { running, of: count } };
  return running > 0
    ? { details }
    : { details, reasonNotReady: 'no I/O thread runs; they are started again' };
}
