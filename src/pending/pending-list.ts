import { compareUtf8 } from '../common/utf8-order.ts';
import type { Backend, ListEntry, ListOptions, ListPage } from '../ufs/backend.ts';
import { ArrayCursor, groupPage } from '../ufs/grouping.ts';
import { listedObject } from '../ufs/listed-object.ts';
import type { ChangeHead } from './records.ts';

const pageLimit = 1_000;

/** What is pending for a key. */
export interface ListedChange {
  readonly key: string;
  readonly change: Pick<ChangeHead, 'type' | 'meta'>;
}

/**
 * One page of a storage's list with what is pending over it. `pending` is the newest change of each key, as it was before the storage is
 * asked: what is persisted meanwhile is in both, and counts once (consistency rule 9).
 */
export async function listPending(
  inner: Pick<Backend, 'list'>,
  pending: readonly ListedChange[],
  options: ListOptions,
  listed: (entry: ListEntry) => ListEntry,
): Promise<ListPage> {
  if (pending.length === 0) {
    const page = await inner.list(options);
    return { ...page, entries: page.entries.map(listed) };
  }
  const overlay = new Map(pending.map((entry) => [entry.key, entry]));
  const own = await ownEntries(pending, options);
  const entries: ListEntry[] = [];
  let at = 0;
  for await (const theirs of visible(inner, overlay, options)) {
    while (at < own.length && compareUtf8((own[at] as ListEntry).key, theirs.key) < 0) {
      entries.push(own[at++] as ListEntry);
    }
    if (own[at]?.key === theirs.key) entries.push(own[at++] as ListEntry);
    else entries.push(listed(theirs));
    if (entries.length > options.limit) return pageOf(entries, options.limit);
  }
  entries.push(...own.slice(at));
  return pageOf(entries, options.limit);
}

function pageOf(entries: readonly ListEntry[], limit: number): ListPage {
  return { entries: entries.slice(0, limit), truncated: entries.length > limit };
}

/** What is put, folded as the list asks for it. */
async function ownEntries(pending: readonly ListedChange[], options: ListOptions): Promise<ListEntry[]> {
  const puts = pending.flatMap(({ key, change: { meta } }) => (meta ? [{ key, meta }] : []));
  const grouping = { ...options, limit: options.limit + 1 };
  const { entries } = await groupPage(new ArrayCursor(puts), grouping);
  return entries.map((entry) => ('kind' in entry ? entry : listedObject(entry.key, entry.meta)));
}

/** The storage's entries that nothing pending hides, in order. */
async function* visible(
  inner: Pick<Backend, 'list'>,
  overlay: ReadonlyMap<string, ListedChange>,
  options: ListOptions,
): AsyncGenerator<ListEntry> {
  let after = options.after;
  for (;;) {
    const limit = Math.min(options.limit + 1, pageLimit);
    const page = await inner.list({ ...options, after, limit });
    for (const entry of page.entries) {
      if (entry.kind === 'object' && overlay.get(entry.key)?.change.type === 'delete') continue;
      if (entry.kind === 'prefix' && !(await hasVisible(inner, overlay, entry.key, options))) continue;
      yield entry;
    }
    if (!page.truncated) return;
    after = page.entries.at(-1)?.key;
  }
}

/** Whether the storage has an object under a prefix that is not deleted by now. */
async function hasVisible(
  inner: Pick<Backend, 'list'>,
  overlay: ReadonlyMap<string, ListedChange>,
  prefix: string,
  { signal }: ListOptions,
): Promise<boolean> {
  let hides = 0;
  for (const [key, { change }] of overlay) if (change.type === 'delete' && key.startsWith(prefix)) hides++;
  if (hides === 0) return true;
  // Of one more than are deleted one is left.
  const limit = Math.min(hides + 1, pageLimit);
  let after: string | undefined;
  for (;;) {
    const page = await inner.list({ prefix, after, limit, signal });
    if (page.entries.some(({ key }) => overlay.get(key)?.change.type !== 'delete')) return true;
    if (!page.truncated) return false;
    after = page.entries.at(-1)?.key;
  }
}
