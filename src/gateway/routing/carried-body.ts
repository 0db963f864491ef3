import { crc32 } from 'node:zlib';
import { createDigest, type Digest } from '../../common/checksums.ts';
import type { AnnouncedChecksum, Checksums, DigestName, UploadBody } from '../../common/object-meta.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { S3Error } from '../../s3api/errors.ts';
import { decode, encode } from './wire.ts';
import type { BodyEnd } from './write-calls.ts';

/**
 * An upload that comes from the node whose client sends it. That node has checked it against everything the client said; here the last
 * bytes are held back until it has said that all holds, and that these are the bytes. Rejects with IncompleteBody where it gave up.
 */
export class CarriedBody implements UploadBody {
  readonly sizeBytes: number;
  readonly announcedChecksum: AnnouncedChecksum | undefined;
  readonly #exchange: Exchange;
  readonly #windowBytes: number;
  readonly #digests = new Map<DigestName, Digest>();
  readonly #values = new Map<DigestName, Buffer>();
  #sent: Checksums = {};

  /** `windowBytes`: what may be under way at once. */
  constructor(
    exchange: Exchange,
    about: { readonly sizeBytes: number; readonly announcedChecksum?: AnnouncedChecksum },
    windowBytes: number,
  ) {
    this.#exchange = exchange;
    this.#windowBytes = windowBytes;
    this.sizeBytes = about.sizeBytes;
    this.announcedChecksum = about.announcedChecksum;
  }

  need(name: DigestName): void {
    if (!this.#digests.has(name)) this.#digests.set(name, createDigest(name));
  }

  digest(name: DigestName): Buffer {
    const known = this.#values.get(name);
    if (known) return known;
    const value = this.#digests.get(name)?.digest() ?? this.#sentDigest(name);
    this.#values.set(name, value);
    return value;
  }

  sentChecksums(): Checksums {
    return this.#sent;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    // Until now the other node keeps the body to itself, so that it could still be sent elsewhere.
    this.#exchange.body.open(this.#windowBytes);
    let sizeBytes = 0;
    let sum = 0;
    let held: Buffer | undefined;
    for (let piece = await this.#take(); piece; piece = await this.#take()) {
      if (held) yield held;
      sizeBytes += piece.length;
      sum = crc32(piece, sum);
      for (const digest of this.#digests.values()) digest.update(piece);
      held = piece;
    }
    const end = await this.#end();
    if (sizeBytes !== this.sizeBytes || end.crc32 !== sum) {
      throw new S3Error('InternalError', { message: 'The body was altered between two nodes.' });
    }
    this.#sent = end.sentChecksums;
    if (held) yield held;
  }

  async #take(): Promise<Buffer | undefined> {
    try {
      return await this.#exchange.body.take();
    } catch (cause) {
      throw new S3Error('IncompleteBody', { cause });
    }
  }

  async #end(): Promise<BodyEnd> {
    try {
      return decode<BodyEnd>(await this.#exchange.receive());
    } catch (cause) {
      throw new S3Error('IncompleteBody', { cause });
    }
  }

  /** What the client sent and the other node found right. */
  #sentDigest(name: DigestName): Buffer {
    const sent = name === 'MD5' ? undefined : this.#sent[name];
    if (sent === undefined) throw new Error(`${name} was not asked for`);
    return Buffer.from(sent, 'base64');
  }
}

/**
 * Sends a body to its owner as it comes from the client, and its end only when it has been found to hold. False where the owner
 * has answered before, and wants no more. What the body rejects with is passed on; the owner is told that there is no more.
 */
export async function carryBody(body: UploadBody, exchange: Exchange): Promise<boolean> {
  let sum = 0;
  for await (const piece of body) {
    sum = crc32(piece, sum);
    if (!(await exchange.write(piece))) return false;
  }
  if (exchange.isOver) return false;
  exchange.endBody();
  exchange.send(encode({ crc32: sum, sentChecksums: body.sentChecksums() }));
  return true;
}
