import { createHash } from 'node:crypto';
import { Crc64Nvme as ReferenceCrc64 } from '@aws-sdk/crc64-nvme';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { combineCrcs } from '../../src/common/checksum-combine.ts';
import { createDigest, digestLengths, digestOf, isChecksumValue } from '../../src/common/checksums.ts';
import type { DigestName } from '../../src/common/object-meta.ts';

const check = Buffer.from('123456789');

describe('digests', () => {
  // The "check" values of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io/crc-catalogue).
  test.each<[DigestName, string]>([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
    ['MD5', createHash('md5').update(check).digest('hex')],
    ['SHA1', createHash('sha1').update(check).digest('hex')],
    ['SHA256', createHash('sha256').update(check).digest('hex')],
  ])('%s of the check string is the published value', (name, expected) => {
    expect(digestOf(name, check).toString('hex')).toBe(expected);
    expect(digestOf(name, check)).toHaveLength(digestLengths[name]);
  });

  test('the pieces in which bytes arrive make no difference', () => {
    const names = Object.keys(digestLengths) as DigestName[];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(fc.uint8Array({ maxLength: 40 })), (name, pieces) => {
        const digest = createDigest(name);
        for (const piece of pieces) digest.update(Buffer.from(piece));
        expect(digest.digest()).toEqual(digestOf(name, Buffer.concat(pieces)));
      }),
    );
  });

  test('CRC64NVME agrees with the AWS SDK on any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const reference = new ReferenceCrc64();
        reference.update(bytes);
        expect(digestOf('CRC64NVME', Buffer.from(bytes))).toEqual(Buffer.from(await reference.digest()));
      }),
    );
  });

  test('a checksum value is base64 of the right length and nothing else', () => {
    expect(isChecksumValue('CRC32', digestOf('CRC32', check).toString('base64'))).toBe(true);
    expect(isChecksumValue('CRC32', digestOf('SHA1', check).toString('base64'))).toBe(false);
    expect(isChecksumValue('CRC32', 'y/Q5Jg=')).toBe(false);
    expect(isChecksumValue('CRC32', '')).toBe(false);
  });
});

describe('combining CRCs', () => {
  test('gives the CRC of the concatenation', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('CRC32', 'CRC32C', 'CRC64NVME'),
        fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 6 }),
        (name, pieces) => {
          const crcs = pieces.map((piece) => ({
            crc: digestOf(name, Buffer.from(piece)),
            sizeBytes: piece.length,
          }));
          expect(combineCrcs(name, crcs)).toEqual(digestOf(name, Buffer.concat(pieces)));
        },
      ),
    );
  });

  test('ten thousand equal parts of 5 GiB each take no time to speak of', () => {
    const crc = digestOf('CRC64NVME', check);
    const started = performance.now();
    combineCrcs('CRC64NVME', Array(10_000).fill({ crc, sizeBytes: 5 * 2 ** 30 }));
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
