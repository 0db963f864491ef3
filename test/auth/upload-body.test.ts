import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parsePayloadMode } from '../../src/auth/payload-mode.ts';
import { type PayloadRules, payloadSpec } from '../../src/auth/payload-spec.ts';
import { BodyAborted, RequestBody } from '../../src/auth/upload-body.ts';
import { digestOf } from '../../src/common/checksums.ts';
import { checksumAlgorithms, type DigestName } from '../../src/common/object-meta.ts';
import { S3Error } from '../../src/s3api/errors.ts';
import { chunkSigning, cutAt, encodeChunks, streamOf } from './aws-chunks.ts';
import { rejected, sha256Hex } from './fixtures.ts';

const rules: PayloadRules = { maximumBytes: 1e9, lengthRequired: true, checksumsOf: 'body' };
type Headers = Record<string, string>;

function body(source: Readable, headers: Headers, mode: string): RequestBody {
  return new RequestBody(source, payloadSpec(headers, parsePayloadMode(mode), rules), chunkSigning());
}

async function readAll(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

const content = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 13) % 256));
const length = { 'content-length': String(content.length) };
const decodedLength = { 'x-amz-decoded-content-length': String(content.length) };
const base64 = (name: DigestName, bytes: Buffer = content): string =>
  digestOf(name, bytes).toString('base64');

/** One way of sending content: headers, payload mode and the bytes on the wire. */
interface Sent {
  readonly name: string;
  readonly headers: Headers;
  readonly mode: string;
  readonly wire: Buffer;
}

function waysToSend(bytes: Buffer): Sent[] {
  const plain = { 'content-length': String(bytes.length) };
  const chunked = { 'x-amz-decoded-content-length': String(bytes.length) };
  const trailers = [['x-amz-checksum-crc64nvme', base64('CRC64NVME', bytes)]] as const;
  const announced = { ...chunked, 'x-amz-trailer': 'x-amz-checksum-crc64nvme' };
  const chunkBytes = 8192;
  return [
    { name: 'with its SHA-256', headers: plain, mode: sha256Hex(bytes), wire: bytes },
    {
      name: 'with its MD5',
      headers: { ...plain, 'content-md5': base64('MD5', bytes) },
      mode: 'UNSIGNED-PAYLOAD',
      wire: bytes,
    },
    {
      name: 'with its CRC32',
      headers: { ...plain, 'x-amz-checksum-crc32': base64('CRC32', bytes) },
      mode: 'UNSIGNED-PAYLOAD',
      wire: bytes,
    },
    {
      name: 'in signed chunks',
      headers: chunked,
      mode: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      wire: encodeChunks(bytes, { signed: true, chunkBytes }),
    },
    {
      name: 'in signed chunks with a trailer',
      headers: announced,
      mode: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      wire: encodeChunks(bytes, { signed: true, chunkBytes, trailers }),
    },
    {
      name: 'in unsigned chunks with a trailer',
      headers: announced,
      mode: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      wire: encodeChunks(bytes, { signed: false, chunkBytes, trailers }),
    },
  ];
}
const ways = waysToSend(content);

