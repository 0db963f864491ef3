import { compareUtf8 } from '../common/utf8-order.ts';
import type { Backend, ListEntry, ListOptions, ListPage } from '../ufs/backend.ts';

/** One backend that holds a part of a bucket's keys. */
export interface ListSource {
  readonly backend: Pick<Backend, 'list'>;
  /** Stands before every key of this source in the bucket ('' or ending with `/`). */
  readonly bucketPrefix: string;
  /** Stands before every key of this source at its backend. */
  readonly pathPrefix: string;
  /** Prefixes inside this source that a nested mount holds: what the source has below them is hidden. */
  readonly hidden: readonly string[];
}

const pageLimit = 1000;
/** The greatest character of all, to step over what starts with a prefix. */
const last = '\u{10FFFF}';

/**
 * One page of a bucket's keys over all the mounts that hold them, in UTF-8 byte order, with `Backend.list`'s meaning of prefix,
 * delimiter and after. Each source is read page by page and only as far as the answer reaches.
 */
export async function listMerged(sources: readonly ListSource[], options: ListOptions): Promise<ListPage> {
  const relevant = sources.filter(
    (source) =>
      source.bucketPrefix.startsWith(options.prefix) || options.prefix.startsWith(source.bucketPrefix),
  );
  const cursors = relevant.map((source) => new SourceCursor(source, options));
  const entries: ListEntry[] = [];
  for (;;) {
    // A full page of a source ends with the word that more follows: it need not be asked what.
    if (entries.length === options.limit && cursors.some((cursor) => cursor.surelyGoesOn)) {
      return { entries, truncated: true };
    }
    const next = await smallest(cursors);
    if (!next) return { entries, truncated: false };
    if (entries.length === options.limit) return { entries, truncated: true };
    entries.push(next);
    for (const cursor of cursors) {
      const head = await cursor.peek();
      if (head && head.key === next.key) cursor.advance();
    }
  }
}

/** Where to go on behind a key that is hidden: behind all that is hidden with it, but never back, whatever the key is made of. */
function behind(hiddenBy: string, key: string): string {
  const end = hiddenBy + last;
  return compareUtf8(end, key) > 0 ? end : key;
}

async function smallest(cursors: readonly SourceCursor[]): Promise<ListEntry | undefined> {
  let found: ListEntry | undefined;
  for (const cursor of cursors) {
    const head = await cursor.peek();
    if (head && (!found || compareUtf8(head.key, found.key) < 0)) found = head;
  }
  return found;
}

/** The visible entries of one source from `after` on, in order, as keys of the bucket. */
class SourceCursor {
  readonly #source: ListSource;
  readonly #options: ListOptions;
  /** The common prefix that every key of the source folds into, if the delimiter lies in the mount's own prefix. */
  readonly #foldsInto: string | undefined;
  /** True if the delimiter could straddle the border of the mount's prefix, which the backend does not see. */
  readonly #foldsHere: boolean;
  #buffer: ListEntry[] = [];
  #position = 0;
  #after: string | undefined;
  #exhausted = false;
  #hasLoaded = false;
  #lastFold: string | undefined;

  constructor(source: ListSource, options: ListOptions) {
    this.#source = source;
    this.#options = options;
    this.#foldsInto = foldOfPrefix(source.bucketPrefix, options);
    this.#foldsHere =
      (options.delimiter?.length ?? 0) > 1 && source.bucketPrefix.length > options.prefix.length;
    this.#after = options.after;
  }

