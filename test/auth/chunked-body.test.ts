import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChunkedBody } from '../../src/auth/chunked-body.ts';
import { digestOf } from '../../src/common/checksums.ts';
import { S3Error } from '../../src/s3api/errors.ts';
import { chunkSigning, cutAt, type Encoding, encodeChunks } from './aws-chunks.ts';
import { thrown } from './fixtures.ts';

interface Decoded {
  readonly content: Buffer;
  readonly trailers: Record<string, string>;
}

function decode(pieces: readonly Buffer[], sizeBytes: number, encoding: Encoding): Decoded {
  const body = new ChunkedBody({
    signing: encoding.signed ? chunkSigning(encoding.seedSignature) : undefined,
    trailer: encoding.trailers !== undefined,
    sizeBytes,
  });
  const out: Buffer[] = [];
  for (const piece of pieces) body.push(piece, out);
  const trailers = Object.fromEntries(body.finish());
  return { content: Buffer.concat(out), trailers };
}

const content = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7) % 251));
const crc: Encoding['trailers'] = [['x-amz-checksum-crc32', digestOf('CRC32', content).toString('base64')]];
const encodings: readonly (readonly [string, Encoding])[] = [
  ['signed chunks', { signed: true, chunkBytes: 8192 }],
  ['signed chunks and trailer', { signed: true, chunkBytes: 8192, trailers: crc }],
  ['unsigned chunks and trailer', { signed: false, chunkBytes: 8192, trailers: crc }],
];

