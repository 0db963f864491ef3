import { type PeerError, ProtocolError } from './errors.ts';

/** Smaller pieces that have to wait are copied, so that they do not keep the network's buffer of 64 KiB, in which they lie, alive. */
const smallBytes = 16 * 1024;

/**
 * The bytes of a body as they come from a peer, which sends no more than was granted and not yet taken here: so a slow reader holds up
 * its own exchange and no other. One reader.
 */
export class InboundBody implements AsyncIterable<Buffer> {
  private readonly grant: (bytes: number) => void;
  private windowBytes = 0;
  /** What the peer may still send. */
  private openBytes = 0;
  /** Taken by the reader, and not granted again yet. */
  private takenBytes = 0;
  private readonly queue: Buffer[] = [];
  private next = 0;
  private ended = false;
  private failure: PeerError | undefined;
  private wake: (() => void) | undefined;

  /** `grant` tells the peer that it may send more. */
  constructor(grant: (bytes: number) => void) {
    this.grant = grant;
  }

  /** Lets the peer have so many bytes under way at once. To be called once; `isTold` where the peer knows already. */
  open(windowBytes: number, isTold = false): void {
    this.windowBytes = windowBytes;
    this.openBytes = windowBytes;
    if (!isTold) this.grant(windowBytes);
  }

  /** Throws `ProtocolError` where the peer sends more than it may. */
  push(bytes: Buffer, isFinal: boolean): void {
    this.openBytes -= bytes.length;
    if (this.openBytes < 0 || this.ended) throw new ProtocolError('more bytes than were granted');
    if (bytes.length > 0) {
      const mustWait = this.wake === undefined && this.queue.length > this.next;
      this.queue.push(mustWait && bytes.length < smallBytes ? Buffer.from(bytes) : bytes);
    }
    this.ended = isFinal;
    this.wake?.();
  }

  /** What has come already can still be read. */
  fail(error: PeerError): void {
    this.failure ??= error;
    this.wake?.();
  }

  /** How long it is, if all of it is here and nothing was taken. */
  get wholeBytes(): number | undefined {
    if (!this.ended || this.takenBytes > 0 || this.next > 0) return undefined;
    return this.queue.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** All of it, if all of it is here: the usual case of a small answer. */
  takeWhole(): Buffer | undefined {
    if (this.wholeBytes === undefined) return undefined;
    const pieces = this.queue.splice(0);
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  /** The next piece, the reader's until it asks for another; undefined at the end. Rejects with `PeerError`. */
  async take(): Promise<Buffer | undefined> {
    while (this.queue.length === this.next) {
      if (this.ended) return undefined;
      if (this.failure) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
    const piece = this.queue[this.next] as Buffer;
    this.queue[this.next++] = piece.subarray(0, 0);
    if (this.next === this.queue.length) {
      this.queue.length = 0;
      this.next = 0;
    }
    this.taken(piece.length);
    return piece;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (let piece = await this.take(); piece !== undefined; piece = await this.take()) yield piece;
  }

  private taken(bytes: number): void {
    this.takenBytes += bytes;
    if (this.ended || this.failure || 2 * this.takenBytes < this.windowBytes) return;
    this.openBytes += this.takenBytes;
    this.grant(this.takenBytes);
    this.takenBytes = 0;
  }
}
