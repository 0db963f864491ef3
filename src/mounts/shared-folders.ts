import { foldersOverlap, resolveFolder } from '../ufs/folder-overlap.ts';
import type { Mount } from './mount.ts';
import { MountError } from './mount-error.ts';
import { type MountSpec, mountName } from './mount-spec.ts';
import { parseMountUri } from './mount-uri.ts';

/**
 * Refuses a mount of a folder that another mount has too, whole or in part, unless nothing is written through either: conditions
 * would be decided for each mount alone, and what is written through one would not be seen through the other's cache. Links are
 * followed before it is decided. Kinds: exists; invalid, if the folder may not be looked at.
 */
export async function refuseSharedFolder(spec: MountSpec, mounts: readonly Mount[]): Promise<void> {
  if (spec.path === undefined) return;
  const wanted = await resolve(spec.path);
  for (const mount of mounts) {
    const { path } = parseMountUri(mount.uri);
    if (path === undefined || (spec.readOnly && mount.readOnly)) continue;
    // A folder that is there no more, or not to be looked at, is taken as it is written.
    const other = await resolveFolder(path).catch(() => path);
    if (!foldersOverlap(wanted, other)) continue;
    const how = wanted === other ? 'the same folder as' : 'a folder that overlaps with that of';
    throw new MountError(
      'exists',
      `${spec.uri} is ${how} the mount ${mountName(mount)} (${mount.uri}): two mounts of one folder are taken only if both are --read-only; mount a folder apart from it, or remove ${mountName(mount)} first`,
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
