import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between two programs, on a port of its own on loopback, and does to their connections what networks do. */
export class TcpProxy {
  /** Connections that were opened so far. */
  opened = 0;
  private readonly server: Server;
  private readonly targetPort: number;
  private readonly sockets = new Set<Socket>();
  private readonly held: (() => void)[] = [];
  private silent = false;
  private refusing = false;
  private delayMs = 0;

  private constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.server = createServer((client) => this.join(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends what is open. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Ends what is open, and what is opened until `mend`. */
  cutOff(): void {
    this.refusing = true;
    this.cut();
  }

  /** From now on no byte gets through, either way, and nobody is told: half open. What was sent meanwhile comes with `mend`, unless the connection was cut. */
  silence(): void {
    this.silent = true;
  }

  /** Every byte comes so much later. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  mend(): void {
    this.refusing = false;
    this.silent = false;
    this.delayMs = 0;
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
    const target = connect(this.targetPort, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(from);
      from.on('data', (chunk) => this.pass(() => to.write(chunk)));
      from.on('end', () => this.pass(() => to.end()));
      // The other side sees the connection close, which is all there is to tell.
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }

  private pass(work: () => void): void {
    if (this.silent) this.held.push(work);
    else if (this.delayMs > 0) setTimeout(work, this.delayMs);
    else work();
  }
}
