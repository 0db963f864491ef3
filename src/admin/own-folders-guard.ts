import { MountError } from '../mounts/mount-error.ts';
import { foldersOverlap, resolveFolder } from '../ufs/folder-overlap.ts';

/** The folders that Forebay keeps its own things in, absolute. */
export interface OwnFolders {
  readonly data: string;
  /** Of the root mount, wherever it lies; undefined if it is no folder. */
  readonly root: string | undefined;
  /** Where pages lie. */
  readonly pages: readonly string[];
}

/**
 * Refuses a folder that lies in the data folder, the root mount or a folder of pages, or that one of them lies in: through such a mount keys and
 * credentials could be read, and what Forebay keeps could be changed behind its back. Links are followed before it is decided.
 */
export async function refuseOwnFolders(path: string, { data, root, pages }: OwnFolders): Promise<void> {
  const wanted = await resolve(path);
  const refuse = (what: string) =>
    new MountError('invalid', `${path} overlaps with Forebay's own ${what}: mount a folder apart from it`);
  if (foldersOverlap(wanted, await resolve(data))) throw refuse('data folder');
  for (const folder of pages) {
    if (foldersOverlap(wanted, await resolve(folder))) throw refuse(`folder of pages, ${folder}`);
  }
  if (root !== undefined && foldersOverlap(wanted, await resolve(root))) throw refuse(`root mount, ${root}`);
}

async function resolve(path: string): Promise<string> {
  try {
    return await resolveFolder(path);
  } catch (error) {
    throw new MountError('invalid', `${path} cannot be looked at (${(error as NodeJS.ErrnoException).code})`);
  }
}
