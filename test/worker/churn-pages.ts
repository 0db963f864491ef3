import type { PageKey } from '../../src/worker/page-store.ts';

/** More pages than fit, so that each write pushes others out. */
export const churnKeys = 60;

export function churnKey(number: number): PageKey {
  return {
    incarnation: 'mount',
    path: `key-${number}`,
    generation: 'g',
    pageSizeBytes: 100_000,
    pageIndex: 0,
  };
}

/** Every other page is large enough to be lent. */
export function lengthOf(number: number): number {
  return number % 2 === 0 ? 70_000 + number * 8 : 1000 + number * 8;
}

export function churnPage(number: number): Buffer {
  return Buffer.alloc(lengthOf(number), `page ${String(number).padStart(3, '0')} `);
}

const expected = Array.from({ length: churnKeys }, (_, number) => churnPage(number));

export function isChurnPage(number: number, bytes: Buffer): boolean {
  return expected[number]?.equals(bytes) ?? false;
}
