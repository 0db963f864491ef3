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

export interface IdleSettings {
  /** Between an answer and the next request of its connection; 0: however long. */
  readonly keepAliveMs: number;
  /** Without a byte either way while a request or an answer is under way. */
  readonly stalledMs: number;
}

const looksPerTime = 5;
const maxBetweenLooksMs = 1000;

/**
 * The connections of a server, and an end to those on which nothing happens. All are looked at now and then, and only one that stands still
 * gets a timer: a timer of each, moved with every byte that comes or goes, takes some 8 % of the CPU of a small answer.
 */
export class IdleConnections {
  readonly #watched = new Map<AnsweringSocket, Watched>();
  readonly #settings: IdleSettings;
  readonly #betweenLooksMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** A connection ends at most a second, or a fifth of its time, late. */
  constructor(settings: IdleSettings) {
    this.#settings = settings;
    const { keepAliveMs, stalledMs } = settings;
    const shortestMs = Math.min(keepAliveMs || stalledMs, stalledMs);
    this.#betweenLooksMs = Math.max(1, Math.min(maxBetweenLooksMs, shortestMs / looksPerTime));
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
    const { keepAliveMs, stalledMs } = this.#settings;
    for (const [socket, watched] of this.#watched) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      const stands = bytes === watched.bytes;
      const rests = stands && isBetweenRequests(socket);
      watched.bytes = bytes;
      watched.idleLooks = rests ? watched.idleLooks + 1 : 0;
      if (keepAliveMs > 0 && watched.idleLooks * this.#betweenLooksMs >= keepAliveMs) socket.destroy();
      // From here on Node looks itself, which also sees what a slow reader takes of bytes that were written long ago.
      else if (stands && !rests && !socket.timeout) {
        socket.setTimeout(Math.max(1, stalledMs - this.#betweenLooksMs));
      } else if ((rests || !stands) && socket.timeout) socket.setTimeout(0);
    }
  }
}

/** Whether an answer went out whole, and no other is due. */
function isBetweenRequests(socket: AnsweringSocket): boolean {
  return isIdle(socket) && socket.bytesWritten > 0;
}

function isIdle(socket: AnsweringSocket): boolean {
  return !socket._httpMessage && socket.writableLength === 0;
}
