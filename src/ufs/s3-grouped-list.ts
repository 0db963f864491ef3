import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListEntry, ListOptions, ListPage } from './backend.ts';
import { groupPage, type KeyCursor, lowerBound } from './grouping.ts';

/** One page of a list without delimiter: the entries behind `after`. */
type PlainPage = (after: string | undefined) => Promise<ListPage>;

/**
 * A page of a list whose delimiter the storage does not take, made of its lists without one. What a common prefix hides is passed over, not
 * read, so that an entry costs one request at most beside those for what is listed.
 */
export function listGrouped(options: ListOptions, plain: PlainPage): Promise<ListPage> {
  return groupPage(new ListedKeys(plain), options);
}

class ListedKeys implements KeyCursor<ListEntry> {
  readonly #plain: PlainPage;
  #entries: readonly ListEntry[] = [];
  #index = 0;
  #truncated = true;

  constructor(plain: PlainPage) {
    this.#plain = plain;
  }

  async seek(from: string): Promise<ListEntry | undefined> {
    const before = (at: number) => compareUtf8((this.#entries[at] as ListEntry).key, from) < 0;
    this.#index = lowerBound(this.#entries.length, before);
    if (this.#index < this.#entries.length) return this.#entries[this.#index];
    if (!this.#truncated) return undefined;
    await this.#load(keyBefore(from));
    let entry = this.#entries[0];
    while (entry !== undefined && compareUtf8(entry.key, from) < 0) entry = await this.next();
    return entry;
  }

  async next(): Promise<ListEntry | undefined> {
    const last = this.#entries[this.#index++];
    if (this.#index < this.#entries.length || last === undefined) return this.#entries[this.#index];
    if (!this.#truncated) return undefined;
    await this.#load(last.key);
    return this.#entries[0];
  }

  async #load(after: string | undefined): Promise<void> {
    const { entries, truncated } = await this.#plain(after);
    this.#entries = entries;
    this.#truncated = truncated;
    this.#index = 0;
  }
}

/** A text before `key` with as little as can be between them; undefined where there is none. */
function keyBefore(key: string): string | undefined {
  const points = Array.from(key);
  const last = points.pop()?.codePointAt(0);
  if (last === undefined) return undefined;
  const rest = points.join('');
  if (last === 0) return rest || undefined;
  // The code points U+D800–U+DFFF are no characters.
  return `${rest}${String.fromCodePoint(last === 0xe000 ? 0xd7ff : last - 1)}\u{10ffff}`;
}
