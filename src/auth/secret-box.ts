import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { assert } from '../common/assert.ts';
import type { Random } from '../common/random.ts';

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headBytes = 1 + nonceBytes + tagBytes;

/**
 * Seals secrets for the coordination store with AES-256-GCM (NIST SP 800-38D), a fresh random nonce each. What a secret
 * belongs to is bound to it: sealed under one name it does not open under another.
 */
export class SecretBox {
  private readonly random: Random;
  private readonly key: KeyObject;

  /** `key` is 32 bytes. */
  constructor(random: Random, key: Buffer) {
    assert(key.length === 32, 'an encryption key has 32 bytes');
    this.random = random;
    this.key = createSecretKey(key);
  }

  /** Base64. `name` is what the secret belongs to, such as an access key id. */
  seal(secret: string, name: string): string {
    const nonce = this.random.bytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.from([version]), nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** Undefined if it was not sealed with this key and for this name, or was changed since. */
  open(sealed: string, name: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.length < headBytes || bytes[0] !== version) return undefined;
    const nonce = bytes.subarray(1, 1 + nonceBytes);
    const decipher = createDecipheriv('aes-256-gcm', this.key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(bytes.subarray(1 + nonceBytes, headBytes));
    try {
      const opened = Buffer.concat([decipher.update(bytes.subarray(headBytes)), decipher.final()]);
      return opened.toString('utf8');
    } catch {
      // The tag does not fit: that is the answer, and the cipher's own error says no more.
      return undefined;
    }
  }
}
