import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ProtocolError } from '../../src/peers/errors.ts';
import { FrameDecoder } from '../../src/peers/frame-decoder.ts';
import {
  finalFlag,
  frameHeadBytes,
  frameKinds,
  maxBytesOf,
  maxGreetingBytesOf,
  mayBeFinal,
  writeFrameHead,
} from '../../src/peers/frames.ts';

interface Frame {
  readonly kind: number;
  readonly exchange: number;
  readonly isFinal: boolean;
  readonly content: string;
}

const kinds = [
  frameKinds.request,
  frameKinds.message,
  frameKinds.data,
  frameKinds.credit,
  frameKinds.reset,
  frameKinds.ping,
  frameKinds.pong,
];

const frames = fc.array(
  fc.constantFrom(...kinds).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      exchange: fc.nat(0xffff_ffff),
      isFinal: mayBeFinal(kind) ? fc.boolean() : fc.constant(false),
      content: fc
        .uint8Array({ maxLength: Math.min(maxBytesOf(kind), 3000) })
        .map((bytes) => Buffer.from(bytes).toString('hex')),
    }),
  ),
  { maxLength: 20 },
);

function encode({ kind, exchange, isFinal, content }: Frame): Buffer {
  const bytes = Buffer.from(content, 'hex');
  const frame = Buffer.alloc(frameHeadBytes + bytes.length);
  bytes.copy(frame, writeFrameHead(frame, 0, isFinal ? kind | finalFlag : kind, exchange, bytes.length));
  return frame;
}

/** Decodes pieces; the parts of a frame of data are put together again. */
function decode(pieces: readonly Buffer[]): Frame[] {
  const decoded: Frame[] = [];
  let data = '';
  let dataFrames = 0;
  const decoder = new FrameDecoder({
    onFrame: (kind, exchange, isFinal, content) =>
      void decoded.push({ kind, exchange, isFinal, content: content.toString('hex') }),
    onData: (exchange, isFinal, bytes) => {
      data += bytes.toString('hex');
      dataFrames++;
      if (decoder.wantedBytes !== frameHeadBytes) return;
      decoded.push({ kind: frameKinds.data, exchange, isFinal, content: data });
      data = '';
    },
  });
  for (const piece of pieces) decoder.push(piece);
  expect(dataFrames).toBeGreaterThanOrEqual(decoded.filter(({ kind }) => kind === frameKinds.data).length);
  return decoded;
}

test('frames come out as they went in, however the bytes were cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(encode));
      const pieces: Buffer[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const end = at + (cuts[i % cuts.length] as number);
        pieces.push(bytes.subarray(at, end));
        at = end;
      }
      expect(decode(pieces)).toEqual(sent);
    }),
    { seed: 20, numRuns: 300 },
  );
});

test('any other bytes are refused as such, and nothing else happens', () => {
  const words = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(frames, fc.nat(), fc.nat(255)).map(([sent, at, value]) => {
      const bytes = Buffer.concat(sent.map(encode));
      if (bytes.length > 0) bytes[at % bytes.length] = value;
      return new Uint8Array(bytes);
    }),
  );
  let refused = 0;
  fc.assert(
    fc.property(words, (bytes) => {
      const limit = { bytes: 0 };
      const decoder = new FrameDecoder({
        onFrame: (kind, _exchange, _isFinal, content) => {
          expect(content.length).toBeLessThanOrEqual(maxBytesOf(kind));
        },
        onData: (_exchange, _isFinal, piece) => {
          limit.bytes += piece.length;
        },
      });
      try {
        decoder.push(Buffer.from(bytes));
        expect(decoder.wantedBytes).toBeLessThanOrEqual(maxBytesOf(frameKinds.message));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        refused++;
      }
      expect(limit.bytes).toBeLessThanOrEqual(bytes.length);
    }),
    { seed: 21, numRuns: 1000 },
  );
  expect(refused).toBeGreaterThan(100);
});

test('nobody who has not proved anything has memory laid out for a long frame', () => {
  for (const kind of [frameKinds.request, frameKinds.message, frameKinds.data]) {
    const head = Buffer.alloc(frameHeadBytes);
    writeFrameHead(head, 0, kind, 1, 4_000_000);
    const decoder = new FrameDecoder({ onFrame: () => {}, onData: () => {} }, maxGreetingBytesOf);
    expect(() => decoder.push(head)).toThrow(ProtocolError);
  }
  const hello = Buffer.alloc(frameHeadBytes);
  writeFrameHead(hello, 0, frameKinds.hello, 0, 1025);
  const decoder = new FrameDecoder({ onFrame: () => {}, onData: () => {} }, maxGreetingBytesOf);
  expect(() => decoder.push(hello)).toThrow('too long');
});
