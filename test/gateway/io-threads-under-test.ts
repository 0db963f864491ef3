import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openThreadedDoor, type S3Door } from '../../src/cli/s3-door.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import type { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import type { BucketRecords } from '../../src/gateway/buckets.ts';
import type { RequestTaker } from '../../src/gateway/server.ts';
import { ThreadBoard } from '../../src/gateway/thread-board.ts';
import type { VersionHolder } from '../../src/gateway/version-holder.ts';
import { BucketStore } from '../../src/mounts/bucket-store.ts';
import type { Mount } from '../../src/mounts/mount.ts';
import type { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { SharedMetadata } from '../../src/worker/shared-metadata.ts';
import { credentials } from './credentials.ts';

/** Real I/O threads before a gateway that lives in the test's own thread. */
export class IoThreadsUnderTest {
  readonly metadata: SharedMetadata;
  readonly buckets: BucketRecords;
  private readonly store: CoordStore;
  private readonly board: ThreadBoard;
  private readonly ioThreads: number;
  private readonly pageSizeBytes: number;

  static async make(
    mounts: readonly { readonly mount: Mount }[],
    ioThreads: number,
    pageSizeBytes: number,
  ): Promise<IoThreadsUnderTest> {
    const store = createMemoryStore(systemClock, systemRandom);
    const records = await BucketStore.open(systemClock, systemRandom, store);
    return new IoThreadsUnderTest(store, withMounts(store, records, mounts), ioThreads, pageSizeBytes);
  }

  private constructor(store: CoordStore, buckets: BucketRecords, ioThreads: number, pageSizeBytes: number) {
    this.store = store;
    this.buckets = buckets;
    this.ioThreads = ioThreads;
    this.pageSizeBytes = pageSizeBytes;
    this.board = ThreadBoard.create(ioThreads + 1);
    this.metadata = new SharedMetadata({
      capacityBytes: 8 * 1024 * 1024,
      threadCount: ioThreads + 1,
      hashSeed: 1,
    });
  }

  /** As a change whose message is still on its way. */
  announceChange(): void {
    this.board.changes.add();
  }

  async open(
    metrics: Metrics,
    taker: RequestTaker,
    holder: VersionHolder,
    pages: MemoryPageStore,
    rootUri: string,
    workerId: string,
  ): Promise<S3Door> {
    const dataFolder = await mkdtemp(join(tmpdir(), 'forebay-threads-'));
    const { settings } = resolveSettings({
      flags: new Map(),
      environment: {
        FOREBAY_S3_PORT: '0',
        FOREBAY_IO_THREADS: String(this.ioThreads),
        FOREBAY_PAGE_SIZE: String(this.pageSizeBytes),
      },
    });
    const nodeLog = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
    const shared = { board: this.board, pages, metadata: this.metadata };
    const door = await openThreadedDoor(
      settings,
      systemClock,
      systemRandom,
      metrics,
      nodeLog,
      taker,
      holder,
      shared,
      {
        store: this.store,
        secrets: { root: credentials, encryptionKey: randomBytes(32) },
        rootUser: 'root',
        rootUri,
        workerId,
        dataFolder,
      },
    );
    const close = async (graceMs: number) => {
      await door.close(graceMs);
      await rm(dataFolder, { recursive: true });
    };
    return { ...door, close };
  }
}

/** A mount counts once its bucket is there. */
function withMounts(
  store: CoordStore,
  records: BucketStore,
  mounts: readonly { readonly mount: Mount }[],
): BucketRecords {
  return {
    get: (name) => records.get(name),
    list: () => records.list(),
    delete: (record) => records.delete(record),
    change: (bucket, change) => records.change(bucket, change),
    create: async (bucket) => {
      const created = await records.create(bucket);
      for (const { mount } of mounts.filter((one) => created && one.mount.bucket === bucket.name)) {
        const stored = { ...mount, bucketIncarnation: records.get(bucket.name)?.incarnation };
        await store.putIf(`mounts/${mount.bucket}/${mount.prefix}`, JSON.stringify(stored), 'absent');
      }
      return created;
    },
  };
}
