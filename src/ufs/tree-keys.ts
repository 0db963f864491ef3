import { UfsError } from './errors.ts';

/** A key as a path below a tree's root. */
export interface TreeKey {
  /** Names from the root down; the last is the file's, or, of a folder marker, the folder's. */
  readonly segments: readonly string[];
  /** The key ends with `/`. */
  readonly isFolder: boolean;
}

export const reservedName = '.forebay';

/** Undefined for a key that no path of a file system can stand for, one to one. */
export function parseTreeKey(key: string): TreeKey | undefined {
  if (key.includes('\0') || !key.isWellFormed()) return undefined;
  const segments = key.split('/');
  const isFolder = segments.at(-1) === '';
  if (isFolder) segments.pop();
  if (segments.length === 0 || segments[0] === reservedName) return undefined;
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..') return undefined;
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
