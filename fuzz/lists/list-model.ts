/**
 * S3's lists as a pure function (S3 API Reference, ListObjectsV2 and ListObjects). Keys are strings; order is that of their UTF-8 bytes.
 */
export interface ModelQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** The list begins behind this key, or behind all keys of this common prefix. */
  readonly after: string;
  readonly limit: number;
}

export interface ModelPage {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
  /** The last key or common prefix of a page that others follow. */
  readonly next?: string;
}

export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function modelPage(
  keys: readonly string[],
  { prefix, delimiter, after, limit }: ModelQuery,
): ModelPage {
  const entries = new Map<string, 'key' | 'prefix'>();
  for (const key of keys.toSorted(byteOrder)) {
    if (!key.startsWith(prefix)) continue;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const entry = end < 0 ? key : key.slice(0, end + delimiter.length);
    // What folds into the marker or into something before it is not told again.
    if (after === '' || byteOrder(entry, after) > 0) entries.set(entry, end < 0 ? 'key' : 'prefix');
  }
  const page = limit === 0 ? [] : [...entries].slice(0, limit);
  const truncated = limit > 0 && entries.size > limit;
  return {
    keys: page.filter(([, kind]) => kind === 'key').map(([entry]) => entry),
    prefixes: page.filter(([, kind]) => kind === 'prefix').map(([entry]) => entry),
    truncated,
    ...(truncated ? { next: page.at(-1)?.[0] } : {}),
  };
}

export interface ModelUpload {
  readonly key: string;
  readonly id: string;
}

/** Uploads by key, those of one key in the order in which they began, which is that of `uploads` (S3 API Reference, ListMultipartUploads). */
export function modelUploads(
  uploads: readonly ModelUpload[],
  query: { readonly prefix: string; readonly after?: ModelUpload; readonly limit: number },
): { readonly page: readonly ModelUpload[]; readonly truncated: boolean } {
  const sorted = uploads.toSorted((a, b) => byteOrder(a.key, b.key));
  const { after } = query;
  const from = after === undefined ? 0 : sorted.findIndex(({ id }) => id === after.id) + 1;
  const rest = sorted.slice(from).filter(({ key }) => key.startsWith(query.prefix));
  return { page: rest.slice(0, query.limit), truncated: rest.length > query.limit };
}