  async peek(): Promise<ListEntry | undefined> {
    while (this.#position === this.#buffer.length && !this.#exhausted) await this.#load();
    return this.#buffer[this.#position];
  }

  advance(): void {
    this.#position++;
  }

  /** True if another entry is known to follow, whatever it is. */
  get surelyGoesOn(): boolean {
    if (this.#position < this.#buffer.length) return true;
    const isPlain = this.#source.hidden.length === 0 && !this.#foldsHere && this.#foldsInto === undefined;
    return isPlain && this.#hasLoaded && !this.#exhausted;
  }

  async #load(): Promise<void> {
    this.#buffer = [];
    this.#position = 0;
    if (this.#foldsInto !== undefined) {
      this.#exhausted = true;
      const passed =
        this.#options.after !== undefined && compareUtf8(this.#foldsInto, this.#options.after) <= 0;
      if (!passed && (await this.#anyVisible(this.#source.bucketPrefix))) {
        this.#buffer.push({ kind: 'prefix', key: this.#foldsInto });
      }
      return;
    }
    const limit = Math.min(this.#options.limit + 1, pageLimit);
    const prefix = longer(this.#options.prefix, this.#source.bucketPrefix);
    const page = await this.#list(
      prefix,
      this.#foldsHere ? undefined : this.#options.delimiter,
      this.#after,
      limit,
    );
    this.#exhausted = !page.truncated;
    this.#hasLoaded = true;
    for (const entry of page.entries) {
      this.#after = entry.key;
      const fold = this.#foldsHere ? foldOf(entry.key, this.#options) : undefined;
      if (fold !== undefined) {
        this.#pushFold(fold);
        continue;
      }
      const hiddenBy = this.#hiddenBy(entry.key);
      if (hiddenBy !== undefined) {
        this.#after = behind(hiddenBy, entry.key);
        continue;
      }
      if (entry.kind === 'prefix' && this.#mayBeAllHidden(entry.key) && !(await this.#anyVisible(entry.key)))
        continue;
      this.#buffer.push(entry);
    }
  }

  #pushFold(fold: string): void {
    const passed = this.#options.after !== undefined && compareUtf8(fold, this.#options.after) <= 0;
    if (passed || this.#lastFold === fold) return;
    this.#lastFold = fold;
    this.#buffer.push({ kind: 'prefix', key: fold });
  }

  /** Whether the source has a key under the prefix that no nested mount hides. */
  async #anyVisible(prefix: string): Promise<boolean> {
    let after: string | undefined;
    for (;;) {
      const page = await this.#list(prefix, undefined, after, this.#source.hidden.length === 0 ? 1 : 100);
      for (const entry of page.entries) {
        const hiddenBy = this.#hiddenBy(entry.key);
        if (hiddenBy === undefined) return true;
        after = behind(hiddenBy, entry.key);
      }
      if (!page.truncated) return false;
    }
  }

  /** `Backend.list` in the bucket's keys. */
  async #list(
    prefix: string,
    delimiter: string | undefined,
    after: string | undefined,
    limit: number,
  ): Promise<ListPage> {
    const { backend, bucketPrefix, pathPrefix } = this.#source;
    let pathAfter: string | undefined;
    if (after?.startsWith(bucketPrefix)) {
      pathAfter = pathPrefix + after.slice(bucketPrefix.length);
    } else if (after !== undefined && compareUtf8(after, bucketPrefix) > 0) {
      return { entries: [], truncated: false };
    }
    const page = await backend.list({
      prefix: pathPrefix + prefix.slice(bucketPrefix.length),
      delimiter,
      after: pathAfter,
      limit,
      signal: this.#options.signal,
    });
    const toBucket = (key: string) => bucketPrefix + key.slice(pathPrefix.length);
    return {
      entries: page.entries.map((entry) => ({ ...entry, key: toBucket(entry.key) })),
      truncated: page.truncated,
    };
  }

  #hiddenBy(key: string): string | undefined {
    return this.#source.hidden.find((hidden) => key.length > hidden.length && key.startsWith(hidden));
  }

  #mayBeAllHidden(prefix: string): boolean {
    return this.#source.hidden.some((hidden) => hidden.startsWith(prefix));
  }
}

function longer(a: string, b: string): string {
  return a.length >= b.length ? a : b;
}

/** The common prefix that a key folds into, if any. */
function foldOf(key: string, options: ListOptions): string | undefined {
  if (options.delimiter === undefined) return undefined;
  const at = key.indexOf(options.delimiter, options.prefix.length);
  return at < 0 ? undefined : key.slice(0, at + options.delimiter.length);
}

function foldOfPrefix(bucketPrefix: string, options: ListOptions): string | undefined {
  return bucketPrefix.length > options.prefix.length ? foldOf(bucketPrefix, options) : undefined;
}
