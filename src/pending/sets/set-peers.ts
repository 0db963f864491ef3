import { crc32 } from 'node:zlib';
import type { Clock } from '../../common/clock.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { Lane, PeerAddress, PeerPool } from '../../peers/peer-pool.ts';
import { type Asked, type ChangeCopy, decode, encode, type SetAnswer, type SetQuestion } from './set-wire.ts';

/** A node's own question. */
export type Question<T = SetQuestion> = T extends SetQuestion ? Omit<T, keyof Asked> : never;

/** The other node will not, or cannot, do this now. */
export class SetRefusal extends Error {
  override name = 'SetRefusal';
  /** Somebody else keeps the set by now. */
  readonly isFenced: boolean;

  constructor(message: string, isFenced = false) {
    super(message);
    this.isFenced = isFenced;
  }
}

/** How long a body may take to be durable once all of it is there, beside the usual. */
const syncMsPerByte = 1_000 / (8 * 1024 * 1024);

/** Asks other nodes about pending writes. Everything rejects with `PeerError`, or with `SetRefusal` where the other said why. */
export class SetPeers {
  readonly #clock: Clock;
  readonly #pool: Pick<PeerPool, 'open'>;

  constructor(clock: Clock, pool: Pick<PeerPool, 'open'>) {
    this.#clock = clock;
    this.#pool = pool;
  }

  /** `timeoutMs`: for the answer. */
  async ask<T>(to: PeerAddress, question: Question, timeoutMs: number, signal?: AbortSignal): Promise<T> {
    const exchange = await this.#open(to, 'small', question, 0, timeoutMs);
    return this.#answered(exchange, timeoutMs, signal);
  }

  /** Sends changes to a copy, their bodies in one message. */
  async change(
    to: PeerAddress,
    question: Omit<ChangeCopy, keyof Asked | 'streamed'>,
    bodies: readonly Buffer[],
    timeoutMs: number,
  ): Promise<void> {
    const exchange = await this.#open(to, 'small', question, 0, timeoutMs);
    if (question.changes.length > 0) exchange.send(Buffer.concat(bodies));
    await this.#answered(exchange, timeoutMs);
  }

  /** Sends one change whose body is long. `silentMs`: how long the other may take nothing. */
  async changeStreamed(
    to: PeerAddress,
    question: Omit<ChangeCopy, keyof Asked | 'streamed'>,
    body: AsyncIterable<Buffer>,
    silentMs: number,
  ): Promise<void> {
    const exchange = await this.#open(to, 'bulk', { ...question, streamed: true }, 0, silentMs);
    const watch = new Silence(this.#clock, exchange, silentMs);
    try {
      let sum = 0;
      for await (const piece of body) {
        watch.heard();
        sum = crc32(piece, sum);
        if (!(await exchange.write(piece))) break;
      }
      const [change] = question.changes;
      watch.heard(silentMs + (change?.bytes ?? 0) * syncMsPerByte);
      if (!exchange.isOver) {
        exchange.endBody();
        exchange.send(encode({ crc32: sum }));
      }
      okOf(await exchange.receive());
    } finally {
      watch.end();
      exchange.cancel(resetReasons.cancelled);
    }
  }

  /** An answer whose body is to be read: `length` bytes of it, or it rejects. */
  async *bytes(
    to: PeerAddress,
    question: Question,
    length: number,
    silentMs: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const exchange = await this.#open(
      to,
      length > batchMaxBytes ? 'bulk' : 'small',
      question,
      length,
      silentMs,
    );
    const watch = new Silence(this.#clock, exchange, silentMs, signal);
    try {
      okOf(await exchange.receive());
      let left = length;
      for (let piece = await exchange.body.take(); piece; piece = await exchange.body.take()) {
        watch.heard();
        left -= piece.length;
        if (left < 0) break;
        yield piece;
      }
      if (left !== 0) throw new PeerError('lost', 'the peer sent another number of bytes than it said');
    } finally {
      watch.end();
      exchange.cancel(resetReasons.cancelled);
    }
  }

  async #answered<T>(exchange: Exchange, timeoutMs: number, signal?: AbortSignal): Promise<T> {
    const watch = new Silence(this.#clock, exchange, timeoutMs, signal);
    try {
      return okOf<T>(await exchange.receive());
    } finally {
      watch.end();
      exchange.cancel(resetReasons.cancelled);
    }
  }

  async #open(to: PeerAddress, lane: Lane, question: object, bodyBytes: number, waitMs: number) {
    const asked = { ...question, op: 'pending', hops: 1, sentMs: this.#clock.monotonicMs() };
    return this.#pool.open(to, lane, encode(asked), bodyBytes, waitMs);
  }
}

const batchMaxBytes = 1024 * 1024;

function okOf<T>(message: Buffer): T {
  const answer = decode<SetAnswer<T>>(message);
  if ('ok' in answer) return answer.ok;
  throw new SetRefusal(answer.refused, answer.isFenced);
}

/** Gives an exchange up on which nothing is heard for too long. */
class Silence {
  readonly #clock: Clock;
  readonly #exchange: Exchange;
  readonly #ms: number;
  readonly #signal: AbortSignal | undefined;
  readonly #cut: () => void;
  readonly #over = new AbortController();
  #untilMs: number;

  constructor(clock: Clock, exchange: Exchange, ms: number, signal?: AbortSignal) {
    this.#clock = clock;
    this.#exchange = exchange;
    this.#ms = ms;
    this.#signal = signal;
    this.#untilMs = clock.monotonicMs() + ms;
    this.#cut = () => this.#give(new PeerError('cancelled', 'nobody waits any more'));
    if (signal?.aborted) this.#cut();
    signal?.addEventListener('abort', this.#cut, { once: true });
    void this.#watch();
  }

  /** `ms`: for what is to come next. */
  heard(ms = this.#ms): void {
    this.#untilMs = this.#clock.monotonicMs() + ms;
  }

  end(): void {
    this.#over.abort();
    this.#signal?.removeEventListener('abort', this.#cut);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const leftMs = this.#untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return this.#give(new PeerError('lost', 'it does not answer in time'));
      // The exchange may end before.
      await this.#clock.sleep(leftMs, signal).catch(() => {});
    }
  }

  #give(error: PeerError): void {
    this.#exchange.cancel(resetReasons.cancelled, error);
  }
}
