import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { contentRange, parseCopySourceRange, parseRange } from '../../src/s3api/range.ts';

describe('the Range header', () => {
  // RFC 9110, 14.1.2: the examples for a representation of 10,000 bytes.
  test.each([
    ['bytes=0-499', 0, 500],
    ['bytes=500-999', 500, 1000],
    ['bytes=-500', 9500, 10_000],
    ['bytes=9500-', 9500, 10_000],
    ['bytes=0-0', 0, 1],
    ['bytes=9999-9999', 9999, 10_000],
    ['bytes=0-', 0, 10_000],
    ['bytes=0-10000', 0, 10_000],
    ['bytes=5-99999999999999999999', 5, 10_000],
    ['bytes=-10000', 0, 10_000],
    ['bytes=-10001', 0, 10_000],
    ['bytes=-99999999999999999999', 0, 10_000],
    ['BYTES=1-2', 1, 3],
    [' bytes=1-2 ', 1, 3],
  ])('%s of 10,000 bytes is [%d, %d)', (header, start, end) => {
    expect(parseRange(header, 10_000)).toEqual({ start, end });
  });

  test.each([
    'bytes=0-0,-1',
    'bytes=0-1,5-6',
    'bytes=5-2',
    'bytes=-',
    'bytes=',
    'bytes',
    'items=0-5',
    'bytes=a-b',
    '',
  ])('%j is ignored', (header) => {
    expect(parseRange(header, 10_000)).toBeUndefined();
  });

  test('without it the whole object is meant', () => {
    expect(parseRange(undefined, 10_000)).toBeUndefined();
  });

  test.each([
    ['bytes=10000-', 10_000],
    ['bytes=10000-10001', 10_000],
    ['bytes=-0', 10_000],
    ['bytes=0-', 0],
    ['bytes=0-0', 0],
    ['bytes=-5', 0],
    ['bytes=99999999999999999999-', 10_000],
    ['bytes=99999999999999999999-99999999999999999999', 10_000],
    [`bytes=${'9'.repeat(400)}-`, 10_000],
  ])('%s of %d bytes cannot be had', (header, sizeBytes) => {
    expect(() => parseRange(header, sizeBytes)).toThrow(
      expect.objectContaining({
        code: 'InvalidRange',
        status: 416,
        extra: { RangeRequested: header, ActualObjectSize: String(sizeBytes) },
        headers: { 'content-range': `bytes */${sizeBytes}` },
      }),
    );
  });

  test('whatever is taken lies within the object, is not empty, and is written back as it was asked for', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(5000), fc.integer({ min: 1, max: 6000 }), (first, more, sizeBytes) => {
        fc.pre(first < sizeBytes);
        const range = parseRange(`bytes=${first}-${first + more}`, sizeBytes);
        expect(range).toEqual({ start: first, end: Math.min(first + more + 1, sizeBytes) });
        if (range === undefined) return;
        const last = Math.min(first + more, sizeBytes - 1);
        expect(contentRange(range, sizeBytes)).toBe(`bytes ${first}-${last}/${sizeBytes}`);
      }),
    );
  });
});

describe('x-amz-copy-source-range', () => {
  test('is taken strictly', () => {
    expect(parseCopySourceRange('bytes=0-9', 10)).toEqual({ start: 0, end: 10 });
    expect(parseCopySourceRange('bytes=3-3', 10)).toEqual({ start: 3, end: 4 });
  });

  test.each(['bytes=0-10', 'bytes=0-', 'bytes=-5', 'bytes=5-4', 'bytes=0-1,3-4', '0-5', 'bytes=0-5 ', ''])(
    '%j of ten bytes is an invalid argument',
    (header) => {
      expect(() => parseCopySourceRange(header, 10)).toThrow(
        expect.objectContaining({ code: 'InvalidArgument' }),
      );
    },
  );

  test('behind the last byte is an invalid request', () => {
    expect(() => parseCopySourceRange('bytes=10-20', 10)).toThrow(
      expect.objectContaining({ code: 'InvalidRequest' }),
    );
  });
});
