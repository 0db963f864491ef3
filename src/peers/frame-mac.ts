import { hash, timingSafeEqual } from 'node:crypto';

export const macBytes = 16;
const blockBytes = 64;
const digestBytes = 32;
/** Sequence number (8 bytes), kind (1) and exchange (4), which stand before the content. */
const prefixBytes = 13;
const usualBytes = 2048;

/**
 * Proves frames of one direction of one connection: HMAC-SHA-256 (RFC 2104) over a sequence number that neither side sends, the kind, the
 * exchange and the content, of which the first 16 bytes count. A frame that is altered, sent again, left out, put into another place or
 * taken from another connection is found out, since each connection has keys of its own.
 */
export class FrameMac {
  private readonly inner: Buffer;
  private readonly outer: Buffer;
  private readonly expected = Buffer.alloc(digestBytes);
  private sequence = 0;

  /** `key`: 32 bytes, for one direction of one connection. */
  constructor(key: Uint8Array) {
    if (key.length > blockBytes) throw new RangeError('the key is longer than a block');
    this.inner = Buffer.allocUnsafeSlow(blockBytes + prefixBytes + usualBytes);
    this.outer = Buffer.allocUnsafeSlow(blockBytes + digestBytes);
    for (let i = 0; i < blockBytes; i++) {
      const byte = key[i] ?? 0;
      this.inner[i] = byte ^ 0x36;
      this.outer[i] = byte ^ 0x5c;
    }
  }

  /** Writes the proof of the next frame in front of its content, which lies in `frame` from `at` + 16 to `end`. */
  sign(kind: number, exchange: number, frame: Buffer, at: number, end: number): void {
    frame.write(this.next(kind, exchange, frame, at + macBytes, end).slice(0, macBytes), at, 'latin1');
  }

  /** Whether the next frame is the one that it claims to be; its content stands behind the proof. Takes the same time wherever it differs. */
  accepts(kind: number, exchange: number, content: Buffer): boolean {
    if (content.length < macBytes) return false;
    this.expected.write(this.next(kind, exchange, content, macBytes, content.length), 'latin1');
    return timingSafeEqual(this.expected.subarray(0, macBytes), content.subarray(0, macBytes));
  }

  private next(kind: number, exchange: number, source: Buffer, start: number, end: number): string {
    const totalBytes = blockBytes + prefixBytes + end - start;
    let { inner } = this;
    if (totalBytes > inner.length) {
      inner = Buffer.allocUnsafe(totalBytes);
      this.inner.copy(inner, 0, 0, blockBytes);
    }
    inner.writeUInt32BE(Math.floor(this.sequence / 2 ** 32), blockBytes);
    inner.writeUInt32BE(this.sequence >>> 0, blockBytes + 4);
    inner[blockBytes + 8] = kind;
    inner.writeUInt32BE(exchange, blockBytes + 9);
    source.copy(inner, blockBytes + prefixBytes, start, end);
    this.sequence++;
    this.outer.write(hash('sha256', inner.subarray(0, totalBytes), 'latin1'), blockBytes, 'latin1');
    return hash('sha256', this.outer, 'latin1');
  }
}
