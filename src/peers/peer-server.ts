import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { TlsDoor } from '../common/tls.ts';
import {
  type Answering,
  type ConnectionSettings,
  type ExchangeHandler,
  ExchangeLimit,
  PeerConnection,
} from './connection.ts';
import { PeerError, ProtocolError } from './errors.ts';
import { type GreetingParts, greetAsAnswerer } from './greeting.ts';

export interface PeerServerSettings extends ConnectionSettings {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly maxConnections: number;
  /** Exchanges under way at once, of all connections together. */
  readonly maxExchanges: number;
  readonly greetingTimeoutMs: number;
  readonly tickMs: number;
}

/** The peer port: takes questions from those who have the cluster's secret, and tells others nothing. */
export class PeerServer {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly parts: GreetingParts;
  private readonly settings: PeerServerSettings;
  private readonly answering: Answering;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly connections = new Set<PeerConnection>();
  private readonly ended = new AbortController();

  constructor(
    log: Log,
    tls: TlsDoor | undefined,
    parts: GreetingParts,
    settings: PeerServerSettings,
    handler: ExchangeHandler,
  ) {
    this.clock = parts.clock;
    this.log = log;
    this.parts = parts;
    this.settings = settings;
    this.answering = { handler, limit: new ExchangeLimit(settings.maxExchanges) };
    const take = (socket: Socket) => void this.take(socket);
    this.server = tls
      ? tls.attach(createTlsServer({ ...tls.context(), minVersion: 'TLSv1.3' }, take))
      : createServer({ noDelay: true }, take);
    this.server.maxConnections = settings.maxConnections;
    // Before TLS is agreed on there is no socket to take: its own time-out ends that.
    if (tls) this.server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
  }

  /** Connections that have proved who they are. */
  get count(): number {
    return this.connections.size;
  }

  /** The port. Rejects with the system's error, such as EADDRINUSE. */
  async listen(): Promise<number> {
    this.server.listen(this.settings.port, this.settings.host);
    await once(this.server, 'listening');
    void this.watch();
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (this.ended.signal.aborted) return;
    this.ended.abort();
    const closed = this.server.listening ? once(this.server, 'close') : undefined;
    this.server.close();
    for (const connection of this.connections) connection.destroy('lost', 'the node goes down');
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private async take(socket: Socket): Promise<void> {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setNoDelay(true);
    const timer = setTimeout(() => socket.destroy(), this.settings.greetingTimeoutMs).unref();
    try {
      const session = await greetAsAnswerer(this.parts, socket);
      if (socket.destroyed || this.ended.signal.aborted)
        throw new PeerError('unreachable', 'it is gone already');
      const connection = new PeerConnection(session, this.settings, this.answering);
      this.connections.add(connection);
      void connection.ended.then(() => this.connections.delete(connection));
    } catch (error) {
      if (!(error instanceof PeerError) && !(error instanceof ProtocolError)) throw error;
      const { remoteAddress } = socket;
      // What was written, such as why, still goes out.
      socket.destroySoon();
      if (!this.ended.signal.aborted)
        this.log.warn({ remote: remoteAddress, reason: error.message }, 'a peer was refused');
    } finally {
      clearTimeout(timer);
    }
  }

  private async watch(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      // Ended meanwhile: so does the loop.
      await this.clock.sleep(this.settings.tickMs, signal).catch(() => {});
      for (const connection of this.connections) connection.tick();
    }
  }
}
