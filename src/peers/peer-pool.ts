import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type AtOnce, isPending } from '../common/at-once.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import { type ConnectionSettings, PeerConnection } from './connection.ts';
import { PeerError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { type GreetingParts, greetAsCaller } from './greeting.ts';
import { WindowBudget } from './window-budget.ts';

/** Where a peer is. */
export interface PeerAddress {
  readonly workerId: string;
  readonly host: string;
  readonly peerPort: number;
}

export interface PeerPoolSettings extends ConnectionSettings {
  /** For a connection to be made and the greetings, ms. Whoever waits for less time does not end it. */
  readonly connectTimeoutMs: number;
  /** After it failed nobody waits for a connection to that peer for so long, ms. */
  readonly retryAfterMs: number;
  readonly tickMs: number;
  /** A connection on which nothing was asked for so many ticks is closed. */
  readonly maxIdleTicks: number;
  /** Memory for answers that nobody has taken yet, bytes. */
  readonly windowBytes: number;
  /** Exchanges under way at once, of all peers together. */
  readonly maxExchanges: number;
  /** Whether peers are reached through TLS. */
  readonly tls: boolean;
}

/** Small questions are not held up behind long bodies: each kind has connections of its own. */
export type Lane = 'small' | 'bulk';
const lanes: readonly Lane[] = ['small', 'bulk'];
const connectionsPerLane = 2;
/** Another connection is made, and used, when the ones before have so much to do: of few, each gets more into one write. */
const busyCount: Readonly<Record<Lane, number>> = { small: 128, bulk: 8 };

interface Line {
  connection: PeerConnection;
  idleTicks: number;
}

interface Peer {
  readonly address: PeerAddress;
  readonly lines: Readonly<Record<Lane, Line[]>>;
  readonly dialling: Partial<Record<Lane, Promise<PeerConnection>>>;
  failedMs: number;
  failure: PeerError | undefined;
}

/** Connections to other nodes: a few for each, made when they are needed, and used by many exchanges at once. */
export class PeerPool {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly parts: GreetingParts;
  private readonly settings: PeerPoolSettings;
  private readonly budget: WindowBudget;
  private readonly peers = new Map<string, Peer>();
  private readonly ended = new AbortController();
  private underWay = 0;

  constructor(log: Log, parts: GreetingParts, settings: PeerPoolSettings) {
    this.clock = parts.clock;
    this.log = log;
    this.parts = parts;
    this.settings = settings;
    this.budget = new WindowBudget(settings.windowBytes);
    void this.watch();
  }

  get usage() {
    let connections = 0;
    for (const { lines } of this.peers.values()) connections += lines.small.length + lines.bulk.length;
    return { connections, exchanges: this.underWay };
  }

  /**
   * Asks a peer: at once if there is a connection, otherwise when there is one, for which `waitMs` are waited at most. `bodyBytes`: how
   * long the answer's body may become, if that is known. Rejects, or throws, with `PeerError` of a kind that had no effect.
   */
  open(
    address: PeerAddress,
    lane: Lane,
    request: Buffer,
    bodyBytes?: number,
    waitMs?: number,
  ): AtOnce<Exchange> {
    if (this.underWay >= this.settings.maxExchanges)
      throw new PeerError('overloaded', 'this node asks other nodes too much at once');
    const connection = this.connectionTo(address, lane);
    if (!isPending(connection)) return this.start(connection, request, bodyBytes);
    return inTime(connection, waitMs).then((made) => this.start(made, request, bodyBytes));
  }

  /** Ends connections to all others. */
  retain(workerIds: ReadonlySet<string>): void {
    for (const [workerId, peer] of this.peers) {
      if (workerIds.has(workerId)) continue;
      this.peers.delete(workerId);
      this.endLines(peer, 'it is not in the cluster any more');
    }
  }

  async close(): Promise<void> {
    this.ended.abort();
    for (const peer of this.peers.values()) this.endLines(peer, 'this node goes down');
    this.peers.clear();
  }

  private start(connection: PeerConnection, request: Buffer, bodyBytes: number | undefined): Exchange {
    const window = this.budget.take(bodyBytes);
    this.underWay++;
    const over = () => {
      this.underWay--;
      this.budget.giveBack(window);
    };
    try {
      return connection.open(request, window, over);
    } catch (error) {
      over();
      throw error;
    }
  }

  private connectionTo(address: PeerAddress, lane: Lane): AtOnce<PeerConnection> {
    const peer = this.peerAt(address);
    let best: Line | undefined;
    for (const line of peer.lines[lane]) {
      if (!line.connection.isOpen) continue;
      if (!best || line.connection.count < best.connection.count) best = line;
      if (best.connection.count < busyCount[lane]) break;
    }
    if (best) {
      best.idleTicks = 0;
      const isBusy = best.connection.count >= busyCount[lane] && peer.lines[lane].length < connectionsPerLane;
      // Whoever asks now need not wait for it.
      if (isBusy && !peer.dialling[lane] && !this.isTooSoon(peer)) this.dial(peer, lane).catch(() => {});
      return best.connection;
    }
    const dialling = peer.dialling[lane];
    if (dialling) return dialling;
    if (this.isTooSoon(peer) && peer.failure) throw peer.failure;
    return this.dial(peer, lane);
  }

  private isTooSoon({ failure, failedMs }: Peer): boolean {
    return failure !== undefined && this.clock.monotonicMs() - failedMs < this.settings.retryAfterMs;
  }

  private peerAt(address: PeerAddress): Peer {
    const known = this.peers.get(address.workerId);
    const isSame = known?.address.host === address.host && known.address.peerPort === address.peerPort;
    if (known && isSame) return known;
    if (known) this.endLines(known, 'it is elsewhere now');
    const lines = { small: [], bulk: [] };
    const peer: Peer = { address, lines, dialling: {}, failedMs: 0, failure: undefined };
    this.peers.set(address.workerId, peer);
    return peer;
  }

  private dial(peer: Peer, lane: Lane): Promise<PeerConnection> {
    const dialling = this.connect(peer.address).then(
      (connection) => {
        if (this.peers.get(peer.address.workerId) !== peer) {
          connection.destroy('unreachable', 'nobody waits for it any more');
          return connection;
        }
        peer.failure = undefined;
        this.add(peer, lane, connection);
        return connection;
      },
      (error: PeerError) => {
        if (error.message !== peer.failure?.message)
          this.log.warn({ peer: peer.address.workerId, reason: error.message }, 'a peer cannot be reached');
        peer.failure = error;
        peer.failedMs = this.clock.monotonicMs();
        throw error;
      },
    );
    peer.dialling[lane] = dialling;
    const done = () => {
      delete peer.dialling[lane];
    };
    dialling.then(done, done);
    return dialling;
  }

  private add(peer: Peer, lane: Lane, connection: PeerConnection): void {
    const lines = peer.lines[lane];
    const line = { connection, idleTicks: 0 };
    lines.push(line);
    void connection.ended.then(() => {
      const index = lines.indexOf(line);
      if (index >= 0) lines.splice(index, 1);
    });
  }

  private async connect({ workerId, host, peerPort }: PeerAddress): Promise<PeerConnection> {
    const socket = this.socketTo(host, peerPort);
    let reason = 'it does not answer in time';
    socket.on('error', (error) => {
      reason = error.message;
      socket.destroy();
    });
    const timer = setTimeout(() => socket.destroy(), this.settings.connectTimeoutMs).unref();
    const cut = () => socket.destroy();
    this.ended.signal.addEventListener('abort', cut, { once: true });
    try {
      const session = await greetAsCaller(this.parts, socket, workerId);
      if (socket.destroyed) throw new PeerError('unreachable', reason);
      return new PeerConnection(session, this.settings);
    } catch (error) {
      socket.destroy();
      if (error instanceof PeerError && error.kind === 'refused') throw error;
      throw new PeerError('unreachable', `${host}:${peerPort}: ${reason}`, error);
    } finally {
      clearTimeout(timer);
      this.ended.signal.removeEventListener('abort', cut);
    }
  }

  private socketTo(host: string, port: number): Socket {
    // Whom the other end is, its proof says, which holds for this TLS connection alone; certificates need not name nodes.
    if (this.settings.tls)
      return connectTls({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    return connect({ host, port, noDelay: true });
  }

  private endLines({ lines }: Peer, why: string): void {
    for (const lane of lanes) {
      for (const { connection } of [...lines[lane]]) connection.destroy('lost', why);
    }
  }

  private async watch(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      // Ended meanwhile: so does the loop.
      await this.clock.sleep(this.settings.tickMs, signal).catch(() => {});
      for (const peer of this.peers.values()) {
        for (const lane of lanes) for (const line of [...peer.lines[lane]]) this.tick(line);
      }
    }
  }

  private tick(line: Line): void {
    const { connection } = line;
    if (connection.count > 0) line.idleTicks = 0;
    else line.idleTicks++;
    if (line.idleTicks > this.settings.maxIdleTicks) connection.destroy('unreachable', 'it was idle');
    else connection.tick();
  }
}

/** Rejects when the time is up, which ends the waiting alone. */
async function inTime<T>(promise: Promise<T>, waitMs: number | undefined): Promise<T> {
  if (waitMs === undefined) return promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new PeerError('unreachable', 'there is no connection to the peer in time');
    timer = setTimeout(() => reject(error), waitMs).unref();
  });
  // Nobody may be left to hear that it failed in the end.
  promise.catch(() => {});
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
