import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { type Clock, monotonicOriginMs } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Random } from '../common/random.ts';
import type { TlsDoor } from '../common/tls.ts';
import { MirrorFeed } from '../coord/mirror-feed.ts';
import type { CoordStore } from '../coord/store.ts';
import type { HandOverPath } from '../gateway/carried-request.ts';
import { HandOverServer } from '../gateway/hand-over-server.ts';
import { IoThreads } from '../gateway/io-threads.ts';
import { type RequestTaker, S3Server } from '../gateway/server.ts';
import type { ThreadBoard } from '../gateway/thread-board.ts';
import type { VersionHolder } from '../gateway/version-holder.ts';
import type { MemoryPageStore } from '../worker/memory-page-store.ts';
import type { SharedDisk } from '../worker/shared-disk-reader.ts';
import type { SharedLease } from '../worker/shared-lease.ts';
import type { SharedMetadata } from '../worker/shared-metadata.ts';
import { openHandOverPlace } from './hand-over-path.ts';
import type { IoThreadJob } from './io-thread-job.ts';
import type { NodeLog, NodeSecrets } from './running-node.ts';
import { serverSettings } from './server-settings.ts';
import type { Settings } from './settings-table.ts';

/** The S3 port, open. */
export interface S3Door {
  readonly port: number;
  /** Undefined where this thread listens by itself. */
  readonly threads?: IoThreads;
  /** What their mirrors of the coordination store are told by. */
  readonly feed?: MirrorFeed;
  /** Lets requests under way end for `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** What I/O threads share with the store thread. */
export interface SharedWithThreads {
  readonly board: ThreadBoard;
  readonly pages: MemoryPageStore;
  readonly metadata: SharedMetadata;
  readonly disk?: SharedDisk;
  /** In a cluster. */
  readonly lease?: SharedLease;
}

/** What the I/O threads are told beside it. */
export interface ThreadFacts {
  readonly store: CoordStore;
  readonly secrets: NodeSecrets;
  readonly rootUser: string;
  readonly rootUri: string;
  readonly workerId: string;
  readonly dataFolder: string;
}

const threadHeapMiB = 512;

/**
 * How many threads listen on the S3 port. Where nothing is said: one on a machine whose two cores the clients or the storage may want
 * too, otherwise all cores but one, and four at most.
 */
export function ioThreadsOf(settings: Settings): number {
  const cores = availableParallelism();
  return settings['io.threads'] ?? (cores <= 2 ? 1 : Math.min(4, cores - 1));
}

/** This thread listens by itself. */
export async function openOwnDoor(
  settings: Settings,
  taker: RequestTaker,
  tls: TlsDoor | undefined,
): Promise<S3Door> {
  const server = new S3Server(taker, tls, serverSettings(settings));
  const { port } = await server.listen();
  return { port, close: (graceMs) => server.close(graceMs) };
}

/** I/O threads listen, and hand to `taker` what they do not answer. */
export async function openThreadedDoor(
  settings: Settings,
  clock: Clock,
  random: Random,
  metrics: Metrics,
  { log, lines }: NodeLog,
  taker: RequestTaker,
  holder: VersionHolder,
  shared: SharedWithThreads,
  facts: ThreadFacts,
): Promise<S3Door> {
  const handOver = await openHandOverPlace(facts.dataFolder, random);
  const keep = (...asked: Parameters<VersionHolder['take']>) => void holder.take(...asked);
  const inner = new HandOverServer(taker, handOver.path, settings['limits.header'], keep);
  await inner.listen();
  let feed: MirrorFeed | undefined;
  const closeInner = async () => {
    await feed?.close();
    await inner.close();
    await handOver.remove();
  };
  try {
    feed = await MirrorFeed.open(clock, facts.store, shared.board.changes);
    const job = jobOf(settings, shared, facts, handOver.path);
    const threads = await startThreads(settings, clock, log, lines, shared, feed, job);
    metrics.addThreads(() => threads.counted());
    const close = async (graceMs: number) => {
      await threads.close(graceMs);
      await closeInner();
    };
    return { port: threads.port, threads, feed, close };
  } catch (error) {
    await closeInner();
    throw error;
  }
}

function startThreads(
  settings: Settings,
  clock: Clock,
  log: Log,
  lines: NodeLog['lines'],
  { board, pages, metadata }: SharedWithThreads,
  feed: MirrorFeed,
  job: IoThreadJob,
): Promise<IoThreads> {
  const forget = (thread: number) => {
    pages.forgetThread(thread);
    metadata.forgetThread(thread);
  };
  const parts = { board, feed, lines: (text: string, count: number) => lines.write(text, count), forget };
  return IoThreads.start(clock, log, parts, {
    entry: new URL(`./io-thread${extname(import.meta.filename)}`, import.meta.url),
    job: { ...job },
    maxHeapMiB: threadHeapMiB,
    count: ioThreadsOf(settings),
    host: settings.host,
    port: settings['s3.port'],
  });
}

function jobOf(
  settings: Settings,
  { board, pages, metadata, disk, lease }: SharedWithThreads,
  { secrets, rootUser, rootUri, workerId }: ThreadFacts,
  handOver: HandOverPath,
): IoThreadJob {
  return {
    settings,
    secrets,
    rootUser,
    rootUri,
    workerId,
    clockOriginMs: monotonicOriginMs(),
    board: board.memory,
    pages: pages.shared,
    metadata: metadata.shared,
    disk,
    lease: lease?.memory,
    handOver,
  };
}