// S3 API Reference, "Signature Calculations …: Transferring Payload in Multiple Chunks" and "Including Trailing Headers".
describe('the chunked examples that AWS publishes', () => {
  const example = Buffer.alloc(66_560, 'a');
  const chunk = (size: string, data: Buffer, signature: string): Buffer =>
    Buffer.concat([
      Buffer.from(`${size};chunk-signature=${signature}\r\n`),
      data,
      Buffer.from(data.length ? '\r\n' : ''),
    ]);

  test('65,536 + 1,024 bytes in signed chunks', () => {
    const body = Buffer.concat([
      chunk(
        '10000',
        example.subarray(0, 65_536),
        'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      ),
      chunk(
        '400',
        example.subarray(65_536),
        '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      ),
      chunk('0', Buffer.alloc(0), 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'),
      Buffer.from('\r\n'),
    ]);
    expect(body.length).toBe(66_824);
    const seedSignature = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';
    expect(decode([body], 66_560, { signed: true, seedSignature }).content.equals(example)).toBe(true);
  });

  test('65,536 + 1,024 bytes in signed chunks with a trailing CRC32C', () => {
    const body = Buffer.concat([
      chunk(
        '10000',
        example.subarray(0, 65_536),
        'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      ),
      chunk(
        '400',
        example.subarray(65_536),
        '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      ),
      chunk('0', Buffer.alloc(0), '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992'),
      Buffer.from('x-amz-checksum-crc32c:sOO8/Q==\r\n'),
      Buffer.from(
        'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n',
      ),
    ]);
    const seedSignature = '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e';
    const decoded = decode([body], 66_560, { signed: true, seedSignature, trailers: [] });
    expect(decoded.trailers).toEqual({ 'x-amz-checksum-crc32c': 'sOO8/Q==' });
    expect(digestOf('CRC32C', decoded.content).toString('base64')).toBe('sOO8/Q==');
  });
});

describe.each(encodings)('a body of %s', (_, encoding) => {
  const body = encodeChunks(content, encoding);

  test('is decoded from one piece, from single bytes and from any pieces', () => {
    const whole = decode([body], content.length, encoding);
    expect(whole.content.equals(content)).toBe(true);
    expect(whole.trailers).toEqual(Object.fromEntries(encoding.trailers ?? []));
    const bytes = Array.from(body, (byte) => Buffer.from([byte]));
    expect(decode(bytes, content.length, encoding).content.equals(content)).toBe(true);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 20 }), (places) => {
        const decoded = decode(cutAt(body, places), content.length, encoding);
        expect(decoded.content.equals(content)).toBe(true);
        expect(decoded.trailers).toEqual(whole.trailers);
      }),
    );
  });

  test('of no bytes is decoded', () => {
    const nothing = encodeChunks(Buffer.alloc(0), encoding);
    expect(decode([nothing], 0, encoding).content.length).toBe(0);
  });

  test('is refused when it ends anywhere before its end', () => {
    for (let end = 0; end < body.length; end += end > 300 && end < body.length - 400 ? 97 : 1) {
      const error = thrown(() => decode([body.subarray(0, end)], content.length, encoding));
      expect([end, error.code]).toEqual([end, 'IncompleteBody']);
    }
  });

  test('is refused when anything follows its end', () => {
    for (const more of ['\r\n', '0\r\n\r\n', 'x']) {
      const error = thrown(() => decode([body, Buffer.from(more)], content.length, encoding));
      expect(error.code).toBe('IncompleteBody');
    }
  });

  test('is refused when it is longer or shorter than announced', () => {
    for (const announced of [0, content.length - 1, content.length + 1]) {
      const error = thrown(() => decode([body], announced, encoding));
      expect(error.code).toBe('IncompleteBody');
    }
  });
});

describe.each(encodings.filter(([, { signed }]) => signed))('a body of %s', (_, encoding) => {
  test('is refused with any bit flipped, but for the case of a hexadecimal digit or a name', () => {
    const body = encodeChunks(content, encoding);
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(7), (index, shift) => {
        const bad = Buffer.from(body);
        bad[index] = (bad[index] as number) ^ (1 << shift);
        let decoded: Decoded | undefined;
        try {
          decoded = decode([bad], content.length, encoding);
        } catch (error) {
          expect(error).toBeInstanceOf(S3Error);
        }
        if (!decoded) return;
        expect(String.fromCharCode(body[index] as number)).toMatch(/[a-z]/);
        expect([shift, decoded.content.equals(content)]).toEqual([5, true]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('chunks', () => {
  const signed: Encoding = { signed: true };
  const unsigned: Encoding = { signed: false, trailers: [] };
  const bad: readonly (readonly [string, string, number, Encoding, string])[] = [
    ['with a size that is no number', 'g\r\nx\r\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['with a negative size', '-1\r\nx\r\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['with a size beyond any body', `${'f'.repeat(13)}\r\nx`, 1, unsigned, 'IncompleteBody'],
    ['with an empty size', '\r\nx\r\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['with an extension', '1;a=b\r\nx\r\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['with a header that never ends', '0'.repeat(300), 1, unsigned, 'IncompleteBody'],
    ['whose header ends in a bare line feed', '1\nx\r\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['whose data ends in a bare line feed', '1\r\nx\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['longer than their size', '1\r\nxy\r\n0\r\n\r\n', 1, unsigned, 'IncompleteBody'],
    ['without a signature where they are signed', '1\r\nx\r\n0\r\n\r\n', 1, signed, 'IncompleteBody'],
    ['with a short signature', `1;chunk-signature=${'a'.repeat(63)}\r\nx\r\n`, 1, signed, 'IncompleteBody'],
    [
      'with a wrong signature',
      `1;chunk-signature=${'a'.repeat(64)}\r\nx\r\n`,
      1,
      signed,
      'SignatureDoesNotMatch',
    ],
    [
      'with a wrong last signature',
      `0;chunk-signature=${'a'.repeat(64)}\r\n\r\n`,
      0,
      signed,
      'SignatureDoesNotMatch',
    ],
    [
      'with a trailer that is not of this form',
      '0\r\nnonsense\r\n\r\n',
      0,
      unsigned,
      'MalformedTrailerError',
    ],
    ['with a trailer without a name', '0\r\n:abc\r\n\r\n', 0, unsigned, 'MalformedTrailerError'],
    ['with a trailer line ended by a line feed, and no end', '0\r\na:b\n\r\n', 0, unsigned, 'IncompleteBody'],
    ['with a blank line that ends in a line feed', '0\r\na:b\r\n\n', 0, unsigned, 'MalformedTrailerError'],
    ['with a trailer twice', '0\r\na:b\r\nA:c\r\n\r\n', 0, unsigned, 'MalformedTrailerError'],
    ['with a trailer of 5 KiB', `0\r\na:${'b'.repeat(5000)}`, 0, unsigned, 'MalformedTrailerError'],
  ];

  test.each(bad)('%s are refused', (_, text, sizeBytes, encoding, code) => {
    expect(thrown(() => decode([Buffer.from(text, 'latin1')], sizeBytes, encoding)).code).toBe(code);
    const bytes = Array.from(Buffer.from(text, 'latin1'), (byte) => Buffer.from([byte]));
    expect(thrown(() => decode(bytes, sizeBytes, encoding)).code).toBe(code);
  });

  test('below 8 KiB are refused unless they are the last', () => {
    const small = encodeChunks(content, { signed: true, chunkBytes: 8191 });
    const error = thrown(() => decode([small], content.length, signed));
    expect(error.code).toBe('InvalidChunkSizeError');
    expect(error.extra).toEqual({ Chunk: '1', BadChunkSize: '8191' });
  });

  test('that are signed but out of order are refused', () => {
    const body = encodeChunks(content, { signed: true, chunkBytes: 8192 });
    const length = body.indexOf('\r\n') + 2 + 8192 + 2;
    const swapped = Buffer.concat([
      body.subarray(length, 2 * length),
      body.subarray(0, length),
      body.subarray(2 * length),
    ]);
    expect(thrown(() => decode([swapped], content.length, signed)).code).toBe('SignatureDoesNotMatch');
  });

  test.each([true, false])(
    'whose trailer ends in a line feed, as minio-go writes it, are read (signed: %s)',
    (signed) => {
      const format = { signed, trailers: crc };
      const body = encodeChunks(content, format).toString('latin1');
      const trailer = /(x-amz-checksum-crc32:\S+)\r\n/;
      expect(body).toMatch(trailer);
      const decodeText = (text: string) => decode([Buffer.from(text, 'latin1')], content.length, format);
      const decoded = decodeText(body.replace(trailer, '$1\n\r\n'));
      expect([decoded.content.equals(content), decoded.trailers]).toEqual([true, Object.fromEntries(crc)]);
      const late = '\r\nx-late:1';
      expect(thrown(() => decodeText(body.replace(trailer, '$1\n'))).code).toBe(
        signed ? 'MalformedTrailerError' : 'IncompleteBody',
      );
      expect(thrown(() => decodeText(body.replace(trailer, `$1\n\r\n${late}`))).code).toMatch(
        /^(Malformed|Incomplete)/,
      );
    },
  );

  test('whose trailer is not signed, or signed by another key, are refused', () => {
    const body = encodeChunks(content, { signed: true, trailers: crc }).toString('latin1');
    const format = { signed: true, trailers: crc };
    const unsignedTrailer = body.replace(/x-amz-trailer-signature:.*\r\n/, '');
    const changed = body.replace(/(x-amz-trailer-signature:).{4}/, '$10000');
    const otherValue = body.replace(/(x-amz-checksum-crc32:)../, '$1AA');
    const more = body.replace(/\r\n\r\n$/, '\r\nx-late:1\r\n\r\n');
    for (const [text, code] of [
      [unsignedTrailer, 'MalformedTrailerError'],
      [changed, 'SignatureDoesNotMatch'],
      [otherValue, 'SignatureDoesNotMatch'],
      [more, 'MalformedTrailerError'],
    ] as const) {
      const error = thrown(() => decode([Buffer.from(text, 'latin1')], content.length, format));
      expect(error.code).toBe(code);
    }
  });
});