describe.each(ways)('a body sent $name', ({ headers, mode, wire }) => {
  test('is given out whole, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), async (places) => {
        const read = await readAll(body(streamOf(cutAt(wire, places)), headers, mode));
        expect(read.equals(content)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('never gives its last byte when anything about it is wrong', async () => {
    const damage = fc.oneof(
      fc.record({ kind: fc.constant('flip' as const), at: fc.nat(wire.length - 1), bit: fc.nat(7) }),
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(wire.length - 1), bit: fc.constant(0) }),
      fc.record({ kind: fc.constant('insert' as const), at: fc.nat(wire.length), bit: fc.nat(255) }),
    );
    const cuts = fc.array(fc.nat(), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(damage, cuts, async ({ kind, at, bit }, places) => {
        let bad: Buffer = Buffer.from(wire);
        if (kind === 'flip') bad[at] = (bad[at] as number) ^ (1 << bit);
        if (kind === 'cut') bad = bad.subarray(0, at);
        if (kind === 'insert')
          bad = Buffer.concat([bad.subarray(0, at), Buffer.from([bit]), bad.subarray(at)]);
        const given: Buffer[] = [];
        let failure: unknown;
        try {
          for await (const part of body(streamOf(cutAt(bad, places)), headers, mode)) given.push(part);
        } catch (error) {
          failure = error;
        }
        const bytes = Buffer.concat(given);
        if (failure === undefined) {
          // Only the case of a hexadecimal digit, or of a trailer's name, or blanks around its value, make no difference.
          expect(bytes.equals(content)).toBe(true);
          expect(wire.length).toBeGreaterThan(content.length);
        } else {
          expect(failure).toBeInstanceOf(S3Error);
          expect(bytes.length).toBeLessThan(content.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('that ends early or goes on too long is refused', async () => {
    for (const bad of [
      wire.subarray(0, wire.length - 1),
      wire.subarray(0, 0),
      Buffer.concat([wire, Buffer.from('x')]),
    ]) {
      const error = await rejected(readAll(body(streamOf([bad]), headers, mode)));
      expect(error.code).toBe('IncompleteBody');
    }
  });
});

test.each(waysToSend(Buffer.alloc(0)))(
  'an empty body sent $name is right',
  async ({ headers, mode, wire }) => {
    const empty = body(streamOf(wire.length > 0 ? [wire] : []), headers, mode);
    expect((await readAll(empty)).length).toBe(0);
  },
);

test('an empty body is checked like any other', async () => {
  const headers = { 'content-length': '0', 'content-md5': base64('MD5') };
  expect((await rejected(readAll(body(streamOf([]), headers, 'UNSIGNED-PAYLOAD')))).code).toBe('BadDigest');
});

describe('a body whose digest is wrong', () => {
  test.each(checksumAlgorithms)('by its %s header or trailer is refused in S3’s words', async (algorithm) => {
    const wrong = base64(algorithm, Buffer.from('other'));
    const header = `x-amz-checksum-${algorithm.toLowerCase()}`;
    const message = `The ${algorithm} you specified did not match the calculated checksum.`;
    const plain = await rejected(
      readAll(body(streamOf([content]), { ...length, [header]: wrong }, 'UNSIGNED-PAYLOAD')),
    );
    expect([plain.code, plain.message]).toEqual(['BadDigest', message]);
    const wire = encodeChunks(content, { signed: false, trailers: [[header, wrong]] });
    const headers = { ...decodedLength, 'x-amz-trailer': header };
    const trailing = await rejected(
      readAll(body(streamOf([wire]), headers, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')),
    );
    expect([trailing.code, trailing.message]).toEqual(['BadDigest', message]);
  });

  test('by its Content-MD5 is told both', async () => {
    const headers = { ...length, 'content-md5': base64('MD5', Buffer.from('other')) };
    const error = await rejected(readAll(body(streamOf([content]), headers, 'UNSIGNED-PAYLOAD')));
    expect(error.message).toBe('The Content-MD5 you specified did not match what we received.');
    const sent = Buffer.from(headers['content-md5'], 'base64').toString('hex');
    expect(error.extra).toEqual({ ExpectedDigest: sent, CalculatedDigest: base64('MD5') });
  });

  test('by its signed SHA-256 is told both', async () => {
    const error = await rejected(readAll(body(streamOf([content]), length, sha256Hex('other'))));
    expect(error.code).toBe('XAmzContentSHA256Mismatch');
    expect(error.extra).toEqual({
      ClientComputedContentSHA256: sha256Hex('other'),
      S3ComputedContentSHA256: sha256Hex(content),
    });
  });
});

describe('a trailer', () => {
  const mode = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  const send = (headers: Headers, trailers: readonly (readonly [string, string])[]) =>
    rejected(
      readAll(
        body(
          streamOf([encodeChunks(content, { signed: false, trailers })]),
          { ...decodedLength, ...headers },
          mode,
        ),
      ),
    );
  const announced = { 'x-amz-trailer': 'x-amz-checksum-crc32' };

  test('that was announced and does not come is an error', async () => {
    expect((await send(announced, [])).code).toBe('MalformedTrailerError');
  });

  test('that comes unannounced is an error, alone or beside another', async () => {
    expect((await send({}, [['x-amz-checksum-crc32', base64('CRC32')]])).code).toBe('MalformedTrailerError');
    const both = [
      ['x-amz-checksum-crc32', base64('CRC32')],
      ['x-amz-checksum-sha1', base64('SHA1')],
    ] as const;
    expect((await send(announced, both)).code).toBe('MalformedTrailerError');
  });

  test('whose value is no checksum is an error of the request', async () => {
    const error = await send(announced, [['x-amz-checksum-crc32', 'abc']]);
    expect([error.code, error.message]).toEqual([
      'InvalidRequest',
      'Value for x-amz-checksum-crc32 trailing header is invalid.',
    ]);
  });
});

describe('digests', () => {
  test('asked for or sent are known at the end, those sent as checksums too', async () => {
    const headers = { ...length, 'x-amz-checksum-sha256': base64('SHA256') };
    const checked = body(streamOf([content]), headers, sha256Hex(content));
    checked.need('MD5');
    checked.need('SHA256');
    await readAll(checked);
    expect(checked.digest('MD5').toString('base64')).toBe(base64('MD5'));
    expect(checked.digest('SHA256').toString('base64')).toBe(base64('SHA256'));
    expect(checked.sentChecksums()).toEqual({ SHA256: base64('SHA256') });
    expect(() => checked.digest('CRC32')).toThrow(/known once/);
  });

  test('sent in a trailer are among the checksums sent', async () => {
    const { headers, mode, wire } = ways[5] as Sent;
    const checked = body(streamOf([wire]), headers, mode);
    await readAll(checked);
    expect(checked.sentChecksums()).toEqual({ CRC64NVME: base64('CRC64NVME') });
  });
});

describe('the flow of a body', () => {
  test('tiny pieces come out gathered, and a reader that stops makes the source stop', async () => {
    let taken = 0;
    const pieces = (function* () {
      for (taken = 0; taken < 400_000; taken++) yield Buffer.from([taken & 255]);
    })();
    const source = Readable.from(pieces, { objectMode: true, highWaterMark: 1 });
    const sizes: number[] = [];
    for await (const part of body(source, { 'content-length': '400000' }, 'UNSIGNED-PAYLOAD')) {
      sizes.push(part.length);
      await new Promise((resolve) => setImmediate(resolve));
      expect(taken).toBeLessThanOrEqual(sizes.reduce((a, b) => a + b) + 10);
      if (sizes.length === 3) break;
    }
    expect(sizes).toEqual([65_536, 65_536, 65_536]);
    expect(source.destroyed).toBe(false);
  });

  test('what a refused body has left unread can be drained', async () => {
    const source = streamOf([Buffer.from('nonsense\n'), Buffer.from('more'), Buffer.from('and more')]);
    const { headers, mode } = ways[5] as Sent;
    expect((await rejected(readAll(body(source, headers, mode)))).code).toBe('IncompleteBody');
    const ended = new Promise((resolve) => source.once('end', resolve));
    source.resume();
    await ended;
  });

  test('text is read up to its limit, and must be UTF-8', async () => {
    const text = Buffer.from('<é/>');
    const headers = { 'content-length': String(text.length) };
    expect(await body(streamOf([text]), headers, 'UNSIGNED-PAYLOAD').readText(5)).toBe('<é/>');
    const long = await rejected(body(streamOf([text]), headers, 'UNSIGNED-PAYLOAD').readText(4));
    expect([long.code, long.extra]).toEqual(['MaxMessageLengthExceeded', { MaxMessageLengthBytes: '4' }]);
    const latin = Buffer.from([0x3c, 0xe9, 0x3e]);
    const bad = await rejected(
      body(streamOf([latin]), { 'content-length': '3' }, 'UNSIGNED-PAYLOAD').readText(5),
    );
    expect(bad.code).toBe('MalformedXML');
  });

  test('over HTTP a client that goes away makes the iteration reject so that it can be told apart', async () => {
    const outcome = await overHttp(async (socketPort) => {
      const socket = connect(socketPort, '127.0.0.1');
      socket.write('PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhello');
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.destroy();
    });
    expect(outcome).toBeInstanceOf(BodyAborted);
    expect(outcome).toMatchObject({ code: 'IncompleteBody', cause: { code: 'ECONNRESET' } });
  });

  test('over HTTP a bad body still gets an answer on its connection', async () => {
    const answers: string[] = [];
    const outcome = await overHttp(async (socketPort) => {
      const socket = connect(socketPort, '127.0.0.1');
      socket.on('data', (data) => answers.push(data.toString()));
      const wire = '5\r\nhelloX';
      socket.write(
        `PUT /b/k HTTP/1.1\r\nHost: x\r\nx-amz-decoded-content-length: 5\r\nContent-Length: 1000\r\n\r\n${wire}`,
      );
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
    });
    expect(outcome).toMatchObject({ code: 'IncompleteBody' });
    expect(answers.join('')).toMatch(/^HTTP\/1\.1 400 /);
  });
});

/** Reads the body of one request to a real server and gives what the iteration rejected with. */
async function overHttp(client: (port: number) => Promise<void>): Promise<unknown> {
  let settle: (outcome: unknown) => void = () => {};
  const outcome = new Promise((resolve) => {
    settle = resolve;
  });
  const server = createServer((req: IncomingMessage, res) => {
    const chunked = req.headers['x-amz-decoded-content-length'] !== undefined;
    const mode = chunked ? 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' : 'UNSIGNED-PAYLOAD';
    readAll(body(req, req.headers as Headers, mode)).then(settle, (error) => {
      res.writeHead(400, { connection: 'close' }).end();
      settle(error);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await client((server.address() as AddressInfo).port);
    return await outcome;
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
