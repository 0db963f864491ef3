import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Node's HTTP server keeps the answer that is due, or being sent, on its connection. */
export interface AnsweringSocket extends Socket {
  readonly _httpMessage?: ServerResponse | null;
}

interface Watched {
  /** Received and sent when it was last looked at. */
  bytes: number;
  /** Looks in turn that found it idle, with nothing received or sent in between. */
  idleLooks: number;
}

const looksPerTime = 5;
const maxBetweenLooksMs = 1000;

/**
 * The connections of a server, and an end to those that no request comes on for some time after an answer. All are looked at now and then:
 * a timer of each, set after every answer and reset with every request, takes some 3 % of the CPU of a small one.
 */
export class IdleConnections {
  readonly #watched = new Map<AnsweringSocket, Watched>();
  readonly #looksUntilEnd: number;
  readonly #betweenLooksMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** A connection that was idle for `keepAliveMs` is ended at most a second, or a fifth of it, later; 0: never. */
  constructor(keepAliveMs: number) {
    this.#betweenLooksMs = Math.max(1, Math.min(maxBetweenLooksMs, keepAliveMs / looksPerTime));
    this.#looksUntilEnd = keepAliveMs === 0 ? Number.POSITIVE_INFINITY : keepAliveMs / this.#betweenLooksMs;
  }

  add(socket: AnsweringSocket): void {
    this.#timer ??= setInterval(() => this.#look(), this.#betweenLooksMs).unref();
    this.#watched.set(socket, { bytes: 0, idleLooks: 0 });
    socket.once('close', () => this.#remove(socket));
  }

  /** Ends those on which no answer is due or on its way, however slow its reader. */
  end(): void {
    for (const socket of this.#watched.keys()) if (isIdle(socket)) socket.destroy();
  }

  #remove(socket: AnsweringSocket): void {
    this.#watched.delete(socket);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [socket, watched] of this.#watched) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      const rests = isBetweenRequests(socket) && bytes === watched.bytes;
      watched.bytes = bytes;
      watched.idleLooks = rests ? watched.idleLooks + 1 : 0;
      if (watched.idleLooks >= this.#looksUntilEnd) socket.destroy();
    }
  }
}

/** Whether an answer went out whole, and no other is due. Connections that never asked anything are under another limit. */
export function isBetweenRequests(socket: AnsweringSocket): boolean {
  return isIdle(socket) && socket.bytesWritten > 0;
}

function isIdle(socket: AnsweringSocket): boolean {
  return !socket._httpMessage && socket.writableLength === 0;
}
