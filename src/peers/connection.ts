import type { Duplex } from 'node:stream';
import { PeerError, type PeerErrorKind, ProtocolError } from './errors.ts';
import { Exchange, type ExchangeLink } from './exchange.ts';
import type { FrameDecoder, FrameSink } from './frame-decoder.ts';
import { FrameMac, macBytes } from './frame-mac.ts';
import { FrameOutput } from './frame-output.ts';
import { finalFlag, frameKinds, resetReasons } from './frames.ts';
import type { PeerIdentity, SessionKeys } from './handshake.ts';
import type { QuestionAges } from './question-ages.ts';

/** Takes a question. Must not throw; it ends the exchange by its answer, or cancels it. */
export type ExchangeHandler = (
  request: Buffer,
  exchange: Exchange,
  from: PeerIdentity,
  ages: QuestionAges,
) => void;

export interface ConnectionSettings {
  /** After so many looks (`tick`) in a row at which nothing had come, the other side is gone. */
  readonly maxSilentTicks: number;
}

/** How questions are taken, of all connections together. */
export interface Answering {
  readonly handler: ExchangeHandler;
  readonly limit: ExchangeLimit;
}

/** How many exchanges may be under way at once. */
export class ExchangeLimit {
  private readonly most: number;
  private present = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** False if there are as many already. */
  enter(): boolean {
    if (this.present >= this.most) return false;
    this.present++;
    return true;
  }

  leave(): void {
    this.present--;
  }
}

/** What both sides know when they have proved to each other who they are. */
export interface Session {
  readonly socket: Duplex;
  readonly decoder: FrameDecoder;
  readonly peer: PeerIdentity;
  readonly keys: SessionKeys;
  /** Which of the two this side is. */
  readonly side: 'caller' | 'answerer';
  /** Of what comes from the other. */
  readonly ages: QuestionAges;
}

/** A connection whose two ends trust each other, with any number of exchanges at once, all opened by the side that made it. */
export class PeerConnection implements FrameSink, ExchangeLink {
  readonly peer: PeerIdentity;
  private readonly socket: Duplex;
  private readonly output: FrameOutput;
  private readonly outgoing: FrameMac;
  private readonly incoming: FrameMac;
  private readonly isCaller: boolean;
  private readonly settings: ConnectionSettings;
  private readonly answering: Answering | undefined;
  private readonly exchanges = new Map<number, Exchange>();
  private readonly ages: QuestionAges;
  private readonly closed = Promise.withResolvers<void>();
  /** The exchange that was opened last. */
  private last = 0;
  private silentTicks = 0;
  private hasHeard = true;
  private failure: PeerError | undefined;

  /** `answering`: on the side that was called. */
  constructor(session: Session, settings: ConnectionSettings, answering?: Answering) {
    const { socket, decoder, peer, keys, side, ages } = session;
    this.peer = peer;
    this.ages = ages;
    this.socket = socket;
    this.settings = settings;
    this.answering = answering;
    this.isCaller = side === 'caller';
    this.output = new FrameOutput(socket);
    this.outgoing = new FrameMac(this.isCaller ? keys.caller : keys.answerer);
    this.incoming = new FrameMac(this.isCaller ? keys.answerer : keys.caller);
    decoder.sink = this;
    const take = (chunk: Buffer) => {
      if (this.failure) return;
      try {
        this.hasHeard = true;
        decoder.push(chunk);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.destroy('lost', error.message);
      }
    };
    socket.on('data', take);
    socket.on('error', (error) => this.destroy('lost', error.message));
    socket.on('close', () => this.destroy('lost', 'the connection was closed'));
  }

  get isOpen(): boolean {
    return this.failure === undefined;
  }

  /** Exchanges under way. */
  get count(): number {
    return this.exchanges.size;
  }

  /** Resolves when the connection is gone. */
  get ended(): Promise<void> {
    return this.closed.promise;
  }

  /** Opens an exchange; its first bytes may come at once, up to `windowBytes`. Throws `PeerError` if the connection is gone. */
  open(request: Buffer, windowBytes: number, onceOver: () => void): Exchange {
    if (this.failure) throw new PeerError('unreachable', this.failure.message);
    const number = ++this.last;
    const exchange = new Exchange(number, this, onceOver);
    this.exchanges.set(number, exchange);
    this.proven(frameKinds.request, number, request, windowBytes);
    exchange.body.open(windowBytes, true);
    return exchange;
  }

  /** To be called at even intervals: finds out, by asking, whether the other side is still there. Time that the process stands still does not count. */
  tick(): void {
    if (this.failure) return;
    if (this.hasHeard) {
      this.silentTicks = 0;
      this.hasHeard = false;
      return;
    }
    this.silentTicks++;
    if (this.silentTicks > this.settings.maxSilentTicks) this.destroy('lost', 'nothing is heard of the peer');
    else this.output.frame(frameKinds.ping, 0, 0);
  }

