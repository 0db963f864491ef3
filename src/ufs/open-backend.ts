import { fileURLToPath } from 'node:url';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import type { Backend } from './backend.ts';
import { UfsError } from './errors.ts';
import type { FileSystem } from './file-system.ts';
import { MemoryBackend } from './memory.ts';
import { openRootBackend } from './root.ts';
import { openTreeBackend } from './tree.ts';

export interface BackendDescription {
  /** `file:///absolute/path`, or `memory:` where allowed. */
  readonly uri: string;
  /** True for the root mount: Forebay's own layout, made where there is nothing yet. Otherwise an existing tree as it is. */
  readonly root?: boolean;
  /** For tests and trials: `memory:` keeps objects only as long as the process lives. */
  readonly allowMemory?: boolean;
  /** The mount's own secret, for the schemes that sign their requests; a file system needs none. */
  readonly secretAccessKey?: string;
  /** Least size of a part that is not the last; S3's 5 MiB by default. */
  readonly minPartSizeBytes?: number;
}

export interface BackendDependencies {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Forebay's own folders, absolute: a tree that overlaps with one is refused. */
  readonly ownFolders?: readonly string[];
}

/**
 * Opens the backend that a URI names. Kinds: not-implemented (a scheme that is not there, or a URI of another form), unavailable (a
 * path that is not there, or is no root).
 */
export async function openBackend(
  { fs, clock, random, log, ownFolders }: BackendDependencies,
  { uri, root = false, allowMemory = false, minPartSizeBytes }: BackendDescription,
): Promise<Backend> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 'file') {
    const path = pathOf(uri);
    return root
      ? openRootBackend(fs, clock, random, log, { path, minPartSizeBytes })
      : openTreeBackend(fs, clock, random, { path, minPartSizeBytes, apartFrom: ownFolders });
  }
  if (scheme === 'memory' && allowMemory) return new MemoryBackend(clock, random, { uri, minPartSizeBytes });
  throw new UfsError(
    'not-implemented',
    scheme
      ? `there is no backend for ${scheme}: URIs; use file:///absolute/path`
      : `${uri} is no URI; use file:///absolute/path`,
    { backend: uri },
  );
}

/** The absolute path that a `file:` URI names. Kinds: not-implemented. */
export function pathOf(uri: string): string {
  let reason = 'it must have an absolute path and no host';
  try {
    const url = new URL(uri);
    const plain = /^file:\/\/(localhost)?\//i.test(uri) && !url.search && !url.hash && !url.username;
    const path = plain ? fileURLToPath(url) : '';
    if (path && !path.includes('\0')) return path.length > 1 ? path.replace(/\/+$/, '') || '/' : path;
  } catch (error) {
    reason = (error as Error).message;
  }
  throw new UfsError('not-implemented', `${uri} names no directory: ${reason}`, { backend: uri });
}
