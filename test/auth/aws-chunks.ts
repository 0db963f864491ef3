import { createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ChunkSigning } from '../../src/auth/authenticate.ts';
import { deriveSigningKey } from '../../src/common/sigv4.ts';
import { emptySha256, exampleDate, exampleScope, exampleSecret, sha256Hex } from './fixtures.ts';

/** How a body is to be encoded as aws-chunked. An encoder of its own, written after the API reference. */
export interface Encoding {
  readonly signed: boolean;
  /** Undefined: no trailer at all. */
  readonly trailers?: readonly (readonly [name: string, value: string])[];
  readonly chunkBytes?: number;
  readonly seedSignature?: string;
}

export const seed = 'a'.repeat(64);

export function chunkSigning(seedSignature = seed): ChunkSigning {
  const key = deriveSigningKey(exampleSecret, '20130524', 'us-east-1', 's3');
  return { key, amzDate: exampleDate, scope: exampleScope, seedSignature };
}

function signature(...lines: string[]): string {
  let key = Buffer.from(`AWS4${exampleSecret}`);
  for (const part of ['20130524', 'us-east-1', 's3', 'aws4_request']) {
    key = createHmac('sha256', key).update(part).digest();
  }
  return createHmac('sha256', key).update(lines.join('\n')).digest('hex');
}

export function encodeChunks(content: Buffer, encoding: Encoding): Buffer {
  const chunkBytes = encoding.chunkBytes ?? 65_536;
  const parts: Buffer[] = [];
  let previous = encoding.seedSignature ?? seed;
  const chunk = (data: Buffer): void => {
    let header = data.length.toString(16);
    if (encoding.signed) {
      previous = signature(
        'AWS4-HMAC-SHA256-PAYLOAD',
        exampleDate,
        exampleScope,
        previous,
        emptySha256,
        sha256Hex(data),
      );
      header += `;chunk-signature=${previous}`;
    }
    parts.push(Buffer.from(`${header}\r\n`), data);
    if (data.length > 0) parts.push(Buffer.from('\r\n'));
  };
  for (let at = 0; at < content.length; at += chunkBytes) chunk(content.subarray(at, at + chunkBytes));
  chunk(Buffer.alloc(0));
  for (const [name, value] of encoding.trailers ?? []) parts.push(Buffer.from(`${name}:${value}\r\n`));
  if (encoding.signed && encoding.trailers) {
    const canonical = [...encoding.trailers].sort().map(([name, value]) => `${name}:${value}\n`);
    const trailerSignature = signature(
      'AWS4-HMAC-SHA256-TRAILER',
      exampleDate,
      exampleScope,
      previous,
      sha256Hex(canonical.join('')),
    );
    parts.push(Buffer.from(`x-amz-trailer-signature:${trailerSignature}\r\n`));
  }
  parts.push(Buffer.from('\r\n'));
  return Buffer.concat(parts);
}

/** A stream of these pieces. */
export function streamOf(pieces: readonly Buffer[]): Readable {
  return Readable.from(pieces, { objectMode: true });
}

/** Cuts a buffer at the given places. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  const pieces: Buffer[] = [];
  for (let i = 1; i < sorted.length; i++) {
    const piece = bytes.subarray(sorted[i - 1], sorted[i]);
    if (piece.length > 0) pieces.push(piece);
  }
  return pieces;
}
