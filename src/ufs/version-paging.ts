import type { ListedPrefix } from './backend.ts';
import type { ListedVersion, ListVersionsOptions, ListVersionsPage } from './backend-versions.ts';
import { mapBounded } from './bounded.ts';
import { commonPrefixOf, type GroupedPage } from './grouping.ts';
import { nullVersionId } from './version-ids.ts';

/** Where the versions to be listed come from. */
export interface VersionSource {
  /** Keys that have versions, folded, those after `after`; a page of them at most. */
  keys(after: string | undefined, limit: number): Promise<GroupedPage<{ readonly key: string }>>;
  /** Versions of a key, the newest first, behind one of them if it is given; at most so many. */
  versionsOf(key: string, behind: string | undefined, limit: number): Promise<readonly ListedVersion[]>;
}

/** Keys whose versions are read at once. */
const batch = 16;

/** One page of versions, reading no more keys and versions than it takes. */
export async function pageVersions(
  source: VersionSource,
  options: ListVersionsOptions,
): Promise<ListVersionsPage> {
  const { keyMarker, limit } = options;
  // One more than is wanted tells whether another follows.
  const wanted = limit + 1;
  const entries: (ListedVersion | ListedPrefix)[] = [];
  if (keyMarker !== undefined && isAmid(options, keyMarker)) {
    entries.push(...(await source.versionsOf(keyMarker, options.versionIdMarker, wanted)));
  }
  let after = keyMarker;
  for (let truncated = true; truncated && entries.length < wanted; ) {
    const page = await source.keys(after, wanted - entries.length);
    truncated = page.truncated;
    after = page.entries.at(-1)?.key ?? after;
    await expand(source, page.entries, entries, wanted);
  }
  return { entries: entries.slice(0, limit), truncated: entries.length > limit };
}

/** Whether the page before ended among the versions of a key that is listed by itself. */
function isAmid({ prefix, delimiter, versionIdMarker }: ListVersionsOptions, keyMarker: string): boolean {
  if (versionIdMarker === undefined || !keyMarker.startsWith(prefix)) return false;
  return commonPrefixOf(keyMarker, prefix, delimiter) === undefined;
}

async function expand(
  source: VersionSource,
  keys: readonly ({ readonly key: string } | ListedPrefix)[],
  entries: (ListedVersion | ListedPrefix)[],
  wanted: number,
): Promise<void> {
  for (let from = 0; from < keys.length && entries.length < wanted; from += batch) {
    const some = keys.slice(from, from + batch);
    const limit = wanted - entries.length;
    const found = await mapBounded(some, batch, async (entry) =>
      'kind' in entry ? [entry] : source.versionsOf(entry.key, undefined, limit),
    );
    for (const versions of found) entries.push(...versions.slice(0, wanted - entries.length));
  }
}

/** Of versions in order, those behind one of them; all of them where nobody can tell where it stood. */
export function behindVersion<Version extends { readonly versionId: string }>(
  versions: readonly Version[],
  behind: string | undefined,
): readonly Version[] {
  if (behind === undefined) return versions;
  const index = versions.findIndex((version) => version.versionId === behind);
  if (index >= 0) return versions.slice(index + 1);
  if (behind === nullVersionId) return versions;
  // It is gone since. A null version tells no time, and is rather listed twice than not at all.
  return versions.slice(
    versions.findLastIndex(({ versionId }) => versionId !== nullVersionId && versionId < behind) + 1,
  );
}
