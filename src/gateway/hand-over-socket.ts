import { Agent } from 'node:http';
import { Socket } from 'node:net';
import type { HandOverPath } from './carried-request.ts';

type Done = (error?: Error | null) => void;

/**
 * A connection to the store thread on which nothing fails that is written too late: the store thread may have answered and closed while
 * the rest of a request, or nothing but its end, was still on its way. What was answered is there to be read all the same, and if
 * nothing was, reading finds that out.
 */
export class HandOverSocket extends Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, done: Done): void {
    super._write(chunk, encoding, forgiving(done));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
    super._writev?.(chunks, forgiving(done));
  }
}

/** Connections that a busy moment left behind are ended after so long; one that a request is on is not. */
const idleConnectionMs = 10_000;

/** Connections to the store thread, kept for the next request. */
export class HandOverAgent extends Agent {
  constructor({ socketPath }: HandOverPath, maxConnections: number) {
    super({ keepAlive: true, maxSockets: maxConnections, maxFreeSockets: 64, timeout: idleConnectionMs });
    this.createConnection = () => new HandOverSocket().connect(socketPath);
  }
}

function forgiving(done: Done): Done {
  return (error) => done(isTooLate(error) ? null : error);
}

function isTooLate(error: NodeJS.ErrnoException | null | undefined): boolean {
  return error?.code === 'EPIPE' || error?.code === 'ECONNRESET';
}
