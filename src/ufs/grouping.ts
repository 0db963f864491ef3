import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListedPrefix } from './backend.ts';

/** What a list asks for; see `ListOptions` for the meaning of each. */
export interface Grouping {
  readonly prefix: string;
  readonly delimiter?: string;
  readonly after?: string;
  readonly limit: number;
}

/**
 * Items in UTF-8 byte order of key. An item may also be a common prefix that stands for all keys below it (kind `prefix`,
 * ends with the delimiter), where the source can tell without looking at each.
 */
export interface KeyCursor<Item extends { readonly key: string }> {
  /** The first item with a key ≥ `from`, undefined where there is none. `from` never goes back. */
  seek(from: string): Promise<Item | ListedPrefix | undefined>;
  /** The item behind the one given last. */
  next(): Promise<Item | ListedPrefix | undefined>;
}

export interface GroupedPage<Item> {
  readonly entries: (Item | ListedPrefix)[];
  readonly truncated: boolean;
}

/** Folds ordered keys into one page of objects and common prefixes. */
export async function groupPage<Item extends { readonly key: string }>(
  cursor: KeyCursor<Item>,
  grouping: Grouping,
): Promise<GroupedPage<Item>> {
  const entries: (Item | ListedPrefix)[] = [];
  const start = firstKey(grouping);
  let item = start === undefined ? undefined : await cursor.seek(start);
  while (item?.key.startsWith(grouping.prefix)) {
    if (entries.length === grouping.limit) return { entries, truncated: true };
    const folded = commonPrefixOf(item.key, grouping.prefix, grouping.delimiter);
    if (folded === undefined) {
      entries.push(item);
      item = await cursor.next();
      continue;
    }
    entries.push({ kind: 'prefix', key: folded });
    const behind = keyBehindPrefix(folded);
    item = behind === undefined ? undefined : await cursor.seek(behind);
  }
  return { entries, truncated: false };
}

/** The part of `key` up to and with the first delimiter behind the prefix; undefined if the key stands for itself. */
export function commonPrefixOf(
  key: string,
  prefix: string,
  delimiter: string | undefined,
): string | undefined {
  if (!delimiter) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The least string greater than every string that starts with `prefix`; undefined if there is none. */
export function keyBehindPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) as number;
    if (point === 0x10ffff) continue;
    // The code points U+D800–U+DFFF are no characters.
    return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
}

/** Where the page begins: everything before folds into entries that are not after `after`. */
function firstKey({ prefix, delimiter, after }: Grouping): string | undefined {
  if (after === undefined || compareUtf8(after, prefix) < 0) return prefix;
  if (!after.startsWith(prefix)) return undefined;
  const folded = commonPrefixOf(after, prefix, delimiter);
  return folded === undefined ? `${after}\0` : keyBehindPrefix(folded);
}

/** A cursor over items that are at hand, sorted. */
export class ArrayCursor<Item extends { readonly key: string }> implements KeyCursor<Item> {
  private readonly items: readonly Item[];
  private index = 0;

  constructor(items: readonly Item[]) {
    this.items = items;
  }

  async seek(from: string): Promise<Item | undefined> {
    this.index = lowerBound(this.items.length, (i) => compareUtf8((this.items[i] as Item).key, from) < 0);
    return this.items[this.index];
  }

  async next(): Promise<Item | undefined> {
    this.index++;
    return this.items[this.index];
  }
}

/** The first index in [0, count) for which `isBefore` is false, given that it is true of a beginning of them only. */
export function lowerBound(count: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
