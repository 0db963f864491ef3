import type { ServerResponse } from 'node:http';
import type { IncomingBody } from './incoming-body.ts';

export interface UnreadBodyLimits {
  /** Bodies being read away at once; beyond it connections are closed at once. */
  readonly count: number;
  /** Of a client whose signature held: some 8 MiB parts, the SDKs' usual size, but no more than a few seconds. */
  readonly known: { readonly bytes: number; readonly ms: number };
  /** Of anyone else. */
  readonly unknown: { readonly bytes: number; readonly ms: number };
}

export const defaultUnreadBodyLimits: UnreadBodyLimits = {
  count: 128,
  known: { bytes: 64 * 1024 * 1024, ms: 5000 },
  unknown: { bytes: 16 * 1024 * 1024, ms: 1500 },
};

/**
 * Bodies that nobody wanted. Closing at once would reset the connection under a client that sends all before it reads, and
 * the answer would be lost with it; so a bounded rest is read and thrown away first, beside the requests under way and not
 * counted among them.
 */
export class UnreadBodies {
  readonly #limits: UnreadBodyLimits;
  #count = 0;

  constructor(limits: UnreadBodyLimits = defaultUnreadBodyLimits) {
    this.#limits = limits;
  }

  /** Writes an answer's body behind its headers, and ends it and the connection when the client has sent enough. */
  answerAndDrain(incoming: IncomingBody, res: ServerResponse, bytes: Buffer | undefined): void {
    if (this.#count >= this.#limits.count) {
      res.end(bytes);
      return;
    }
    if (bytes) res.write(bytes);
    else res.flushHeaders();
    this.#count++;
    const { request } = incoming;
    const limit = incoming.isAuthenticated ? this.#limits.known : this.#limits.unknown;
    let left = limit.bytes;
    const take = (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) done();
    };
    const done = () => {
      clearTimeout(timer);
      request.off('data', take).off('end', done).off('error', done).off('close', done);
      this.#count--;
      res.end();
    };
    const timer = setTimeout(done, limit.ms);
    request.on('data', take).once('end', done).once('error', done).once('close', done);
    request.resume();
  }
}
