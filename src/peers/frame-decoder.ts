import { ProtocolError } from './errors.ts';
import { finalFlag, frameHeadBytes, frameKinds, maxBytesOf, mayBeFinal } from './frames.ts';

/** Hears frames in the order in which they were sent. What it throws ends the decoding. */
export interface FrameSink {
  /** A whole frame of any kind but `data`. */
  onFrame(kind: number, exchange: number, isFinal: boolean, content: Buffer): void;
  /** Bytes of a body as they come, of a frame or a part of one. */
  onData(exchange: number, isFinal: boolean, bytes: Buffer): void;
}

const none = Buffer.alloc(0);

/**
 * Takes frames out of a stream of bytes, however that is cut. Holds at most one frame that is not whole. Throws `ProtocolError` at the first
 * byte that cannot belong to a frame; it is of no use any more then.
 */
export class FrameDecoder {
  sink: FrameSink;
  /** How long the content of a frame of a kind may be, bytes; negative of what is no kind now. */
  limitOf: (kind: number) => number;
  private readonly head = Buffer.alloc(frameHeadBytes);
  private headBytes = 0;
  private kind = 0;
  private isFinal = false;
  private exchange = 0;
  /** Of the content that is yet to come. */
  private missing = 0;
  /** What has come of a content that is needed whole. */
  private partial = none;
  private partialBytes = 0;

  constructor(sink: FrameSink, limitOf: (kind: number) => number = maxBytesOf) {
    this.sink = sink;
    this.limitOf = limitOf;
  }

  /** How many bytes the present frame still lacks, or its head. */
  get wantedBytes(): number {
    return this.headBytes < frameHeadBytes ? frameHeadBytes - this.headBytes : this.missing;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.headBytes < frameHeadBytes) {
        at = this.takeHead(chunk, at);
        if (this.headBytes < frameHeadBytes) return;
        this.readHead();
        if (this.missing > 0) continue;
      }
      at = this.takeContent(chunk, at);
    }
  }

  private takeHead(chunk: Buffer, at: number): number {
    const count = Math.min(frameHeadBytes - this.headBytes, chunk.length - at);
    chunk.copy(this.head, this.headBytes, at, at + count);
    this.headBytes += count;
    return at + count;
  }

  private readHead(): void {
    const { head } = this;
    const flags = head[4] as number;
    this.missing = head.readUInt32BE(0);
    this.isFinal = (flags & finalFlag) !== 0;
    this.kind = flags & ~finalFlag;
    this.exchange = head.readUInt32BE(5);
    const limit = this.limitOf(this.kind);
    if (limit < 0) throw new ProtocolError(`there is no frame of kind ${this.kind} here`);
    if (this.missing > limit) throw new ProtocolError(`a frame of kind ${this.kind} is too long`);
    if (this.isFinal && !mayBeFinal(this.kind)) throw new ProtocolError('this frame cannot be the last one');
  }

  private takeContent(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.missing, chunk.length);
    const isWhole = end - at === this.missing;
    if (this.kind === frameKinds.data) {
      this.missing -= end - at;
      if (isWhole) this.headBytes = 0;
      this.sink.onData(this.exchange, this.isFinal && isWhole, chunk.subarray(at, end));
      return end;
    }
    if (isWhole && this.partialBytes === 0) {
      this.headBytes = 0;
      this.sink.onFrame(this.kind, this.exchange, this.isFinal, chunk.subarray(at, end));
      return end;
    }
    this.gather(chunk, at, end);
    return end;
  }

  private gather(chunk: Buffer, at: number, end: number): void {
    if (this.partialBytes === 0) this.partial = Buffer.allocUnsafe(this.missing);
    chunk.copy(this.partial, this.partialBytes, at, end);
    this.partialBytes += end - at;
    this.missing -= end - at;
    if (this.missing > 0) return;
    const content = this.partial;
    this.partial = none;
    this.partialBytes = 0;
    this.headBytes = 0;
    this.sink.onFrame(this.kind, this.exchange, this.isFinal, content);
  }
}
