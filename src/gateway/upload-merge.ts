import { compareUtf8 } from '../common/utf8-order.ts';
import type { Backend, ListUploadsOptions, ListUploadsPage, UploadInfo } from '../ufs/backend.ts';
import type { ListSource } from './list-merge.ts';

/** As `ListSource`, with the backend's uploads; they are never hidden, for they belong to the mount they were made under. */
export interface UploadSource extends ListSource {
  readonly backend: Pick<Backend, 'list' | 'listUploads' | 'versions'>;
}

const batch = 200;

/**
 * One page of a bucket's unfinished uploads over all its mounts, ordered by key and upload id.
 * Uploads are few beside objects, so each source is asked for plain uploads and the delimiter is applied here.
 */
export async function listUploadsMerged(
  sources: readonly UploadSource[],
  options: ListUploadsOptions,
): Promise<ListUploadsPage> {
  const [only] = sources;
  if (only && sources.length === 1 && only.bucketPrefix === '') return listOnly(only, options);
  return fold(inOrder(sources.map((source) => uploadsOf(source, options))), options);
}

/** Merges ordered sequences, each read only as far as it is needed. */
async function* inOrder(sequences: readonly AsyncGenerator<UploadInfo>[]): AsyncGenerator<UploadInfo> {
  const heads = await Promise.all(
    sequences.map(async (sequence) => ({ sequence, head: await sequence.next() })),
  );
  for (;;) {
    const alive = heads.filter(({ head }) => !head.done);
    const [first] = alive.sort((a, b) => compareUploads(a.head.value, b.head.value));
    if (!first) return;
    yield first.head.value;
    first.head = await first.sequence.next();
  }
}

function compareUploads(a: UploadInfo, b: UploadInfo): number {
  return compareUtf8(a.key, b.key) || compareUtf8(a.uploadId, b.uploadId);
}

async function listOnly(source: UploadSource, options: ListUploadsOptions): Promise<ListUploadsPage> {
  const { backend, pathPrefix } = source;
  const page = await backend.listUploads({
    ...options,
    prefix: pathPrefix + options.prefix,
    keyMarker: options.keyMarker === undefined ? undefined : pathPrefix + options.keyMarker,
  });
  const strip = (key: string) => key.slice(pathPrefix.length);
  return {
    entries: page.entries.map((entry) =>
      entry.kind === 'prefix'
        ? { kind: 'prefix', key: strip(entry.key) }
        : { kind: 'upload', upload: { ...entry.upload, key: strip(entry.upload.key) } },
    ),
    truncated: page.truncated,
  };
}

/** A source's uploads after the marker, in order. */
async function* uploadsOf(source: UploadSource, options: ListUploadsOptions): AsyncGenerator<UploadInfo> {
  const { bucketPrefix, pathPrefix, backend } = source;
  if (!bucketPrefix.startsWith(options.prefix) && !options.prefix.startsWith(bucketPrefix)) return;
  let marker: { key: string; uploadId: string } | undefined;
  for (;;) {
    const page = await backend.listUploads({
      prefix: pathPrefix + options.prefix.slice(bucketPrefix.length),
      keyMarker: marker?.key,
      uploadIdMarker: marker?.uploadId,
      limit: batch,
      signal: options.signal,
    });
    for (const entry of page.entries) {
      if (entry.kind !== 'upload') continue;
      marker = { key: entry.upload.key, uploadId: entry.upload.uploadId };
      const upload = { ...entry.upload, key: bucketPrefix + entry.upload.key.slice(pathPrefix.length) };
      if (isAfter(upload, options)) yield upload;
    }
    if (!page.truncated) return;
  }
}

function isAfter(upload: UploadInfo, { keyMarker, uploadIdMarker }: ListUploadsOptions): boolean {
  if (keyMarker === undefined) return true;
  const order = compareUtf8(upload.key, keyMarker);
  if (order !== 0) return order > 0;
  return uploadIdMarker !== undefined && compareUtf8(upload.uploadId, uploadIdMarker) > 0;
}

async function fold(
  uploads: AsyncGenerator<UploadInfo>,
  options: ListUploadsOptions,
): Promise<ListUploadsPage> {
  const entries: ListUploadsPage['entries'][number][] = [];
  let lastFold: string | undefined;
  for await (const upload of uploads) {
    const at =
      options.delimiter === undefined ? -1 : upload.key.indexOf(options.delimiter, options.prefix.length);
    const folded = at < 0 ? undefined : upload.key.slice(0, at + (options.delimiter ?? '').length);
    if (folded !== undefined && (folded === lastFold || wasBefore(folded, options.keyMarker))) continue;
    if (entries.length === options.limit) return { entries, truncated: true };
    lastFold = folded;
    entries.push(folded === undefined ? { kind: 'upload', upload } : { kind: 'prefix', key: folded });
  }
  return { entries, truncated: false };
}

function wasBefore(folded: string, marker: string | undefined): boolean {
  return marker !== undefined && compareUtf8(folded, marker) <= 0;
}
