import { compareUtf8 } from '../common/utf8-order.ts';
import type { Backend, ListedObject } from '../ufs/backend.ts';
import type { ListedVersion, ListVersionsOptions, ListVersionsPage } from '../ufs/backend-versions.ts';
import { commonPrefixOf } from '../ufs/grouping.ts';
import { nullVersionId } from '../ufs/version-ids.ts';
import type { ListSource } from './list-merge.ts';

/** As `ListSource`; where a backend keeps no versions each object is a null version. */
export interface VersionListSource extends ListSource {
  readonly backend: Pick<Backend, 'list' | 'versions'>;
}

type VersionEntry = ListVersionsPage['entries'][number];
interface MergedPage {
  readonly items: readonly VersionEntry[];
  readonly truncated: boolean;
}

const batch = 1000;

/** One page of a bucket's versions over all the mounts that hold its keys, with the meaning of `BackendVersions.list`. */
export async function listVersionsMerged(
  sources: readonly VersionListSource[],
  options: ListVersionsOptions,
): Promise<MergedPage> {
  const [only] = sources;
  if (only && sources.length === 1 && only.bucketPrefix === '') return listOnly(only, options);
  return fold(inOrder(sources.map((source) => versionsOf(source, options))), options);
}

async function listOnly(source: VersionListSource, options: ListVersionsOptions): Promise<MergedPage> {
  const { pathPrefix } = source;
  const { keyMarker } = options;
  const { entries, truncated } = await pageOf(source, {
    ...options,
    prefix: pathPrefix + options.prefix,
    keyMarker: keyMarker === undefined ? undefined : pathPrefix + keyMarker,
  });
  return {
    items: entries.map((entry) => ({ ...entry, key: entry.key.slice(pathPrefix.length) })),
    truncated,
  };
}

/** A page of a source in its own keys. */
async function pageOf(
  { backend }: VersionListSource,
  options: ListVersionsOptions,
): Promise<ListVersionsPage> {
  if (backend.versions) return backend.versions.list(options);
  const { prefix, delimiter, keyMarker, limit, signal } = options;
  const { entries, truncated } = await backend.list({ prefix, delimiter, after: keyMarker, limit, signal });
  return { entries: entries.map((entry) => (entry.kind === 'prefix' ? entry : asVersion(entry))), truncated };
}

function asVersion(object: ListedObject): ListedVersion {
  return { ...object, kind: 'version', versionId: nullVersionId, isLatest: true, deleteMarker: false };
}

/** A source's versions in keys of the bucket, those that count for the page and those before them that cannot be told apart from them. */
async function* versionsOf(
  source: VersionListSource,
  options: ListVersionsOptions,
): AsyncGenerator<ListedVersion> {
  const { bucketPrefix, pathPrefix, hidden } = source;
  if (!bucketPrefix.startsWith(options.prefix) && !options.prefix.startsWith(bucketPrefix)) return;
  const { signal } = options;
  let { keyMarker, versionIdMarker } = markersIn(source, options);
  if (keyMarker === null) return;
  for (;;) {
    const page = await pageOf(source, {
      prefix: pathPrefix + options.prefix.slice(bucketPrefix.length),
      keyMarker,
      versionIdMarker,
      limit: batch,
      signal,
    });
    for (const entry of page.entries) {
      if (entry.kind !== 'version') continue;
      keyMarker = entry.key;
      versionIdMarker = entry.versionId;
      const key = bucketPrefix + entry.key.slice(pathPrefix.length);
      if (!hidden.some((prefix) => key.length > prefix.length && key.startsWith(prefix)))
        yield { ...entry, key };
    }
    if (!page.truncated) return;
  }
}

/** The markers as the source knows them; null where all of it lies before them. */
function markersIn(
  { bucketPrefix, pathPrefix }: VersionListSource,
  { keyMarker, versionIdMarker }: ListVersionsOptions,
): { keyMarker: string | null | undefined; versionIdMarker: string | undefined } {
  if (keyMarker === undefined) return { keyMarker, versionIdMarker };
  if (keyMarker.startsWith(bucketPrefix)) {
    return { keyMarker: pathPrefix + keyMarker.slice(bucketPrefix.length), versionIdMarker };
  }
  const isBehind = compareUtf8(keyMarker, bucketPrefix) > 0;
  return { keyMarker: isBehind ? null : undefined, versionIdMarker: undefined };
}

/** Merges ordered sequences, each read only as far as it is needed. */
async function* inOrder(sequences: readonly AsyncGenerator<ListedVersion>[]): AsyncGenerator<ListedVersion> {
  const heads = await Promise.all(
    sequences.map(async (sequence) => ({ sequence, head: await sequence.next() })),
  );
  for (;;) {
    // No key lies in two sources, so that the versions of one stay together.
    const alive = heads.filter(({ head }) => !head.done);
    const [first] = alive.sort((a, b) => compareUtf8(a.head.value.key, b.head.value.key));
    if (!first) return;
    yield first.head.value;
    first.head = await first.sequence.next();
  }
}

async function fold(
  versions: AsyncGenerator<ListedVersion>,
  { prefix, delimiter, keyMarker, limit }: ListVersionsOptions,
): Promise<MergedPage> {
  const items: VersionEntry[] = [];
  let lastFold: string | undefined;
  for await (const version of versions) {
    const folded = commonPrefixOf(version.key, prefix, delimiter);
    const wasBefore = folded !== undefined && keyMarker !== undefined && compareUtf8(folded, keyMarker) <= 0;
    if (folded !== undefined && (folded === lastFold || wasBefore)) continue;
    if (items.length === limit) return { items, truncated: true };
    lastFold = folded;
    items.push(folded === undefined ? version : { kind: 'prefix', key: folded });
  }
  return { items, truncated: false };
}
