import type { ByteRange } from '../../common/byte-range.ts';
import type { ObjectMeta } from '../../common/object-meta.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { CacheStatus } from '../../s3api/service.ts';
import type { OpenedObject } from '../../ufs/backend.ts';

/** Bytes of one version that are on their way from another node. */
export class PeerBytes implements OpenedObject {
  readonly meta: ObjectMeta;
  readonly range: ByteRange;
  readonly cache: CacheStatus;
  private readonly exchange: Exchange;

  constructor(meta: ObjectMeta, range: ByteRange, cache: CacheStatus, exchange: Exchange) {
    this.meta = meta;
    this.range = range;
    this.cache = cache;
    this.exchange = exchange;
  }

  /** Whether all of them are here, and as many as they should be. */
  get areHere(): boolean {
    return this.exchange.body.wholeBytes === this.range.end - this.range.start;
  }

  /** All of them, if they are here. */
  whole(): Buffer | undefined {
    const bytes = this.exchange.body.takeWhole();
    if (!bytes || bytes.length === this.range.end - this.range.start) return bytes;
    throw endedShort();
  }

  /** Rejects with `PeerError` rather than end short. Each piece is the caller's until it asks for another. */
  async *read(range: ByteRange = this.range): AsyncGenerator<Buffer> {
    let at = this.range.start;
    try {
      for (let piece = await this.exchange.body.take(); piece; piece = await this.exchange.body.take()) {
        const pieceEnd = at + piece.length;
        if (pieceEnd > this.range.end) throw endedShort();
        const wanted = piece.subarray(Math.max(0, range.start - at), Math.max(0, range.end - at));
        at = pieceEnd;
        if (wanted.length > 0) yield wanted;
        if (at >= range.end) return;
      }
      if (at < range.end) throw endedShort();
    } finally {
      this.close();
    }
  }

  close(): void {
    this.exchange.cancel(resetReasons.cancelled);
  }
}

function endedShort(): PeerError {
  return new PeerError('lost', 'the peer sent another number of bytes than it said');
}