  destroy(kind: PeerErrorKind, message: string): void {
    if (this.failure) return;
    const failure = new PeerError(kind, message);
    this.failure = failure;
    this.output.close();
    this.socket.destroy();
    for (const exchange of [...this.exchanges.values()]) exchange.fail(failure);
    this.exchanges.clear();
    this.closed.resolve();
  }

  onFrame(kind: number, number: number, isFinal: boolean, content: Buffer): void {
    if (this.failure) return;
    switch (kind) {
      case frameKinds.request:
        this.takeRequest(number, content);
        break;
      case frameKinds.message:
        this.takeMessage(number, isFinal, content);
        break;
      case frameKinds.credit:
        if (content.length !== 4) throw new ProtocolError('a credit has 4 bytes');
        this.find(number)?.takeCredit(content.readUInt32BE(0));
        break;
      case frameKinds.reset:
        this.takeReset(number, content);
        break;
      case frameKinds.ping:
        this.output.frame(frameKinds.pong, 0, 0);
        break;
      case frameKinds.pong:
        break;
      default:
        throw new ProtocolError('the greetings are over');
    }
  }

  onData(number: number, isFinal: boolean, bytes: Buffer): void {
    if (this.failure) return;
    this.find(number)?.takeData(bytes, isFinal, this.isCaller);
    if (isFinal && this.isCaller) this.exchanges.delete(number);
  }

  data(number: number, bytes: Buffer, isFinal: boolean, written: () => void): void {
    this.output.data(isFinal ? frameKinds.data | finalFlag : frameKinds.data, number, bytes, written);
    if (isFinal && !this.isCaller) this.exchanges.get(number)?.finish();
  }

  message(number: number, content: Buffer, isFinal: boolean): void {
    this.proven(isFinal ? frameKinds.message | finalFlag : frameKinds.message, number, content);
  }

  credit(number: number, bytes: number): void {
    this.output.frame(frameKinds.credit, number, 4, (into, at) => void into.writeUInt32BE(bytes, at));
  }

  reset(number: number, reason: number): void {
    this.output.frame(frameKinds.reset, number, 1, (into, at) => {
      into[at] = reason;
    });
  }

  get isFull(): boolean {
    return this.output.isFull;
  }

  room(): Promise<void> {
    return this.output.room();
  }

  forget(number: number): void {
    this.exchanges.delete(number);
  }

  /** A request's content: proof, the answer's window (4 bytes), what is asked. */
  private takeRequest(number: number, content: Buffer): void {
    const { answering } = this;
    if (!answering) throw new ProtocolError('only the side that made the connection asks');
    if (number !== this.last + 1) throw new ProtocolError('exchanges are numbered without gaps');
    this.check(frameKinds.request, number, content);
    if (content.length < macBytes + 4) throw new ProtocolError('a request without a window');
    this.last = number;
    if (!answering.limit.enter()) {
      this.reset(number, resetReasons.overloaded);
      return;
    }
    const exchange = new Exchange(number, this, () => answering.limit.leave());
    this.exchanges.set(number, exchange);
    exchange.takeCredit(content.readUInt32BE(macBytes));
    answering.handler(content.subarray(macBytes + 4), exchange, this.peer, this.ages);
  }

  private takeMessage(number: number, isFinal: boolean, content: Buffer): void {
    this.check(isFinal ? frameKinds.message | finalFlag : frameKinds.message, number, content);
    if (isFinal && !this.isCaller) throw new ProtocolError('only who answers ends an exchange');
    this.find(number)?.takeMessage(content.subarray(macBytes), isFinal);
    if (isFinal) this.exchanges.delete(number);
  }

  private takeReset(number: number, content: Buffer): void {
    const exchange = this.find(number);
    if (!exchange) return;
    this.exchanges.delete(number);
    const isOverloaded = content[0] === resetReasons.overloaded;
    exchange.fail(
      isOverloaded
        ? new PeerError('overloaded', 'the peer has too much to do')
        : new PeerError('reset', 'the peer gave the exchange up'),
    );
  }

  /** Undefined of an exchange that is over on this side, of which something may still be on its way. */
  private find(number: number): Exchange | undefined {
    if (number === 0 || number > this.last) throw new ProtocolError('there is no such exchange');
    return this.exchanges.get(number);
  }

  private check(kind: number, number: number, content: Buffer): void {
    if (!this.incoming.accepts(kind, number, content))
      throw new ProtocolError('a frame that the peer did not write');
  }

  private proven(kind: number, number: number, content: Buffer, windowBytes?: number): void {
    const extraBytes = windowBytes === undefined ? 0 : 4;
    this.output.frame(kind, number, macBytes + extraBytes + content.length, (into, at, end) => {
      if (windowBytes !== undefined) into.writeUInt32BE(windowBytes, at + macBytes);
      content.copy(into, at + macBytes + extraBytes);
      this.outgoing.sign(kind, number, into, at, end);
    });
  }
}
