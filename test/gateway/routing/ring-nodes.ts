import { type Clock, systemClock } from '../../../src/common/clock.ts';
import { silentLog } from '../../../src/common/log.ts';
import type { Metrics } from '../../../src/common/metrics.ts';
import { systemRandom } from '../../../src/common/random.ts';
import { createMemoryStore } from '../../../src/coord/memory.ts';
import type { CoordStore } from '../../../src/coord/store.ts';
import { Routing, type RoutingSettings } from '../../../src/gateway/routing/routing.ts';
import type { Mount } from '../../../src/mounts/mount.ts';
import { PeerError } from '../../../src/peers/errors.ts';
import type { Exchange } from '../../../src/peers/exchange.ts';
import { type Lane, type PeerAddress, PeerPool } from '../../../src/peers/peer-pool.ts';
import { PeerServer } from '../../../src/peers/peer-server.ts';
import { ClusterMember } from '../../../src/ring/cluster-member.ts';
import type { Ownership } from '../../../src/ring/ownership.ts';
import { hashObject } from '../../../src/ring/ring.ts';
import type { Backend } from '../../../src/ufs/backend.ts';
import { MemoryBackend } from '../../../src/ufs/memory.ts';
import { MeteredBackend } from '../../../src/ufs/metered.ts';
import { greetingParts } from '../../peers/peers-under-test.ts';
import { until } from '../../support/until.ts';
import { type GatewayUnderTest, startGateway } from '../memory-node.ts';
import { mountOf } from '../mount-of.ts';

/** How long a change may still take effect after it was sent. */
export const settlingMs = 4_000;
const limits = { maxExchanges: 10_000, maxSilentTicks: 20, tickMs: 500 };

/** A pool some of whose ways can be cut. */
class CuttablePool extends PeerPool {
  readonly cut = new Set<string>();

  override open(address: PeerAddress, lane: Lane, request: Buffer, bodyBytes?: number, waitMs?: number) {
    if (this.cut.has(address.workerId)) throw new PeerError('unreachable', 'the way is cut');
    return super.open(address, lane, request, bodyBytes, waitMs);
  }
}

/** A node's own: where its monotonic time begins, and how far its wall clock is ahead. */
class OwnClock implements Clock {
  aheadMs = 0;
  private readonly originMs: number;

  constructor(originMs: number) {
    this.originMs = originMs;
  }

  nowMs(): number {
    return systemClock.nowMs() + this.aheadMs;
  }

  monotonicMs(): number {
    return this.originMs + systemClock.monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }
}

export interface RingNode {
  readonly workerId: string;
  readonly clock: OwnClock;
  readonly gateway: GatewayUnderTest;
  readonly member: ClusterMember;
  readonly ownership: Ownership;
  readonly pool: CuttablePool;
  readonly routing: Routing;
  /** Of what it is asked by others: `answers`: it says nothing any more; `bodies`: it stops after the first word. */
  stuckIn: 'answers' | 'bodies' | undefined;
  /** Cuts the ways to and from it, without anybody being told. */
  isolate(): void;
  close(): Promise<void>;
}

