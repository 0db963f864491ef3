import { PeerError, ProtocolError } from './errors.ts';
import { maxDataBytes } from './frames.ts';
import { InboundBody } from './inbound-body.ts';

/** Messages that nobody has taken yet; nobody sends a second one before the first was answered. */
const maxMessages = 4;

/** What an exchange asks of its connection. */
export interface ExchangeLink {
  message(exchange: number, content: Buffer, isFinal: boolean): void;
  /** `written` is called when nobody reads the bytes any more. */
  data(exchange: number, bytes: Buffer, isFinal: boolean, written: () => void): void;
  credit(exchange: number, bytes: number): void;
  reset(exchange: number, reason: number): void;
  readonly isFull: boolean;
  /** Resolves when the connection takes more, or is gone. */
  room(): Promise<void>;
  /** Nothing that comes for the exchange is of interest any more. */
  forget(exchange: number): void;
}

const none = Buffer.alloc(0);

/**
 * One question to a peer and its answer: messages and a body each way. Both sides hold one of these. Whoever answers ends it with its last
 * frame; the other side may give it up before.
 */
export class Exchange {
  readonly number: number;
  /** What the other side sends beside its messages. */
  readonly body: InboundBody;
  private readonly link: ExchangeLink;
  private readonly messages: Buffer[] = [];
  private wakeReader: (() => void) | undefined;
  private wakeWriter: (() => void) | undefined;
  private creditBytes = 0;
  private failure: PeerError | undefined;
  private ended = false;
  private abort: AbortController | undefined;
  private onceOver: (() => void) | undefined;

  constructor(number: number, link: ExchangeLink, onceOver?: () => void) {
    this.number = number;
    this.link = link;
    this.onceOver = onceOver;
    this.body = new InboundBody((bytes) => {
      if (!this.ended) this.link.credit(this.number, bytes);
    });
  }

  /** Aborted when the exchange fails. */
  get signal(): AbortSignal {
    this.abort ??= new AbortController();
    if (this.failure) this.abort.abort(this.failure);
    return this.abort.signal;
  }

  /** Whether the other side has sent its last frame, or none will come. */
  get isOver(): boolean {
    return this.ended;
  }

  /** The next message. Rejects with `PeerError`. */
  async receive(): Promise<Buffer> {
    for (;;) {
      const message = this.messages.shift();
      if (message) return message;
      if (this.failure) throw this.failure;
      if (this.ended) throw new PeerError('reset', 'the peer ended the exchange without an answer');
      await new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
      this.wakeReader = undefined;
    }
  }

  /** Sends a message; nothing follows a final one, which only who answers sends. */
  send(content: Buffer, isFinal = false): void {
    if (this.ended) return;
    this.link.message(this.number, content, isFinal);
    if (isFinal) this.finish();
  }

  /**
   * Waits until the other side takes bytes. False where it wants none any more: it has answered, or the exchange is over.
   */
  async awaitCredit(): Promise<boolean> {
    while (this.creditBytes === 0 && !this.ended && this.messages.length === 0) {
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
      });
      this.wakeWriter = undefined;
    }
    return !this.ended && this.creditBytes > 0;
  }

  /**
   * Sends bytes of this side's body, as fast as the other takes them. Resolves, with whether it took them all, when nobody here reads
   * `bytes` any more. One writer at a time.
   */
  async write(bytes: Buffer): Promise<boolean> {
    for (let at = 0; at < bytes.length; ) {
      if (!(await this.awaitCredit())) return false;
      if (this.link.isFull) {
        await this.link.room();
        continue;
      }
      const end = Math.min(bytes.length, at + Math.min(this.creditBytes, maxDataBytes));
      this.creditBytes -= end - at;
      const piece = bytes.subarray(at, end);
      at = end;
      if (at < bytes.length) this.link.data(this.number, piece, false, () => {});
      else await new Promise<void>((written) => this.link.data(this.number, piece, false, written));
    }
    return !this.ended;
  }

  /** As the body's last bytes, without waiting: false, and nothing done, unless they may go out as they are. */
  writeLastNow(bytes: Buffer, written: () => void): boolean {
    if (this.ended || bytes.length > this.creditBytes || bytes.length > maxDataBytes || this.link.isFull)
      return false;
    this.creditBytes -= bytes.length;
    this.link.data(this.number, bytes, true, written);
    return true;
  }

  /** The body of this side ends here. */
  endBody(): void {
    if (!this.ended) this.link.data(this.number, none, true, () => {});
  }

  /** Who answers has said everything. */
  finish(): void {
    this.over();
    this.link.forget(this.number);
  }

  /** Gives it up; nothing is sent or taken any more. */
  cancel(reason: number, error?: PeerError): void {
    if (this.ended) return;
    this.link.reset(this.number, reason);
    this.fail(error ?? new PeerError('cancelled', 'the exchange was given up'));
    this.link.forget(this.number);
  }

  /** From here on called by the connection alone. */
  takeMessage(content: Buffer, isFinal: boolean): void {
    if (this.messages.length >= maxMessages) throw new ProtocolError('more messages than were asked for');
    this.messages.push(content);
    if (isFinal) this.endBodyOfOther();
    this.wake();
  }

  takeData(bytes: Buffer, isFinal: boolean, endsExchange: boolean): void {
    this.body.push(bytes, isFinal);
    if (isFinal && endsExchange) this.over();
  }

  takeCredit(bytes: number): void {
    this.creditBytes += bytes;
    this.wakeWriter?.();
  }

  fail(error: PeerError): void {
    if (this.ended) return;
    this.failure = error;
    this.body.fail(error);
    this.abort?.abort(error);
    this.over();
  }

  private endBodyOfOther(): void {
    this.body.push(none, true);
    this.over();
  }

  private over(): void {
    if (this.ended) return;
    this.ended = true;
    this.wake();
    this.onceOver?.();
    this.onceOver = undefined;
  }

  private wake(): void {
    this.wakeReader?.();
    this.wakeWriter?.();
  }
}
