import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Connection {
  readonly client: Socket;
  readonly target: Socket;
  /** No byte gets through this one any more, and nobody is told. */
  stuck: boolean;
}

/** Stands between two programs, on a port of its own on loopback, and does to their connections what networks do. */
export class TcpProxy {
  /** Connections that were opened so far. */
  opened = 0;
  private readonly server: Server;
  private readonly targetPort: number;
  private readonly connections: Connection[] = [];
  private readonly held: (() => void)[] = [];
  private silent: 'not' | 'both ways' | 'answers' = 'not';
  private refusing = false;
  private delayMs = 0;
  private answersLeft = Number.POSITIVE_INFINITY;

  private constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.server = createServer((client) => this.join(client));
  }

  /** `at`: where it listens, if not on a free port of 127.0.0.1. */
  static async start(targetPort: number, at = { host: '127.0.0.1', port: 0 }): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.server.listen(at.port, at.host);
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get open(): number {
    return this.connections.length;
  }

  get isCutOff(): boolean {
    return this.refusing;
  }

  /** Ends what is open. */
  cut(): void {
    for (const { client, target } of [...this.connections]) {
      client.resetAndDestroy();
      target.destroy();
    }
  }

  /** Ends what is open, and what is opened until `mend`. */
  cutOff(): void {
    this.refusing = true;
    this.cut();
  }

  /** As `cutOff`, when so many pieces of answers more have come through. */
  cutOffAfter(answers: number): void {
    this.answersLeft = answers;
  }

  /**
   * From now on no byte gets through, or none of the answers, and nobody is told: half open. What was sent meanwhile comes with `mend`,
   * unless the connection is gone by then.
   */
  silence(which: 'both ways' | 'answers' = 'both ways'): void {
    this.silent = which;
  }

  /** What is open now falls silent for ever; what is opened from now on works. */
  stick(): void {
    for (const connection of this.connections) connection.stuck = true;
  }

  /** The connection that was opened last falls silent for ever. */
  stickLast(): void {
    const last = this.connections.at(-1);
    if (last) last.stuck = true;
  }

  /** Every byte comes so much later. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  mend(): void {
    this.refusing = false;
    this.silent = 'not';
    this.delayMs = 0;
    this.answersLeft = Number.POSITIVE_INFINITY;
    for (const pass of this.held.splice(0)) pass();
  }

  async close(): Promise<void> {
    this.server.close();
    this.cut();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    this.opened += 1;
    const connection = { client, target: connect(this.targetPort, '127.0.0.1'), stuck: false };
    const { target } = connection;
    this.connections.push(connection);
    client.on('data', (chunk) => this.pass(connection, 'request', () => target.write(chunk)));
    target.on('data', (chunk) => this.pass(connection, 'answer', () => client.write(chunk)));
    client.on('end', () => this.pass(connection, 'request', () => target.end()));
    target.on('end', () => this.pass(connection, 'answer', () => client.end()));
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      // The other side sees the connection close, which is all there is to tell.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        other.destroy();
        const index = this.connections.indexOf(connection);
        if (index >= 0) this.connections.splice(index, 1);
      });
    }
  }

  private pass(connection: Connection, way: 'request' | 'answer', work: () => void): void {
    if (connection.stuck) return;
    if (way === 'answer' && this.answersLeft-- <= 0) {
      this.cutOff();
      return;
    }
    const isHeld = this.silent === 'both ways' || (this.silent === 'answers' && way === 'answer');
    if (isHeld) this.held.push(work);
    else if (this.delayMs > 0) setTimeout(work, this.delayMs);
    else work();
  }
}
