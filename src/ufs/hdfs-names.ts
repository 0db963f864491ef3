import { compareUtf8 } from '../common/utf8-order.ts';
import type { HdfsListing, HdfsStatus } from './hdfs-client.ts';

/** What is left of a directory to be looked at, in the storage's order. */
interface Rest {
  /** What was given of it and not used yet. */
  readonly entries: HdfsStatus[];
  /** More follow behind this name; undefined: from the beginning. */
  readonly after: string | undefined;
  readonly hasMore: boolean;
}

/** Names that begin with `prefix` are given in two passes: with an ASCII character behind it, or none, and then the others. */
interface Pass {
  readonly prefix: string;
  others: boolean;
  /** Where it goes on behind all of them, once that is known. */
  behind?: Rest;
}

/** Behind nearly every name that goes on with a character other than ASCII, and before those that go on with one. */
const behindOthers = '\u{10ffff}'.repeat(4);
const behindAll = '\x7f'.repeat(8);

/**
 * The entries of a directory in UTF-8 byte order of their names, without holding more of them than a few pages.
 *
 * HDFS orders names by signed bytes (INode.compareTo), so that every character beyond ASCII comes before all of ASCII, and after the end of
 * the name. Where names that share a prefix go on in both ways, those that go on in ASCII are therefore looked up first.
 */
export class HdfsNames {
  readonly #list: (after: string | undefined) => Promise<HdfsListing>;
  readonly #from: string;
  readonly #passes: Pass[] = [];
  #rest: Rest;
  /** So many entries of the rest are in order already. */
  #sorted = 0;
  /** Names that begin so were given. */
  #done: string | undefined;

  /** `list` gives entries behind a name in the storage's order. Gives none before `from`. */
  constructor(list: (after: string | undefined) => Promise<HdfsListing>, from: string) {
    this.#list = list;
    this.#from = from;
    const points = Array.from(from);
    for (const [i, point] of points.entries()) {
      this.#passes.push({ prefix: points.slice(0, i).join(''), others: !isAscii(point) });
    }
    this.#rest = { entries: [], after: justBefore(points), hasMore: true };
  }

  async next(): Promise<HdfsStatus | undefined> {
    for (;;) {
      const entry = await this.#peek();
      if (entry && this.#sorted > 0) return this.#take();
      const top = this.#passes.at(-1);
      if (top && this.#turns(top, entry)) continue;
      if (!entry) return undefined;
      const name = entry.pathSuffix;
      if (compareUtf8(name, this.#from) < 0 || (this.#done !== undefined && name.startsWith(this.#done))) {
        this.#drop();
        continue;
      }
      const prefix = prefixBeforeOther(name, settledLength(top, name));
      if (prefix === undefined) return this.#take();
      if (this.#sort(prefix)) continue;
      this.#passes.push({ prefix, others: false });
      this.#jump(prefix + behindOthers);
    }
  }

  /** Whether the pass went on without this entry. */
  #turns(pass: Pass, entry: HdfsStatus | undefined): boolean {
    const { prefix } = pass;
    const isInside = entry?.pathSuffix.startsWith(prefix) ?? false;
    const isOther = isInside && !isAscii(entry?.pathSuffix.slice(prefix.length) ?? '');
    if (!pass.others) {
      if (!isInside) {
        pass.others = true;
        pass.behind = this.#rest;
        this.#jump(prefix === '' ? undefined : prefix);
      } else if (isOther) this.#drop();
      return !isInside || isOther;
    }
    if (isOther) return false;
    this.#passes.pop();
    if (pass.behind) this.#rest = pass.behind;
    else if (isInside) {
      this.#done = prefix;
      this.#jump(prefix + behindAll);
    }
    return true;
  }

  /** Puts the entries that begin so in order, if all of them are here. */
  #sort(prefix: string): boolean {
    const { entries, hasMore } = this.#rest;
    let count = entries.findIndex(({ pathSuffix }) => !pathSuffix.startsWith(prefix));
    if (count < 0) {
      if (hasMore) return false;
      count = entries.length;
    }
    const group = entries.slice(0, count).sort((a, b) => compareUtf8(a.pathSuffix, b.pathSuffix));
    const inOrder = group.filter(({ pathSuffix }) => compareUtf8(pathSuffix, this.#from) >= 0);
    this.#rest = { ...this.#rest, entries: [...inOrder, ...entries.slice(count)] };
    this.#sorted = inOrder.length;
    return true;
  }

  async #peek(): Promise<HdfsStatus | undefined> {
    while (this.#rest.entries.length === 0 && this.#rest.hasMore) {
      const { entries, hasMore } = await this.#list(this.#rest.after);
      const last = entries.at(-1)?.pathSuffix;
      this.#rest = { entries: [...entries], after: last, hasMore: hasMore && last !== undefined };
    }
    return this.#rest.entries[0];
  }

  #take(): HdfsStatus {
    if (this.#sorted > 0) this.#sorted--;
    return this.#rest.entries.shift() as HdfsStatus;
  }

  #drop(): void {
    this.#rest.entries.shift();
  }

  #jump(after: string | undefined): void {
    this.#rest = { entries: [], after, hasMore: true };
  }
}

/** A name in the storage's order before the one with these characters, with little in between. */
function justBefore(points: readonly string[]): string | undefined {
  const last = points.at(-1);
  if (last === undefined) return undefined;
  const prefix = points.slice(0, -1).join('');
  const code = last.codePointAt(0) as number;
  if (code > 1 && code < 0x80) return prefix + String.fromCodePoint(code - 1) + behindAll;
  if (code <= 1) return prefix + behindOthers;
  if (code === 0x80) return prefix === '' ? undefined : prefix;
  return prefix + String.fromCodePoint(code === 0xe000 ? 0xd7ff : code - 1) + behindAll;
}

/** Of the end of a name too, which comes first in either order. */
function isAscii(text: string): boolean {
  return text === '' || text.charCodeAt(0) < 0x80;
}

/** How much of a name is in order by the passes alone. */
function settledLength(top: Pass | undefined, name: string): number {
  if (!top) return 0;
  const length = top.prefix.length;
  return top.others ? length + String.fromCodePoint(name.codePointAt(length) as number).length : length;
}

/** What lies before the first character beyond ASCII from `start` on; undefined if there is none. */
function prefixBeforeOther(name: string, start: number): string | undefined {
  for (let at = start; at < name.length; at++) {
    if (name.charCodeAt(at) >= 0x80) return name.slice(0, at);
  }
  return undefined;
}

/** Compares names as the storage orders them. */
export function compareStored(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    if (x < 0x80 !== y < 0x80) return x < 0x80 ? 1 : -1;
    return compareUtf8(a.slice(at), b.slice(at));
  }
  return a.length - b.length;
}
