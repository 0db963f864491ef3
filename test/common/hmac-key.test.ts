import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HmacKey } from '../../src/common/hmac-key.ts';

describe('an HMAC key', () => {
  test.each([
    // RFC 4231, 4.2 to 4.5, whose texts are ASCII or bytes.
    ['0b'.repeat(20), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      '4a656665',
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['aa'.repeat(20), '\xdd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      '0102030405060708090a0b0c0d0e0f10111213141516171819',
      '\xcd'.repeat(50),
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    ],
  ])('signs what RFC 4231 signs: key %s', (key, text, expected) => {
    expect(new HmacKey(Buffer.from(key, 'hex')).hex(text)).toBe(expected);
  });

  test('signs as createHmac does, whatever was signed before, with texts of every length', () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
    fc.assert(
      fc.property(bytes(64), fc.array(bytes(1200), { minLength: 1, maxLength: 4 }), (key, texts) => {
        const hmac = new HmacKey(key);
        for (const text of texts) {
          const expected = createHmac('sha256', key).update(text).digest('hex');
          expect(hmac.hex(Buffer.from(text).toString('latin1'))).toBe(expected);
        }
      }),
    );
  });

  test('of more than a block is refused', () => {
    expect(() => new HmacKey(Buffer.alloc(65))).toThrow(RangeError);
  });
});
