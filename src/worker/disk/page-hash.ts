import { hash } from 'node:crypto';
import type { PageKey } from '../page-store.ts';

/** Two words that stand for one version of one object, all of its pages alike. Words are signed 32-bit integers. */
export type VersionHash = readonly [number, number];

/** 128 bits that stand for a page: its version's two words, and two for its place in it. */
export type PageHash = readonly [version0: number, version1: number, page0: number, page1: number];

/**
 * Hashes of page keys. The words come from SHA-256, so that nobody finds two keys with one hash by chance; what they name is compared
 * in full all the same whenever it is read. Pages of one version differ in a permutation of their number, so that they never collide
 * with each other, and hashing them costs next to nothing after the first.
 */
export class PageHasher {
  private incarnation = '';
  private generation = '';
  private path = '';
  private words: readonly number[] = [0, 0, 0, 0];

  page(key: PageKey): PageHash {
    this.digest(key.incarnation, key.path, key.generation);
    const [version0, version1, seed0, seed1] = this.words as [number, number, number, number];
    const page0 = mix(seed0 + key.pageIndex);
    return [version0, version1, page0, mix(seed1 ^ page0 ^ Math.imul(key.pageSizeBytes >>> 10, 0x9e3779b1))];
  }

  version(incarnation: string, path: string, generation: string): VersionHash {
    this.digest(incarnation, path, generation);
    return [this.words[0] as number, this.words[1] as number];
  }

  /** One word for all versions of an object. Not 0. */
  path32(incarnation: string, path: string): number {
    return wordsOf(hash('sha256', `${incarnation}\0${path}`, 'latin1'))[0] || 1;
  }

  /** The last version is remembered, since a read asks for the same one several times. */
  private digest(incarnation: string, path: string, generation: string): void {
    if (path === this.path && generation === this.generation && incarnation === this.incarnation) return;
    this.words = wordsOf(hash('sha256', `${incarnation}\0${generation}\0${path}`, 'latin1'));
    this.incarnation = incarnation;
    this.generation = generation;
    this.path = path;
  }
}

/** The first sixteen bytes as words. As text of one byte a character a digest costs a quarter of what it costs as a Buffer. */
function wordsOf(digest: string): [number, number, number, number] {
  const word = (at: number) =>
    digest.charCodeAt(at) |
    (digest.charCodeAt(at + 1) << 8) |
    (digest.charCodeAt(at + 2) << 16) |
    (digest.charCodeAt(at + 3) << 24);
  return [word(0), word(4), word(8), word(12)];
}

/** The finalizer of MurmurHash3: a permutation of 32-bit words in which every bit of the input moves every bit of the output. */
export function mix(word: number): number {
  let mixed = word | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
