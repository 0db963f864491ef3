import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeToken, encodeToken } from '../../src/s3api/continuation-token.ts';

describe('a continuation token', () => {
  test('leads back to the key it was made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), (key) => {
        expect(decodeToken(encodeToken(key))).toBe(key);
      }),
    );
  });

  test('stands in a query as it is', () => {
    expect(encodeToken('a key/with ?&=+')).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  test('that was changed anywhere leads nowhere', () => {
    const token = encodeToken('some/key');
    for (let i = 0; i < token.length; i++) {
      const other = token[i] === 'A' ? 'B' : 'A';
      expect(decodeToken(token.slice(0, i) + other + token.slice(i + 1))).toBeUndefined();
      expect(decodeToken(token.slice(0, i))).toBeUndefined();
    }
  });

  test('with anything added leads nowhere, even what a decoder of base64 passes over', () => {
    for (const added of ['=', '!', ' ', '\n', 'A']) {
      expect(decodeToken(encodeToken('some/key') + added)).toBeUndefined();
    }
  });

  test.each(['', 'x', 'some/key', 'AAAAAAAA', '*', '%'])('%j is none', (token) => {
    expect(decodeToken(token)).toBeUndefined();
  });
});
