import { hash, timingSafeEqual } from 'node:crypto';

const blockBytes = 64;
const digestBytes = 32;
/** Longer texts get a buffer of their own. What requests and chunks sign is some 150 to 350 characters long. */
const usualTextBytes = 512;

/**
 * A key of HMAC-SHA-256 (RFC 2104). With the key's two pads laid out once, a signature is two one-shot digests: less than half of what
 * `createHmac` takes with a `KeyObject`, and no native object for each signature that the garbage collector has to follow.
 */
export class HmacKey {
  /** The inner pad, and room for the text behind it. */
  private readonly inner: Buffer;
  /** The outer pad, and room for the inner digest. */
  private readonly outer: Buffer;
  private readonly expected = Buffer.alloc(2 * digestBytes);
  private readonly given = Buffer.alloc(2 * digestBytes);

  /** `key`: up to 64 bytes. */
  constructor(key: Uint8Array) {
    if (key.length > blockBytes)
      throw new RangeError(`a key of ${key.length} bytes has to be digested first`);
    // Not out of a pool: nothing else shares the memory that the key lies in.
    this.inner = Buffer.allocUnsafeSlow(blockBytes + usualTextBytes);
    this.outer = Buffer.allocUnsafeSlow(blockBytes + digestBytes);
    for (let i = 0; i < blockBytes; i++) {
      const byte = key[i] ?? 0;
      this.inner[i] = byte ^ 0x36;
      this.outer[i] = byte ^ 0x5c;
    }
  }

  /** The HMAC in lower-case hex of a text whose characters are bytes. */
  hex(text: string): string {
    const digest = hash('sha256', this.innerWith(text), 'latin1');
    this.outer.write(digest, blockBytes, 'latin1');
    return hash('sha256', this.outer, 'hex');
  }

  /** Whether `signature` is the HMAC of the text, in lower-case hex. Takes the same time wherever the two differ. */
  matches(text: string, signature: string): boolean {
    if (signature.length !== 2 * digestBytes) return false;
    this.expected.write(this.hex(text), 'latin1');
    this.given.write(signature, 'latin1');
    return timingSafeEqual(this.expected, this.given);
  }

  private innerWith(text: string): Buffer {
    const end = blockBytes + text.length;
    if (end > this.inner.length) {
      return Buffer.concat([this.inner.subarray(0, blockBytes), Buffer.from(text, 'latin1')]);
    }
    this.inner.write(text, blockBytes, 'latin1');
    return this.inner.subarray(0, end);
  }
}
