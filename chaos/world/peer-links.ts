import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A node as its peers reach it. */
export interface LinkedNode {
  readonly name: string;
  readonly peerPort: number;
  /** Of its process now. */
  readonly pid: number;
}

/** What is done to bytes from one node to another. */
interface Wire {
  isCut: boolean;
  delayMs: number;
  /** What waits for the cut to end. */
  readonly held: (() => void)[];
  /** Bytes that met the cut. */
  heldBytes: number;
}

/** Bytes that wait for one cut to end at most; a sender with more is not read any further. */
const maxHeldBytes = 4 * 1024 * 1024;

/**
 * Between the nodes: each is known to the others by an address of its own on loopback, where this listens on the node's own peer port and
 * passes on what comes. Who called is found out from the kernel, so that each direction between two nodes can be cut by itself.
 */
export class PeerLinks {
  /** Connections that nodes opened to each other so far. */
  opened = 0;
  /** Bytes that met a cut so far. */
  cutBytes = 0;
  private readonly nodes: LinkedNode[] = [];
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly wires = new Map<string, Wire>();

  /** What this node gives out as its host. */
  addressOf(index: number): string {
    return `127.0.1.${index + 1}`;
  }

  async add(index: number, node: LinkedNode): Promise<void> {
    const server = createServer((caller) => this.join(caller, node));
    server.listen(node.peerPort, this.addressOf(index));
    await once(server, 'listening');
    this.servers.push(server);
    this.nodes.push(node);
  }

  /** From now on no byte comes from the one to the other, and nobody is told. */
  cut(from: string, to: string): void {
    this.wire(from, to).isCut = true;
  }

  delay(from: string, to: string, ms: number): void {
    this.wire(from, to).delayMs = ms;
  }

  /** What was held comes now, as a network would bring it again. */
  mend(from: string, to: string): void {
    const wire = this.wire(from, to);
    wire.isCut = false;
    wire.delayMs = 0;
    wire.heldBytes = 0;
    for (const pass of wire.held.splice(0)) pass();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(
      this.servers.map(async (server) => {
        server.close();
        await once(server, 'close');
      }),
    );
  }

  private wire(from: string, to: string): Wire {
    const name = `${from} ${to}`;
    const wire = this.wires.get(name) ?? { isCut: false, delayMs: 0, held: [], heldBytes: 0 };
    this.wires.set(name, wire);
    return wire;
  }

  private join(caller: Socket, node: LinkedNode): void {
    const from = nodeOfPort(caller.remotePort ?? 0, this.nodes)?.name ?? 'nobody';
    this.opened += 1;
    const target = connect(node.peerPort, '127.0.0.1');
    this.pass(caller, target, this.wire(from, node.name));
    this.pass(target, caller, this.wire(node.name, from));
  }

  private pass(source: Socket, sink: Socket, wire: Wire): void {
    this.sockets.add(source);
    const run = (bytes: number, work: () => void) => {
      if (wire.isCut) {
        wire.held.push(work);
        wire.heldBytes += bytes;
        this.cutBytes += bytes;
        if (wire.heldBytes > maxHeldBytes) source.pause();
      } else if (wire.delayMs > 0) setTimeout(work, wire.delayMs);
      else work();
    };
    source.on('data', (chunk: Buffer) =>
      run(chunk.length, () => {
        source.resume();
        if (!sink.destroyed) sink.write(chunk);
      }),
    );
    source.on('end', () => run(0, () => sink.end()));
    // That a side is gone is told as any byte is: not through a cut.
    source.on('error', () => {});
    source.on('close', () => {
      this.sockets.delete(source);
      run(0, () => sink.destroy());
    });
  }
}

/** Which of the nodes has a connection from this local port. */
function nodeOfPort(port: number, nodes: readonly LinkedNode[]): LinkedNode | undefined {
  const inode = inodeOfPort(port);
  return inode === undefined ? undefined : nodes.find(({ pid }) => holds(pid, inode));
}

function inodeOfPort(port: number): string | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(local) && fields[9] !== '0') return fields[9];
  }
  return undefined;
}

function holds(pid: number, inode: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(pid, fd) === `socket:[${inode}]`);
  } catch {
    // It is gone.
    return false;
  }
}

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // Closed meanwhile.
    return '';
  }
}
