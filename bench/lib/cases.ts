/** What is asked, over and over. `miss`: every key once, so that nothing of it is in the cache. */
export type Kind = 'get' | 'range' | 'miss' | 'put' | 'list';

export interface Case {
  readonly name: string;
  readonly kind: Kind;
  readonly sizeBytes: number;
  readonly keys: number;
  readonly connections: number;
  /** Of a range request. */
  readonly rangeBytes?: number;
}

const kib = 1024;
const mib = 1024 * kib;

export const cases: readonly Case[] = [
  { name: 'get-4k-hot', kind: 'get', sizeBytes: 4 * kib, keys: 1000, connections: 16 },
  {
    name: 'range-64k-hot',
    kind: 'range',
    sizeBytes: 16 * mib,
    keys: 8,
    connections: 8,
    rangeBytes: 64 * kib,
  },
  { name: 'get-1m-hot', kind: 'get', sizeBytes: mib, keys: 16, connections: 4 },
  { name: 'get-64m-hot', kind: 'get', sizeBytes: 64 * mib, keys: 2, connections: 2 },
  { name: 'get-4k-miss', kind: 'miss', sizeBytes: 4 * kib, keys: 3000, connections: 8 },
  { name: 'get-64m-miss', kind: 'miss', sizeBytes: 64 * mib, keys: 12, connections: 1 },
  { name: 'put-4k', kind: 'put', sizeBytes: 4 * kib, keys: 200, connections: 8 },
  { name: 'put-1m', kind: 'put', sizeBytes: mib, keys: 16, connections: 4 },
  { name: 'list-1000', kind: 'list', sizeBytes: 16, keys: 1000, connections: 4 },
];

export function keyOf(index: number): string {
  return `object-${String(index).padStart(5, '0')}`;
}

/** The body of an object: its key again and again, so that a mixed-up answer would differ. */
export function bodyOf({ sizeBytes }: Case, index: number): Buffer {
  return Buffer.alloc(sizeBytes, `${keyOf(index)} `);
}
