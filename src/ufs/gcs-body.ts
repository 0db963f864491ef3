import type { ChecksumAlgorithm, UploadBody } from '../common/object-meta.ts';
import { UfsError } from './errors.ts';
import { checkSignal } from './write-rules.ts';

/** Whose body it is, and how long it is wanted. */
export interface BodyContext {
  readonly backend: string;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * A body in pieces of `pieceBytes` but for the last, which is given only once the whole body was found right. Rejects with what the body
 * rejects with, and with `UfsError`: cancelled; io, for a body of another length than it was said to have.
 */
export async function* bodyPieces(
  body: UploadBody,
  pieceBytes: number,
  { backend, key, signal }: BodyContext,
): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let passedBytes = 0;
  for await (const chunk of body) {
    checkSignal(signal, backend, key);
    passedBytes += chunk.length;
    if (passedBytes > body.sizeBytes) break;
    held.push(chunk);
    heldBytes += chunk.length;
    // What could be the last piece waits for the end of the body.
    while (heldBytes > pieceBytes) {
      const all = Buffer.concat(held, heldBytes);
      yield all.subarray(0, pieceBytes);
      // A copy of its own, so that the piece that is gone is not kept by it.
      held = [Buffer.from(all.subarray(pieceBytes))];
      heldBytes -= pieceBytes;
    }
  }
  checkSignal(signal, backend, key);
  if (passedBytes !== body.sizeBytes) {
    const message = `a body of ${body.sizeBytes} bytes ended after ${passedBytes}`;
    throw new UfsError('io', message, { backend, key });
  }
  yield Buffer.concat(held, heldBytes);
}

/** A whole body of at most `pieceBytes`. Rejects as `bodyPieces` does. */
export async function wholeBody(body: UploadBody, pieceBytes: number, context: BodyContext): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of bodyPieces(body, pieceBytes, context)) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

/** CRC32C as Cloud Storage tells it, of a body that was read and of which it was asked for. */
export function crc32cOf(body: Pick<UploadBody, 'digest'>): string {
  const algorithm: ChecksumAlgorithm = 'CRC32C';
  return body.digest(algorithm).toString('base64');
}
