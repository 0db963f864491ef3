import type { IKeyValue, IRangeResponse } from 'etcd3';
import { faultOf } from './etcd-errors.ts';
import { type EtcdKeys, keyAfter } from './etcd-keys.ts';
import type { EtcdLink } from './etcd-link.ts';
import { CoordError, type Entry } from './store.ts';

const firstPageEntries = 128;
const maxPageEntries = 4096;
/** What a page is to weigh, so that it stays below what an answer may. */
const pageBytes = 2 * 1024 * 1024;
/** No list of this store comes near: it is a guard for this process's memory. */
const maxListBytes = 256 * 1024 * 1024;
const maxAttempts = 5;

/** All entries under a prefix as they were at one revision, page by page. Rejects with `CoordError`, or etcd's own error. */
export async function listPages(
  link: EtcdLink,
  keys: EtcdKeys,
  prefix: string,
): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(link, keys, prefix);
    } catch (error) {
      // The revision of the first page was compacted before the last one was read.
      if (faultOf(error) !== 'compacted' || attempt === maxAttempts) throw error;
    }
  }
}

async function listOnce(link: EtcdLink, keys: EtcdKeys, prefix: string) {
  const entries: Entry[] = [];
  let { key, range_end } = keys.range(prefix);
  let revision: number | undefined;
  let limit = firstPageEntries;
  let bytes = 0;
  for (;;) {
    const request = { key, range_end, limit, revision: revision ?? 0 };
    let page: IRangeResponse;
    try {
      page = await link.read('list', (etcd, call) => etcd.kv.range(request, call));
    } catch (error) {
      if (faultOf(error) !== 'too-large' || limit === 1) throw error;
      limit = Math.ceil(limit / 4);
      continue;
    }
    revision ??= Number(page.header.revision);
    for (const row of page.kvs) entries.push(entryOf(keys, row));
    const last = page.kvs.at(-1);
    if (!page.more || !last) return { entries, revision };
    const weight = page.kvs.reduce((sum, row) => sum + row.key.length + row.value.length, 0);
    bytes += weight;
    if (bytes > maxListBytes)
      throw new CoordError('unavailable', `there is too much under ${prefix} in etcd`);
    limit = Math.max(1, Math.min(maxPageEntries, Math.floor((pageBytes * page.kvs.length) / weight)));
    key = keyAfter(last.key);
  }
}

export function entryOf(keys: EtcdKeys, row: IKeyValue): Entry {
  return {
    key: keys.decode(row.key),
    value: row.value.toString('utf8'),
    revision: Number(row.mod_revision),
  };
}
