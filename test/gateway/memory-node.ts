import { randomUUID } from 'node:crypto';
import { S3Client } from '@aws-sdk/client-s3';
import { Authenticator } from '../../src/auth/authenticate.ts';
import { Presigner } from '../../src/auth/presigner.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { BucketGate } from '../../src/gateway/bucket-gate.ts';
import { type BucketRecords, Buckets } from '../../src/gateway/buckets.ts';
import { RequestPipeline } from '../../src/gateway/handle-request.ts';
import type { IoThreads } from '../../src/gateway/io-threads.ts';
import { Namespace } from '../../src/gateway/namespace.ts';
import { GatewayObjectService } from '../../src/gateway/object-service.ts';
import { Redirects } from '../../src/gateway/redirects.ts';
import type { Routing } from '../../src/gateway/routing/routing.ts';
import { S3Server } from '../../src/gateway/server.ts';
import { VersionHolder } from '../../src/gateway/version-holder.ts';
import type { BucketRecord, Mount } from '../../src/mounts/mount.ts';
import { MountTable } from '../../src/mounts/mount-table.ts';
import { MountedBackends } from '../../src/mounts/mounted-backends.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { defaultMetadataCacheSettings, MetadataCache } from '../../src/worker/metadata-cache.ts';
import { defaultPageReaderSettings, PageReader } from '../../src/worker/page-reader.ts';
import { credentials } from './credentials.ts';
import { IoThreadsUnderTest } from './io-threads-under-test.ts';

export { credentials };

/** Bucket records that live as long as the test. */
class MemoryBucketRecords implements BucketRecords {
  readonly #records = new Map<string, BucketRecord>();

  get(name: string): BucketRecord | undefined {
    return this.#records.get(name);
  }

  list(): readonly BucketRecord[] {
    return [...this.#records.values()];
  }

  async create(record: Pick<BucketRecord, 'name' | 'owner' | 'kind' | 'access'>): Promise<boolean> {
    if (this.#records.has(record.name)) return false;
    this.#records.set(record.name, { ...record, createdMs: Date.now(), incarnation: randomUUID() });
    return true;
  }

  async change(
    { name, incarnation }: Pick<BucketRecord, 'name' | 'incarnation'>,
    change: (present: BucketRecord) => BucketRecord,
  ): Promise<boolean> {
    const present = this.#records.get(name);
    if (present?.incarnation !== incarnation) return false;
    this.#records.set(name, change(present));
    return true;
  }

  async delete(record: BucketRecord): Promise<boolean> {
    return this.#records.delete(record.name);
  }
}

export interface GatewayUnderTest {
  readonly port: number;
  readonly client: S3Client;
  readonly metrics: Metrics;
  readonly buckets: BucketRecords;
  /** Where there are several. */
  readonly threads?: IoThreads;
  /** Counts a change that no thread has heard of. */
  readonly announceChange: () => void;
  close(): Promise<void>;
}

export interface GatewayOptions {
  readonly pageSizeBytes?: number;
  /** Above 1, so many threads listen, and this one answers what they hand over. */
  readonly ioThreads?: number;
  /** As a node does, removes the pages of versions that were replaced; otherwise they stay until they have to make room. */
  readonly removesDeadPages?: boolean;
  /** Of a node in a cluster: what joins it to the others. */
  readonly route?: (
    metrics: Metrics,
    namespace: Namespace,
    cache: MetadataCache,
    reader: PageReader,
  ) => Pick<Routing, 'metadata' | 'reader' | 'serve' | 'ownerOf'>;
  readonly workerId?: string;
}

/** The whole gateway over the given backends: real HTTP, real signatures, pages in memory. */
export async function startGateway(
  root: Backend,
  mounts: readonly { mount: Mount; backend: Backend }[] = [],
  options: GatewayOptions = {},
): Promise<GatewayUnderTest> {
  const { pageSizeBytes = 4 * 1024 * 1024, ioThreads = 1, removesDeadPages = false } = options;
  const metrics = new Metrics();
  const workerId = options.workerId ?? randomUUID();
  const threads = ioThreads > 1 ? await IoThreadsUnderTest.make(mounts, ioThreads, pageSizeBytes) : undefined;
  const buckets: BucketRecords = threads?.buckets ?? new MemoryBucketRecords();
  const pages = new MemoryPageStore(metrics, {
    capacityBytes: 64 * 1024 * 1024,
    maxPageBytes: 4 * 1024 * 1024,
    threadCount: ioThreads + 1,
  });
  const table = new MountTable(mounts.map(({ mount }) => mount));
  const open = async (mount: Mount) => {
    const found = mounts.find((one) => one.mount.incarnation === mount.incarnation);
    if (!found) throw new Error('no such mount');
    return found.backend;
  };
  const backends = new MountedBackends(root, open);
  const namespace = new Namespace(buckets, () => table, backends, { rootUri: root.uri, leaseMs: 30_000 });
  const gate = new BucketGate();
  const reader = new PageReader(systemClock, metrics, pages, defaultPageReaderSettings);
  const cache = new MetadataCache(
    systemClock,
    metrics,
    { ...defaultMetadataCacheSettings, shared: threads?.metadata },
    (target, generation) => {
      if (removesDeadPages) reader.heardOfVersion(target, generation);
    },
  );
  const routing = options.route?.(metrics, namespace, cache, reader);
  const local = new GatewayObjectService(
    namespace,
    new Buckets(buckets, namespace, gate, pages),
    gate,
    routing?.metadata ?? cache,
    routing?.reader ?? reader,
    { workerId, pageSizeBytes },
  );
  const service = routing?.serve(local) ?? local;
  const identity = { userName: 'root', policy: 'admin', accessKeyId: credentials.accessKeyId } as const;
  const source = {
    hasUser: (name: string) => name === 'root',
    lookup: (id: string) =>
      id === credentials.accessKeyId
        ? { identity, secretAccessKey: credentials.secretAccessKey, disabled: false }
        : undefined,
  };
  const authenticator = new Authenticator(systemClock, source, { region: 'us-east-1', service: 's3' });
  const pipeline = new RequestPipeline(
    systemClock,
    systemRandom,
    metrics,
    silentLog(),
    { write: () => {} },
    authenticator,
    buckets,
    service,
    {
      region: 'us-east-1',
      domains: [],
      scheme: 'http',
      maxInFlight: 1000,
      redirects:
        routing &&
        new Redirects(
          (bucket, key) => routing.ownerOf(bucket, key),
          new Presigner(systemClock, source, { region: 'us-east-1', expiresSeconds: 60 }),
          'proxy',
        ),
    },
  );
  const server = new S3Server(pipeline, undefined, {
    host: '127.0.0.1',
    port: 0,
    maxHeaderBytes: 16 * 1024,
    maxConnections: 1000,
    headersTimeoutMs: 10_000,
    idleTimeoutMs: 60_000,
    keepAliveTimeoutMs: 5000,
  });
  const holder = new VersionHolder(namespace, reader, pageSizeBytes);
  const door = await threads?.open(metrics, pipeline, holder, pages, root.uri, workerId);
  const port = door?.port ?? (await server.listen()).port;
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
  });
  return {
    port,
    client,
    metrics,
    buckets,
    threads: door?.threads,
    announceChange: () => threads?.announceChange(),
    close: async () => {
      client.destroy();
      if (door) await door.close(1000);
      else await server.close(1000);
      await backends.close();
      await pages.close();
    },
  };
}
