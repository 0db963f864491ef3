import { createHash } from 'node:crypto';
import { crc32, crc32c } from '@node-rs/crc32';
import { Crc64Nvme } from './crc64-nvme.ts';
import type { ChecksumAlgorithm, DigestName } from './object-meta.ts';

/** A digest over bytes that arrive in pieces. */
export interface Digest {
  update(bytes: Buffer): void;
  /** The digest's bytes, big endian for CRCs: what S3 writes in base64. To be called once, after the last update. */
  digest(): Buffer;
}

/** Bytes of a digest, by name. */
export const digestLengths: Readonly<Record<DigestName, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
  MD5: 16,
};

/** True for the algorithms whose value over a whole is computable from its parts' values. */
export function isCrc(name: DigestName): name is 'CRC32' | 'CRC32C' | 'CRC64NVME' {
  return name === 'CRC32' || name === 'CRC32C' || name === 'CRC64NVME';
}

export function createDigest(name: DigestName): Digest {
  switch (name) {
    case 'CRC32':
      return new Crc32Digest(crc32);
    case 'CRC32C':
      return new Crc32Digest(crc32c);
    case 'CRC64NVME':
      return new Crc64Nvme();
    case 'SHA1':
      return createHash('sha1');
    case 'SHA256':
      return createHash('sha256');
    case 'MD5':
      return createHash('md5');
  }
}

/** The digest of bytes that are at hand. */
export function digestOf(name: DigestName, bytes: Buffer): Buffer {
  const digest = createDigest(name);
  digest.update(bytes);
  return digest.digest();
}

/** Whether `value` is base64 of a digest of this algorithm's length, as `x-amz-checksum-*` headers carry it. */
export function isChecksumValue(name: ChecksumAlgorithm, value: string): boolean {
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === digestLengths[name] && bytes.toString('base64') === value;
}

class Crc32Digest implements Digest {
  private readonly next: (bytes: Buffer, value: number) => number;
  private value = 0;

  constructor(next: (bytes: Buffer, value: number) => number) {
    this.next = next;
  }

  update(bytes: Buffer): void {
    this.value = this.next(bytes, this.value);
  }

  digest(): Buffer {
    const out = Buffer.allocUnsafe(4);
    out.writeUInt32BE(this.value >>> 0);
    return out;
  }
}
