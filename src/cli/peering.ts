import { readFile } from 'node:fs/promises';
import type { CredentialSource } from '../auth/authenticate.ts';
import { Presigner } from '../auth/presigner.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Random } from '../common/random.ts';
import type { TlsDoor } from '../common/tls.ts';
import type { Namespace } from '../gateway/namespace.ts';
import { Redirects } from '../gateway/redirects.ts';
import { defaultSegmentBytes, Routing } from '../gateway/routing/routing.ts';
import type { GreetingParts } from '../peers/greeting.ts';
import { ClusterSecret, minSecretBytes } from '../peers/handshake.ts';
import { PeerPool } from '../peers/peer-pool.ts';
import { PeerServer } from '../peers/peer-server.ts';
import type { Ownership } from '../ring/ownership.ts';
import type { MetadataCache } from '../worker/metadata-cache.ts';
import type { LocalReader } from '../worker/reader.ts';
import { CommandError } from './errors.ts';
import type { Settings } from './settings-table.ts';

/** What joins a node to the others of its cluster. */
export interface Peering {
  readonly routing: Routing;
  /** The peer port, open. */
  readonly port: number;
  /** Rejects with `CommandError` if the cluster's other nodes have another secret. */
  checkSecret(): Promise<void>;
  close(): Promise<void>;
}

/** Beyond that clients refuse what a node signs, and a node what clients sign. Nothing that nodes ask each other goes by it. */
const maxClockDifferenceMs = 900_000;
const tickMs = 1_000;
const maxSilentTicks = 3;
const maxIdleTicks = 60;
/** For other nodes to show that they have the same secret. */
const askMs = 2_000;
const retryAfterMs = 500;
/** A healthy node begins within milliseconds; the storage is there for the rest. */
const handOffTimeoutMs = 500;
const connectTimeoutMs = 3_000;
const greetingTimeoutMs = 5_000;
/** From so many nodes, four connections each. */
const maxConnections = 16_384;
/** For a client to follow a redirect. */
const redirectExpiresSeconds = 60;

/** The ways to other nodes. */
export interface PeerWays {
  readonly greeting: GreetingParts;
  readonly pool: PeerPool;
}

/** Opens the ways to other nodes. Rejects with `CommandError`. */
export async function openPeerWays(
  settings: Settings,
  clock: Clock,
  random: Random,
  log: Log,
  tls: TlsDoor | undefined,
  ownership: Ownership,
): Promise<PeerWays> {
  const { workerId, incarnation } = ownership;
  const greeting = {
    clock,
    random,
    secret: await readClusterSecret(settings),
    cluster: settings['cluster.name'],
    self: { workerId, incarnation },
    maxClockDifferenceMs,
  };
  const pool = new PeerPool(log, greeting, {
    ...limitsOf(settings),
    connectTimeoutMs,
    retryAfterMs,
    maxIdleTicks,
    windowBytes: settings['limits.peerMemory'],
    tls: tls !== undefined,
  });
  return { greeting, pool };
}

/** Opens the peer port. Rejects with the system's error if it cannot be had. */
export async function openPeering(
  settings: Settings,
  clock: Clock,
  metrics: Metrics,
  log: Log,
  tls: TlsDoor | undefined,
  ownership: Ownership,
  { greeting, pool }: PeerWays,
  namespace: Namespace,
  objects: MetadataCache,
  reader: LocalReader,
): Promise<Peering> {
  const windowBytes = settings['limits.peerMemory'];
  const routing = new Routing(clock, metrics, log, ownership, namespace, objects, reader, pool, {
    pageSizeBytes: settings['page.size'],
    segmentBytes: defaultSegmentBytes,
    connectTimeoutMs: settings['peer.connectTimeout'],
    answerTimeoutMs: settings['peer.answerTimeout'],
    writePatienceMs: settings['peer.writeTimeout'],
    maxPassedBy: settings['limits.passedBy'],
    windowBytes,
    handOff: settings['ring.handOff'],
    handOffTimeoutMs,
  });
  const place = { host: settings.host, port: settings['peer.port'], maxConnections, greetingTimeoutMs };
  const server = new PeerServer(log, tls, greeting, { ...limitsOf(settings), ...place }, routing.handler);
  const close = () => server.close();
  try {
    const checkSecret = () => refuseOtherSecret(settings, routing);
    return { routing, port: await server.listen(), checkSecret, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function limitsOf(settings: Settings) {
  return { maxExchanges: settings['limits.requests'], maxSilentTicks, tickMs };
}

/** How clients are sent to the owners of objects. */
export function redirectsOf(
  settings: Settings,
  clock: Clock,
  credentials: CredentialSource,
  routing: Routing,
): Redirects {
  const { region } = settings;
  const presigner = new Presigner(clock, credentials, { region, expiresSeconds: redirectExpiresSeconds });
  return new Redirects((bucket, key) => routing.ownerOf(bucket, key), presigner, settings['route.mode']);
}

async function refuseOtherSecret(settings: Settings, routing: Routing): Promise<void> {
  if (!(await routing.hasOtherSecret(AbortSignal.timeout(askMs)))) return;
  throw new CommandError(
    `the cluster secret ${settings['cluster.secretFile']} is another one than that of the nodes of the cluster ${settings['cluster.name']}: give this node a copy of theirs`,
  );
}

async function readClusterSecret(settings: Settings): Promise<ClusterSecret> {
  const path = settings['cluster.secretFile'] ?? '';
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CommandError(
      `cannot read the cluster secret ${path} (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const bytes = Buffer.from(text.trim());
  if (bytes.length >= minSecretBytes) return new ClusterSecret(bytes);
  throw new CommandError(
    `the cluster secret ${path} has fewer than ${minSecretBytes} characters: make one with  (umask 077; openssl rand -base64 32 > ${path})`,
  );
}
