import { PlainBody } from './plain-body.ts';
import type { S3Parts } from './s3.ts';
import type { ProbeCalls } from './s3-probe-calls.ts';
import { nullVersionId } from './version-ids.ts';

/**
 * Whether the storage says if its bucket keeps versions, lists them, and, if it keeps some, gives one by its id. Nothing is switched on for
 * that: an object in a bucket that keeps none is its own null version. `key` is one of the probe's own.
 */
export async function tellsVersions(
  { writer, versions }: S3Parts,
  calls: ProbeCalls,
  key: string,
): Promise<boolean> {
  const about = { headers: {}, userMetadata: {} };
  await calls.ask((signal) =>
    writer.putUnasked(key, PlainBody.of(Buffer.from('version')), { ...about, signal }),
  );
  await calls.ask((signal) => versions.mode({ signal }));
  const { entries } = await calls.ask((signal) => versions.list({ prefix: key, limit: 2, signal }));
  const [first] = entries;
  if (entries.length !== 1 || first?.kind !== 'version' || first.key !== key || !first.isLatest) return false;
  // Not every server takes this for a name where it has given no others.
  if (first.versionId === nullVersionId) return true;
  const meta = await calls.ask((signal) => versions.head(key, first.versionId, { signal }));
  return meta.etag === first.etag && meta.versionId === first.versionId;
}
