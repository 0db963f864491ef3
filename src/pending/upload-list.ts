import { compareUtf8 } from '../common/utf8-order.ts';
import type { Backend, ListUploadsOptions, ListUploadsPage } from '../ufs/backend.ts';
import { pageUploads } from '../ufs/multipart-rules.ts';
import type { HeldUpload } from './held-uploads.ts';

type Entry = ListUploadsPage['entries'][number];

/** One page of a storage's uploads with those that are held here. The storage's own uploads that held ones moved to are not told. */
export async function listUploads(
  inner: Pick<Backend, 'listUploads'>,
  held: readonly Pick<HeldUpload, 'info' | 'movedTo'>[],
  options: ListUploadsOptions,
): Promise<ListUploadsPage> {
  if (held.length === 0) return inner.listUploads(options);
  const hidden = new Set(held.flatMap(({ movedTo }) => movedTo ?? []));
  const { limit } = options;
  const own = pageUploads(
    held.map(({ info }) => info),
    options,
  );
  const theirs = await inner.listUploads({ ...options, limit: limit + hidden.size });
  const shown = theirs.entries.filter(
    (entry) => entry.kind === 'prefix' || !hidden.has(entry.upload.uploadId),
  );
  const entries: Entry[] = [];
  for (const entry of [...own.entries, ...shown].sort(inOrder)) {
    const last = entries.at(-1);
    if (entry.kind === 'prefix' && last?.kind === 'prefix' && last.key === entry.key) continue;
    entries.push(entry);
  }
  const truncated = own.truncated || theirs.truncated || entries.length > limit;
  return { entries: entries.slice(0, limit), truncated };
}

function inOrder(a: Entry, b: Entry): number {
  const [keyA, idA] = a.kind === 'prefix' ? [a.key, ''] : [a.upload.key, a.upload.uploadId];
  const [keyB, idB] = b.kind === 'prefix' ? [b.key, ''] : [b.upload.key, b.upload.uploadId];
  return compareUtf8(keyA, keyB) || compareUtf8(idA, idB);
}