/** An exchange on which no byte of a body goes out. */
function stuck(exchange: Exchange): Exchange {
  const held = new Proxy(exchange, {
    get: (target, name) => {
      if (name === 'write') return () => new Promise<boolean>(() => {});
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return held;
}

/** What stands between a node and the storage. */
export type Wrap = (backend: Backend, ownership: Ownership) => Backend;

/** Nodes of one ring over one storage: real peers on loopback, one coordination store in memory. */
export class RingNodes {
  readonly storage: MemoryBackend;
  readonly mount: Mount;
  readonly nodes: RingNode[] = [];
  private readonly store: CoordStore;
  private readonly settings: RoutingSettings;
  private readonly wrap: Wrap;

  private constructor(settings: Partial<RoutingSettings>, mount: Mount, wrap: Wrap) {
    this.storage = new MemoryBackend(systemClock, systemRandom);
    this.mount = mount;
    this.wrap = wrap;
    this.store = createMemoryStore(systemClock, systemRandom);
    this.settings = {
      pageSizeBytes: 64 * 1024,
      segmentBytes: 256 * 1024 * 1024,
      connectTimeoutMs: 30_000,
      answerTimeoutMs: 30_000,
      writePatienceMs: 30_000,
      maxPassedBy: 100,
      windowBytes: 16 * 1024 * 1024,
      handOff: true,
      handOffTimeoutMs: 30_000,
      ...settings,
    };
  }

  /** `pages` is the bucket of their mount, under a lease of a minute unless `mount` says otherwise. */
  static async start(
    count: number,
    settings: Partial<RoutingSettings> = {},
    mount: Partial<Mount> = {},
    wrap: Wrap = (backend) => backend,
  ): Promise<RingNodes> {
    const lease = { kind: 'lease', ms: 60_000 } as const;
    const ring = new RingNodes(settings, { ...mountOf('pages', ''), freshness: lease, ...mount }, wrap);
    await Promise.all(Array.from({ length: count }, () => ring.add()));
    await ring.agreed();
    return ring;
  }

  async add(): Promise<RingNode> {
    const workerId = systemRandom.uuid();
    const clock = new OwnClock(1e9 * this.nodes.length);
    const parts = greetingParts(workerId, { clock });
    let handler: Routing['handler'] | undefined;
    let made: Routing | undefined;
    let node: RingNode | undefined;
    const server = new PeerServer(
      silentLog(),
      undefined,
      parts,
      { ...limits, host: '127.0.0.1', port: 0, maxConnections: 1000, greetingTimeoutMs: 30_000 },
      (request, exchange, from, ages) => {
        if (node?.stuckIn === 'answers') return;
        handler?.(request, node?.stuckIn ? stuck(exchange) : exchange, from, ages);
      },
    );
    const peerPort = await server.listen();
    const pool = new CuttablePool(silentLog(), parts, {
      ...limits,
      connectTimeoutMs: 30_000,
      retryAfterMs: 0,
      maxIdleTicks: 1000,
      windowBytes: 64 * 1024 * 1024,
      tls: false,
    });
    const self = {
      workerId,
      incarnation: parts.self.incarnation,
      host: '127.0.0.1',
      peerPort,
      s3Url: '',
      adminUrl: '',
      weight: 1,
      state: 'joined' as const,
    };
    const member = await ClusterMember.open(
      clock,
      systemRandom,
      silentLog(),
      this.store,
      createMemoryStore(systemClock, systemRandom),
      self,
      { initial: { mode: 'dynamic', virtualNodes: 64, leaseMs: 2_000 }, settlingMs },
    );
    const { ownership } = member;
    const gateway = await this.gateway(workerId, ownership, (metrics, namespace, cache, reader) => {
      const routing = new Routing(
        clock,
        metrics,
        silentLog(),
        ownership,
        namespace,
        cache,
        reader,
        pool,
        this.settings,
      );
      handler = routing.handler;
      made = routing;
      return routing;
    });
    self.s3Url = `http://127.0.0.1:${gateway.port}`;
    await member.join(self, new AbortController().signal);
    const closeTransport = async () => {
      await pool.close();
      await server.close();
    };
    const added: RingNode = {
      stuckIn: undefined,
      workerId,
      clock,
      gateway,
      member,
      ownership,
      pool,
      routing: made as Routing,
      isolate: () => {
        for (const other of this.nodes) {
          other.pool.cut.add(workerId);
          if (other !== added) pool.cut.add(other.workerId);
        }
      },
      close: async () => {
        await member.close();
        await closeTransport();
        await gateway.close();
      },
    };
    node = added;
    this.nodes.push(added);
    return added;
  }

  /** Which node owns the metadata of a key of the mount, and those that do not. */
  rolesOf(key: string): { readonly owner: RingNode; readonly others: readonly RingNode[] } {
    const [first] = this.nodes as [RingNode];
    const id = first.ownership.view().metadataOwnerOf(this.hashOf(key));
    const owner = this.nodes.find(({ workerId }) => workerId === id);
    if (!owner) throw new Error('the owner is none of these nodes');
    return { owner, others: this.nodes.filter((node) => node !== owner) };
  }

  hashOf(key: string): number {
    return hashObject(this.mount.incarnation, key);
  }

  /** Waits until all go by the same view, in which all are. */
  async agreed(): Promise<void> {
    await until(() =>
      this.nodes.every(({ ownership }) => ownership.view().members.length === this.nodes.length),
    );
  }

  /** Waits until a key's owner uses what it knows of it. */
  async settled(key: string): Promise<void> {
    const { owner } = this.rolesOf(key);
    await until(() => owner.ownership.mayUseMetadata(this.hashOf(key)));
  }

  async close(): Promise<void> {
    for (const node of this.nodes.splice(0)) await node.close();
    await this.store.close();
  }

  private async gateway(
    workerId: string,
    ownership: Ownership,
    route: NonNullable<Parameters<typeof startGateway>[2]>['route'],
  ): Promise<GatewayUnderTest> {
    let metered: MeteredBackend | undefined;
    const backend = new Proxy(this.storage, {
      get: (target, name) => Reflect.get(metered ?? target, name) as unknown,
    });
    const root = new MemoryBackend(systemClock, systemRandom);
    const gateway = await startGateway(root, [{ mount: this.mount, backend }], {
      workerId,
      pageSizeBytes: this.settings.pageSizeBytes,
      route: (...parts) => {
        metered = new MeteredBackend(parts[0], this.wrap(this.storage, ownership), 'pages');
        return route?.(...parts) as ReturnType<NonNullable<typeof route>>;
      },
    });
    const { incarnation, bucket } = this.mount;
    await gateway.buckets.create({ name: bucket, owner: 'root', kind: 'mount', incarnation } as never);
    return gateway;
  }
}

/** Calls that a node has made to its storage. */
export async function callsOf(metrics: Metrics, operation: string): Promise<number> {
  const { values } = await metrics.backendRequests.get();
  return values
    .filter(({ labels }) => labels.operation === operation)
    .reduce((sum, { value }) => sum + value, 0);
}

/** Object bytes that a node has handed to its clients, by where they came from. */
export async function servedBy(metrics: Metrics): Promise<Record<string, number>> {
  const { values } = await metrics.bytesServed.get();
  const served: Record<string, number> = {};
  for (const { labels, value } of values) {
    const source = String(labels.source);
    served[source] = (served[source] ?? 0) + value;
  }
  return served;
}
