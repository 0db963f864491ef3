import { ChunkedBody } from '../../src/auth/chunked-body.ts';
import { chunkSigning, encodeChunks } from '../../test/auth/aws-chunks.ts';
import type { Draws } from '../lib/draws.ts';
import { mutate, slices } from '../lib/mutate.ts';
import { type DecoderCheck, outcome } from './decoder.ts';

interface Encoded {
  readonly content: Buffer;
  readonly bytes: Buffer;
  readonly signed: boolean;
  readonly trailer: boolean;
}

function drawEncoded(draws: Draws): Encoded {
  const content = Buffer.alloc(
    draws.pick([0, 1, 100, 8192, 8193, 20_000]),
    draws.pick(['a', 'bc', '\r\n', '0;']),
  );
  const signed = draws.chance(0.5);
  const trailer = draws.chance(0.5);
  const trailers = trailer ? ([['x-amz-checksum-crc32', 'AAAAAA==']] as const) : undefined;
  const bytes = encodeChunks(content, { signed, trailers, chunkBytes: draws.pick([8192, 65_536]) });
  return { content, bytes, signed, trailer };
}

function decode(
  draws: Draws,
  { content, signed, trailer }: Encoded,
  bytes: Buffer,
  sizeBytes = content.length,
): Buffer {
  const body = new ChunkedBody({ signing: signed ? chunkSigning() : undefined, trailer, sizeBytes });
  const out: Buffer[] = [];
  for (const slice of slices(draws, bytes)) body.push(slice, out);
  body.finish();
  return Buffer.concat(out);
}

/**
 * What was encoded is decoded, however it is cut. Changed, it is refused, unless the change says nothing; what is signed is never taken for
 * other bytes, and what is not never for more or fewer.
 */
export const chunksCheck: DecoderCheck = {
  name: 'aws-chunked',
  check: (draws) => {
    const encoded = drawEncoded(draws);
    const input = { length: encoded.content.length, signed: encoded.signed, trailer: encoded.trailer };
    const read = outcome(() => decode(draws, encoded, encoded.bytes));
    if ('error' in read) return { what: `a whole body is refused: ${read.error.code}`, input };
    if (!read.result.equals(encoded.content)) return { what: 'other bytes are decoded', input };
    const announced = encoded.content.length + draws.pick([-1, 1, 8192]);
    if (announced >= 0 && 'result' in outcome(() => decode(draws, encoded, encoded.bytes, announced))) {
      return { what: `a body is taken of which ${announced} bytes were announced`, input };
    }
    const changed = mutate(draws, encoded.bytes);
    const other = outcome(() => decode(draws, encoded, changed));
    if ('error' in other) {
      return other.error.status < 500
        ? undefined
        : { what: `a changed body is answered ${other.error.code}`, input };
    }
    const isRight = encoded.signed
      ? other.result.equals(encoded.content)
      : other.result.length === encoded.content.length;
    const isWhole = isRight && hasFrame(encoded, changed);
    if (isWhole) return undefined;
    return {
      what: 'a changed body is taken',
      input: { ...input, changed: changed.toString('base64').slice(0, 2000) },
    };
  },
};

/** Whether the body still ends as one must, with its last chunk and an empty line. */
function hasFrame({ signed, trailer }: Encoded, bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  const last = signed ? /(^|\r\n)0+;chunk-signature=[0-9a-f]{64}\r\n/ : /(^|\r\n)0+\r\n/;
  return last.test(text) && text.endsWith(trailer ? '\r\n\r\n' : '\r\n');
}
