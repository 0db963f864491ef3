import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodePercent, encodeListed, encodePath } from '../../src/s3api/percent.ts';

test.each([
  // S3 API Reference, ListObjectsV2, EncodingType.
  ['test_file(3).png', 'test_file%283%29.png'],
  ['a b', 'a+b'],
  ['a+b', 'a%2Bb'],
  ['a/b*c-d.e_f', 'a/b*c-d.e_f'],
  ["~!'", '%7E%21%27'],
  ['é😀', '%C3%A9%F0%9F%98%80'],
  ['\u0001\n', '%01%0A'],
  ['100%', '100%25'],
])('a listed %j is written %s', (key, encoded) => {
  expect(encodeListed(key)).toBe(encoded);
});

test('listed names and paths can be read back, and hold nothing but printable ASCII', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      expect(decodePercent(encodeListed(text).replaceAll('+', ' '))).toBe(text);
      expect(decodePercent(encodePath(text))).toBe(text);
      expect(encodeListed(text)).toMatch(/^[!-~]*$/);
      expect(encodePath(text)).toMatch(/^[!-~]*$/);
    }),
  );
});
