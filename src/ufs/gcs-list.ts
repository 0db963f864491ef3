import type { ChecksumAlgorithm } from '../common/object-meta.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListEntry, ListOptions, ListPage } from './backend.ts';
import { type GcsConnection, type GcsRequest, jsonOf } from './gcs-connection.ts';
import { objectsPath } from './gcs-names.ts';
import { type GcsObject, metaOf, objectFields } from './gcs-object.ts';
import { type GcsPlace, hiddenPrefix } from './gcs-place.ts';
import { commonPrefixOf, keyBehindPrefix } from './grouping.ts';
import { ListProgress } from './s3-list-progress.ts';

interface ObjectsPage {
  readonly items?: readonly GcsObject[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

/** Keys from `start` on, and before `end` if there is one. */
interface Span {
  readonly start: string | undefined;
  readonly end?: string;
}

/** Cloud Storage gives so many entries a request at most ("Objects: list", maxResults). */
const maxEntries = 1_000;

/** The first key behind all hidden ones. */
const behindHidden = keyBehindPrefix(hiddenPrefix) as string;

/** Lists of objects, which Cloud Storage gives in the order of their names' bytes ("Objects: list"). */
export class GcsLister {
  readonly #connection: GcsConnection;
  readonly #place: GcsPlace;

  constructor(connection: GcsConnection, place: GcsPlace) {
    this.#connection = connection;
    this.#place = place;
  }

  async list(options: ListOptions): Promise<ListPage> {
    const { after, limit } = options;
    const entries: ListEntry[] = [];
    for (const span of spansOf(options)) {
      // One more than is wanted tells whether another follows, and one may be the marker itself.
      const wanted = () => limit - entries.length + (entries.length === 0 ? 2 : 1);
      for await (const entry of this.#entries(options, span, wanted)) {
        if (after !== undefined && compareUtf8(entry.key, after) <= 0) continue;
        // A common prefix may begin before what is hidden and go on behind it.
        if (entry.key === entries.at(-1)?.key) continue;
        if (entries.length === limit) return { entries, truncated: true };
        entries.push(entry);
      }
    }
    return { entries, truncated: false };
  }

  /** All of a span, in pages of as many as are `wanted` then. */
  async *#entries(
    options: ListOptions,
    span: Span,
    wanted: () => number,
  ): AsyncGenerator<ListEntry, void, undefined> {
    const progress = new ListProgress(this.#place.uri, 'objects.list', options.prefix);
    let pageToken: string | undefined;
    let { start } = span;
    for (;;) {
      const page = await this.#page(options, { ...span, start }, pageToken, wanted());
      const found = this.#entriesOf(page);
      const hidden = found.find(({ key }) => key.startsWith(hiddenPrefix));
      yield* found.filter(({ key }) => !key.startsWith(hiddenPrefix));
      if (!page.nextPageToken) return;
      const last = found.at(-1)?.key;
      if (hidden && last?.startsWith(hiddenPrefix)) {
        // There may be thousands of them, of which nobody wants to know.
        start = behindHidden;
        pageToken = undefined;
      } else {
        pageToken = progress.next(page.nextPageToken, found.length, last);
      }
    }
  }

  async #page(
    { prefix, delimiter, signal }: ListOptions,
    { start, end }: Span,
    pageToken: string | undefined,
    wanted: number,
  ): Promise<ObjectsPage> {
    const nameOf = (key: string | undefined) => (key === undefined ? undefined : this.#place.nameOf(key));
    const request: GcsRequest = {
      operation: 'objects.list',
      signal,
      method: 'GET',
      path: objectsPath(this.#place),
      parameters: {
        prefix: this.#place.nameOf(prefix),
        delimiter,
        startOffset: nameOf(start),
        endOffset: nameOf(end),
        maxResults: String(Math.min(wanted, maxEntries)),
        pageToken,
        fields: `nextPageToken,prefixes,items(${objectFields})`,
      },
    };
    return jsonOf(await this.#connection.read(request), request, this.#place.uri);
  }

  /** Objects and common prefixes come apart; each in order, and no key is in both. */
  #entriesOf({ items = [], prefixes = [] }: ObjectsPage): ListEntry[] {
    const entries: ListEntry[] = [];
    for (const name of prefixes) {
      const key = this.#place.keyOf(name);
      if (key !== undefined) entries.push({ kind: 'prefix', key });
    }
    for (const object of items) {
      const key = this.#place.keyOf(object.name);
      // The mount's own folder marker is no key of its own.
      if (key) entries.push(this.#entryOf(key, object));
    }
    return entries.sort((a, b) => compareUtf8(a.key, b.key));
  }

  #entryOf(key: string, object: GcsObject): ListEntry {
    const { sizeBytes, etag, lastModifiedMs, storageClass, checksums, checksumType } = metaOf(
      object,
      this.#place.uri,
      key,
    );
    return {
      kind: 'object',
      key,
      sizeBytes,
      etag,
      lastModifiedMs,
      ...(storageClass === undefined ? {} : { storageClass }),
      ...(checksums === undefined
        ? {}
        : { checksumAlgorithms: Object.keys(checksums) as ChecksumAlgorithm[], checksumType }),
    };
  }
}

/**
 * What is to be asked for, in order. Whatever lies below the hidden prefix is passed by; where it could fold into a common prefix with
 * other keys it is not asked for at all.
 */
function spansOf({ prefix, delimiter, after }: ListOptions): Span[] {
  if (prefix.startsWith(hiddenPrefix)) return [];
  const start = startOf(prefix, delimiter, after);
  if (start === null) return [];
  const mayFold = delimiter !== undefined && delimiter !== '/' && hiddenPrefix.startsWith(prefix);
  if (!mayFold || (start !== undefined && compareUtf8(start, hiddenPrefix) >= 0)) {
    return start?.startsWith(hiddenPrefix) ? [{ start: behindHidden }] : [{ start }];
  }
  return [{ start, end: hiddenPrefix }, { start: behindHidden }];
}

/** Where the list begins, which its first entry may be; null where nothing is left. What `after` folds into is passed by. */
function startOf(
  prefix: string,
  delimiter: string | undefined,
  after: string | undefined,
): string | undefined | null {
  if (after === undefined || compareUtf8(after, prefix) < 0) return undefined;
  if (!after.startsWith(prefix)) return null;
  const folded = commonPrefixOf(after, prefix, delimiter);
  return folded === undefined ? after : (keyBehindPrefix(folded) ?? null);
}
