import type { Clock } from '../../common/clock.ts';
import type { ObjectMeta, UploadBody } from '../../common/object-meta.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { PeerPool } from '../../peers/peer-pool.ts';
import type { Epoch, ViewMember } from '../../ring/ownership.ts';
import { S3Error } from '../../s3api/errors.ts';
import { carryBody } from './carried-body.ts';
import { decode, encode } from './wire.ts';
import { s3ErrorFrom, type WireError } from './wire-errors.ts';
import type { SourceQuestion, Write, WriteParts } from './write-calls.ts';

/** What becomes of a change that was sent to its owner. */
export type WriteOutcome =
  | { readonly kind: 'done'; readonly result: unknown }
  /** It is not the owner, or not yet, by this view; it did nothing. */
  | { readonly kind: 'moved'; readonly view: Epoch }
  /** It surely had no effect, and no byte of the body was taken: it may be sent elsewhere. */
  | { readonly kind: 'unreachable'; readonly cause: PeerError };

/** What comes from the owner of a change. */
export type WriteMessage =
  | { readonly ok: unknown }
  | { readonly error: WireError }
  | { readonly moved: Epoch }
  | { readonly ask: SourceQuestion }
  | { readonly unreachable: string };

/** Sends changes to those who own what they change. A change is sent once; nothing is tried again after it may have had an effect. */
export class WriteQuestions {
  readonly #clock: Clock;
  readonly #pool: PeerPool;

  constructor(clock: Clock, pool: PeerPool) {
    this.#clock = clock;
    this.#pool = pool;
  }

  /** `to`: the owner, or whoever is asked to pass it on. Rejects with what the client is told. */
  async send(to: ViewMember, write: Omit<Write, 'sentMs'>, parts: WriteParts): Promise<WriteOutcome> {
    let exchange: Exchange;
    try {
      const message = encode({ ...write, sentMs: this.#clock.monotonicMs() });
      exchange = await this.#pool.open(to, write.body ? 'bulk' : 'small', message, 0);
    } catch (error) {
      if (error instanceof PeerError) return { kind: 'unreachable', cause: error };
      throw error;
    }
    const cut = () => exchange.cancel(resetReasons.cancelled);
    parts.signal?.addEventListener('abort', cut, { once: true });
    if (parts.signal?.aborted) cut();
    try {
      return await new SentWrite(exchange, parts).outcome();
    } finally {
      parts.signal?.removeEventListener('abort', cut);
      exchange.cancel(resetReasons.cancelled);
    }
  }
}

/** One change on its way. */
class SentWrite {
  readonly #exchange: Exchange;
  readonly #parts: WriteParts;
  /** From here on the owner may have begun. */
  #mayHaveEffect: boolean;
  #bodyIsTouched = false;
  #fault: { readonly error: unknown } | undefined;

  constructor(exchange: Exchange, parts: WriteParts) {
    this.#exchange = exchange;
    this.#parts = parts;
    this.#mayHaveEffect = parts.body === undefined && parts.source === undefined;
  }

  async outcome(): Promise<WriteOutcome> {
    const { body } = this.#parts;
    // Where the owner has answered already, nobody waits for a client that is slow to send what is not wanted any more.
    if (body) void this.#carry(body);
    try {
      return await this.#answer();
    } catch (error) {
      if (this.#fault) throw this.#fault.error;
      if (!(error instanceof PeerError)) throw error;
      return this.#lost(error);
    }
  }

  async #answer(): Promise<WriteOutcome> {
    for (;;) {
      const message = decode<WriteMessage>(await this.#exchange.receive());
      if ('ask' in message) {
        await this.#tellSource(message.ask.source);
        continue;
      }
      if ('moved' in message && !this.#bodyIsTouched) return { kind: 'moved', view: message.moved };
      if ('unreachable' in message) throw new PeerError('unreachable', message.unreachable);
      if ('error' in message) throw s3ErrorFrom(message.error);
      if (!('ok' in message)) throw new PeerError('reset', 'the owner changed while the body was under way');
      return { kind: 'done', result: message.ok ?? undefined };
    }
  }

  /** What the client's own conditions say of the source is thrown here, where they came from. */
  async #tellSource(meta: ObjectMeta): Promise<void> {
    try {
      const range = await this.#parts.source?.(meta);
      this.#mayHaveEffect = true;
      this.#exchange.send(encode({ range }));
    } catch (error) {
      this.#giveUp(error);
      throw error;
    }
  }

  async #carry(body: UploadBody): Promise<void> {
    if (!(await this.#exchange.awaitCredit())) return;
    this.#bodyIsTouched = true;
    try {
      if (await carryBody(body, this.#exchange)) this.#mayHaveEffect = true;
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(error: unknown): void {
    this.#fault ??= { error };
    this.#exchange.cancel(resetReasons.cancelled);
  }

  #lost(cause: PeerError): WriteOutcome {
    const hadNoEffect = !this.#mayHaveEffect || cause.hadNoEffect;
    if (hadNoEffect && !this.#bodyIsTouched) return { kind: 'unreachable', cause };
    throw new S3Error('ServiceUnavailable', {
      message: 'The node that was changing the object cannot be reached any more. Please try again.',
      headers: hadNoEffect ? { 'x-forebay-effect': 'none' } : undefined,
      cause,
    });
  }
}
