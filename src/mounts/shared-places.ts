import { foldersOverlap, resolveFolder } from '../ufs/folder-overlap.ts';
import type { Mount } from './mount.ts';
import { MountError } from './mount-error.ts';
import { type MountSpec, mountName } from './mount-spec.ts';
import { parseMountUri } from './mount-uri.ts';

/**
 * Refuses a mount of what another mount has too, whole or in part, where what is written through one would not be seen through
 * the other's cache. Kinds: exists; invalid, if a folder may not be looked at.
 */
export async function refuseSharedPlace(spec: MountSpec, mounts: readonly Mount[]): Promise<void> {
  if (spec.path === undefined) refuseSharedBucket(spec, mounts);
  else await refuseSharedFolder(spec, spec.path, mounts);
}

/**
 * Two mounts of one folder are taken only if nothing is written through either: conditions would be decided for each mount
 * alone. Links are followed before it is decided.
 */
async function refuseSharedFolder(spec: MountSpec, path: string, mounts: readonly Mount[]): Promise<void> {
  const wanted = await resolve(path);
  for (const mount of mounts) {
    const { path: theirs } = parseMountUri(mount.uri);
    if (theirs === undefined || (spec.readOnly && mount.readOnly)) continue;
    // A folder that is there no more, or not to be looked at, is taken as it is written.
    const other = await resolveFolder(theirs).catch(() => theirs);
    if (!foldersOverlap(wanted, other)) continue;
    const how = wanted === other ? 'the same folder as' : 'a folder that overlaps with that of';
    throw new MountError(
      'exists',
      `${spec.uri} is ${how} the mount ${mountName(mount)} (${mount.uri}): two mounts of one folder are taken only if both are --read-only; mount a folder apart from it, or remove ${mountName(mount)} first`,
    );
  }
}

/**
 * Two mounts of one place of a storage that decides conditions itself are taken also if both ask it each time. Whether two
 * endpoints lead to one storage nobody can tell; the same endpoint does.
 */
function refuseSharedBucket(spec: MountSpec, mounts: readonly Mount[]): void {
  for (const mount of mounts) {
    if (mount.endpoint !== spec.endpoint) continue;
    if (!spec.uri.startsWith(mount.uri) && !mount.uri.startsWith(spec.uri)) continue;
    if (spec.readOnly && mount.readOnly) continue;
    if (spec.freshness?.kind === 'always' && mount.freshness?.kind === 'always') continue;
    const how = spec.uri === mount.uri ? 'the same place as' : 'a place that overlaps with that of';
    throw new MountError(
      'exists',
      `${spec.uri} is ${how} the mount ${mountName(mount)} (${mount.uri}): two mounts of one place are taken only if both are --read-only or both --freshness always; choose another prefix, or remove ${mountName(mount)} first`,
    );
  }
}

async function resolve(path: string): Promise<string> {
  try {
    return await resolveFolder(path);
  } catch (error) {
    throw new MountError('invalid', `${path} cannot be looked at (${(error as NodeJS.ErrnoException).code})`);
  }
}
