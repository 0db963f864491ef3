import { UfsError } from './errors.ts';

/** A key as a path below a tree's root. */
export interface TreeKey {
  /** Names from the root down; the last is the file's, or, of a folder marker, the folder's. */
  readonly segments: readonly string[];
  /** The key ends with `/`. */
  readonly isFolder: boolean;
}

/**
 * Where Forebay keeps files of its own. No key has a part of this name, at any depth, since a folder of a tree may be, or may have been, a
 * tree of its own: what Forebay knows of objects is not to be read, and least of all to be written, as objects.
 */
export const reservedName = '.forebay';

/** Undefined for a key that no path of a file system can stand for, one to one. */
export function parseTreeKey(key: string): TreeKey | undefined {
  if (key.includes('\0') || !key.isWellFormed()) return undefined;
  const segments = key.split('/');
  const isFolder = segments.at(-1) === '';
  if (isFolder) segments.pop();
  if (segments.length === 0) return undefined;
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..' || segment === reservedName) return undefined;
    // A name has at most 255 bytes (NAME_MAX); only long ones need counting.
    if (segment.length > 85 && Buffer.byteLength(segment) > 255) return undefined;
  }
  return { segments, isFolder };
}

/** For changes: rejects with `invalid-key` where `parseTreeKey` gives nothing. */
export function requireTreeKey(key: string, backend: string): TreeKey {
  const parsed = parseTreeKey(key);
  if (!parsed) throw new UfsError('invalid-key', 'a file system cannot hold this key', { backend, key });
  return parsed;
}
