import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';

/** Where an absolute path leads as far as it exists, links followed. Rejects with Node's own error where it may not be looked at. */
export async function resolveFolder(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    const parent = dirname(path);
    return parent === path ? path : join(await resolveFolder(parent), basename(path));
  }
}

/** Whether one of two resolved folders is, or lies in, the other. */
export function foldersOverlap(a: string, b: string): boolean {
  return contains(a, b) || contains(b, a);
}

function contains(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside === '' || (!isAbsolute(inside) && inside !== '..' && !inside.startsWith('../'));
}
