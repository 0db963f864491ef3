import { Socket } from 'node:net';

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

function forgiving(done: Done): Done {
  return (error) => done(isTooLate(error) ? null : error);
}

function isTooLate(error: NodeJS.ErrnoException | null | undefined): boolean {
  return error?.code === 'EPIPE' || error?.code === 'ECONNRESET';
}
