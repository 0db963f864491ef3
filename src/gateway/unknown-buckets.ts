import type { Log } from '../common/log.ts';
import { isBucketName } from '../s3api/names.ts';
import type { Backend, CallOptions } from '../ufs/backend.ts';
import type { ListVersionsOptions } from '../ufs/backend-versions.ts';
import { UfsError } from '../ufs/errors.ts';

/** What of the root mount is asked here. */
export type RootListing = Pick<Backend, 'list' | 'listUploads' | 'versions'>;

const pageLimit = 1000;
/** So many names are enough to see what has happened. */
const maxNames = 100;

/**
 * Whether the root mount holds objects, or parts of unfinished uploads, under a bucket's name. Where no such bucket is known they
 * belong to one whose record was lost. Rejects with `UfsError`.
 */
export async function holdsKeysOf(root: RootListing, bucket: string): Promise<boolean> {
  const beginning = { prefix: `${bucket}/`, limit: 1 };
  if ((await allKeys(root, beginning)).entries.length > 0) return true;
  return (await root.listUploads(beginning)).entries.length > 0;
}

/**
 * The names under which the root mount holds something though no such bucket is known, at most 100 of them, in no order. Takes
 * a page of lists for each 1,000 buckets. Rejects with `UfsError`.
 */
export async function findUnknownBuckets(
  root: RootListing,
  isKnown: (name: string) => boolean,
  options: CallOptions = {},
): Promise<readonly string[]> {
  const found = new Set<string>();
  const look = (entries: readonly { readonly kind: string; readonly key?: string }[]) => {
    for (const { kind, key } of entries) {
      const name = kind === 'prefix' && key !== undefined ? key.slice(0, -1) : '';
      if (found.size < maxNames && isBucketName(name) && !isKnown(name)) found.add(name);
    }
  };
  const folders = { ...options, prefix: '', delimiter: '/', limit: pageLimit };
  let after: string | undefined;
  while (found.size < maxNames) {
    const page = await allKeys(root, { ...folders, keyMarker: after });
    look(page.entries);
    after = page.entries.at(-1)?.key;
    if (!page.truncated) break;
  }
  // One page of these is enough: an upload is a trace beside the objects, and CreateBucket looks at them all.
  look((await root.listUploads(folders)).entries);
  return [...found];
}

/** Those too of which only older versions are left. */
async function allKeys(root: RootListing, options: ListVersionsOptions) {
  if (root.versions) return root.versions.list(options);
  return root.list({ ...options, after: options.keyMarker });
}

/** Says in the log which buckets the root mount holds that are not known. Never rejects. */
export async function warnOfUnknownBuckets(
  log: Log,
  root: RootListing,
  isKnown: (name: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    const names = await findUnknownBuckets(root, isKnown, { signal });
    if (names.length === 0) return;
    log.warn(
      { buckets: names },
      'the root mount holds buckets that the coordination store does not know: an admin takes one back by creating it, nobody else can',
    );
  } catch (error) {
    if (!(error instanceof UfsError)) throw error;
    if (error.kind !== 'cancelled') log.warn({ err: error }, 'the root mount cannot be searched for buckets');
  }
}
