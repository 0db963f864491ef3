import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative } from 'node:path';
import { MountError } from '../mounts/mount-error.ts';

/**
 * Refuses a folder that lies in the data folder, or that the data folder lies in: through such a mount keys and credentials
 * could be read, and what Forebay keeps could be changed behind its back. Links are followed before it is decided.
 */
export async function refuseDataFolder(path: string, dataFolder: string): Promise<void> {
  const [wanted, data] = await Promise.all([resolveLinks(path), resolveLinks(dataFolder)]);
  if (!contains(wanted, data) && !contains(data, wanted)) return;
  throw new MountError(
    'invalid',
    `${path} overlaps with Forebay's own data folder: mount a folder apart from it`,
  );
}

/** Where the path leads as far as it exists. */
async function resolveLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw asMountError(path, error as NodeJS.ErrnoException);
    const parent = dirname(path);
    if (parent === path) return path;
    return `${await resolveLinks(parent)}${path.slice(parent.length)}`;
  }
}

function asMountError(path: string, error: NodeJS.ErrnoException): MountError {
  return new MountError('invalid', `${path} cannot be looked at (${error.code})`);
}

function contains(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside === '' || (!isAbsolute(inside) && inside !== '..' && !inside.startsWith('../'));
}
