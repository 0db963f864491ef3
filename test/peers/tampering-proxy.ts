import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FrameDecoder } from '../../src/peers/frame-decoder.ts';
import { finalFlag, frameHeadBytes, writeFrameHead } from '../../src/peers/frames.ts';

export interface Seen {
  readonly kind: number;
  readonly exchange: number;
  /** With its head. */
  readonly bytes: Buffer;
}

/** Stands between a caller and a peer, and may do to each frame of the caller what it likes: what it returns goes on. */
export class TamperingProxy {
  readonly seen: Seen[] = [];
  private readonly server: Server;
  private readonly sockets: Socket[] = [];

  private constructor(targetPort: number, tamper: (frame: Seen) => readonly Buffer[]) {
    this.server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1');
      this.sockets.push(client, target);
      const pass = (kind: number, exchange: number, isFinal: boolean, content: Buffer) => {
        const bytes = Buffer.alloc(frameHeadBytes + content.length);
        const flags = isFinal ? kind | finalFlag : kind;
        content.copy(bytes, writeFrameHead(bytes, 0, flags, exchange, content.length));
        const frame = { kind, exchange, bytes };
        this.seen.push(frame);
        for (const part of tamper(frame)) target.write(part);
      };
      // Greetings and what follows them alike: nothing is checked here.
      const decoder = new FrameDecoder(
        { onFrame: pass, onData: (exchange, isFinal, bytes) => pass(7, exchange, isFinal, bytes) },
        () => 4 * 1024 * 1024,
      );
      client.on('data', (chunk: Buffer) => decoder.push(chunk));
      target.on('data', (chunk) => client.write(chunk));
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const) {
        // The other side sees the connection close, which is all there is to tell.
        socket.on('error', () => other.destroy());
        socket.on('close', () => other.destroy());
      }
    });
  }

  static async start(
    targetPort: number,
    tamper: (frame: Seen) => readonly Buffer[] = ({ bytes }) => [bytes],
  ): Promise<TamperingProxy> {
    const proxy = new TamperingProxy(targetPort, tamper);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }
}
