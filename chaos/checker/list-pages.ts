import type { Sight } from './operation.ts';

/** One page of a list as it was answered. */
export interface ListPage {
  readonly prefix: string;
  /** Keys after this one; '' for the beginning. */
  readonly after: string;
  readonly keys: readonly { readonly key: string; readonly etag: string }[];
  readonly isTruncated: boolean;
}

/** What a page says of a key: there, with this ETag, or absent. */
export interface KeySight {
  readonly key: string;
  readonly sight: Sight;
}

/**
 * What a page says of each of the keys that lie in its span: after where it begins, up to its last key if more follow. Spans of pages that
 * follow each other do not overlap, so that a key which is there all the while is named exactly once. Throws what is wrong with the page by itself.
 */
export function readPage(page: ListPage, keys: readonly string[]): KeySight[] {
  const { prefix, after, isTruncated } = page;
  const named = new Map<string, string>();
  let last = after;
  for (const { key, etag } of page.keys) {
    if (!key.startsWith(prefix)) throw new Error(`a list of ${prefix} names ${key}`);
    if (key <= last) throw new Error(`a list after ${after} names ${key} after ${last}`);
    if (!keys.includes(key)) throw new Error(`a list names ${key}, which nobody wrote`);
    named.set(key, etag);
    last = key;
  }
  if (isTruncated && page.keys.length === 0) throw new Error('a page without a key says that more follow');
  const isInSpan = (key: string) => key.startsWith(prefix) && key > after && (!isTruncated || key <= last);
  return keys.filter(isInSpan).map((key) => {
    const etag = named.get(key);
    return { key, sight: etag === undefined ? { kind: 'absent' } : { kind: 'etag', etag } };
  });
}
