import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCacheControl } from '../../src/s3api/cache-control.ts';

const none = { revalidate: false, noStore: false, onlyIfCached: false };

test.each([
  [undefined, none],
  ['', none],
  ['no-cache', { ...none, revalidate: true }],
  ['No-Cache', { ...none, revalidate: true }],
  ['no-store', { ...none, noStore: true }],
  ['only-if-cached', { ...none, onlyIfCached: true }],
  ['max-age=5', { ...none, maxAgeMs: 5000 }],
  ['max-age=05', { ...none, maxAgeMs: 5000 }],
  ['max-age="5"', { ...none, maxAgeMs: 5000 }],
  ['max-age=0', { ...none, revalidate: true }],
  ['max-age=00', { ...none, revalidate: true }],
  ['max-age=99999999999999999999', { ...none, maxAgeMs: 2_147_483_648_000 }],
  [
    ' no-transform ,\tno-store,max-age=7 , only-if-cached',
    { ...none, noStore: true, onlyIfCached: true, maxAgeMs: 7000 },
  ],
  // The stricter of two counts (RFC 9111, 4.2.1).
  ['max-age=9, max-age=3, max-age=6', { ...none, maxAgeMs: 3000 }],
  ['no-cache, max-age=9', { ...none, revalidate: true }],
  // What is malformed, or not known, is passed over and takes nothing else with it.
  ['max-age', none],
  ['max-age=', none],
  ['max-age=-1', none],
  ['max-age=1.5', none],
  ['max-age=0x0', none],
  ['max-age = 0', none],
  ['max-age=abc, no-store', { ...none, noStore: true }],
  ['no cache', none],
  ['no-cache-at-all, xno-cache, no-stores', none],
  ['@@, ,, no-store', { ...none, noStore: true }],
  ['public, max-stale=0, min-fresh=9, stale-if-error', none],
  ['x="no-cache, no-store", only-if-cached', { ...none, onlyIfCached: true }],
  ['x="a\\", no-store", no-cache', { ...none, revalidate: true }],
])('a request with Cache-Control %p accepts %j', (header, expected) => {
  expect(parseCacheControl(header)).toEqual(expected);
});

test('any text is read in one pass and without error', () => {
  const piece = fc.constantFrom('no-cache', 'max-age=', '"', ',', '\\', ' ', '=', '9', 'x');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const header = pieces.join('');
      // A directive that stands alone behind it is found, unless a quoted string was left open.
      const { noStore } = parseCacheControl(`${header},no-store`);
      if (!header.includes('"')) expect(noStore).toBe(true);
    }),
  );
  const started = performance.now();
  for (const part of ['x="', '"\\', 'a=', ', ', 'max-age='])
    parseCacheControl(part.repeat(1_600_000 / part.length));
  expect(performance.now() - started).toBeLessThan(10_000);
});
