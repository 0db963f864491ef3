import { dirname } from 'node:path';
import { UfsError } from './errors.ts';
import { type FileSystem, isErrno, readWhole, removeQuietly, writeDurably } from './file-system.ts';
import type { RootPaths } from './root-paths.ts';

/** No key has ever had an older version. */
const plainLayout = 2;
/** Keys may have older versions, whose bodies a program that knows them not would take for left over. */
const versionedLayout = 3;

/**
 * Makes the root's own directories, or checks that they are of a version this program knows, takes the root's lock and marks it as
 * open. Gives whether the last process to have it open did not close it, whether keys may have older versions, and what gives the lock
 * back. Kinds: unavailable, also if another process has the root open; what is refused is left as it was.
 */
export async function prepareRoot(
  fs: FileSystem,
  paths: RootPaths,
  uri: string,
): Promise<{ unclean: boolean; versioned: boolean; unlock: () => void }> {
  await ensureDirectory(fs, paths.root);
  await checkLayout(fs, paths, uri);
  await ensureDirectory(fs, paths.own);
  const unlock = await lockRoot(fs, paths, uri);
  try {
    // Another process may have made the layout until the lock was taken.
    const layout = await checkLayout(fs, paths, uri);
    if (layout === undefined) await createLayout(fs, paths);
    const unclean = !(await createMarker(fs, paths));
    await ensureDirectory(fs, paths.tmp);
    await fs.syncDirectory(paths.own);
    return { unclean, versioned: layout === versionedLayout, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Marks the root as closed; `clean` if nothing is left that a sweep would remove. */
export async function closeRoot(fs: FileSystem, paths: RootPaths, clean: boolean): Promise<void> {
  for (const name of await fs.readDirectory(paths.tmp)) await removeQuietly(fs, `${paths.tmp}/${name}`);
  let empty = true;
  try {
    await fs.removeDirectory(paths.tmp);
  } catch {
    empty = false; // A directory was left in it; the next sweep removes it.
  }
  if (!clean || !empty) return;
  // What was removed must not come back after the marker is gone.
  await fs.syncDirectory(paths.allTmp);
  await fs.unlink(paths.marker);
  await fs.syncDirectory(paths.own);
}

/** Two processes on one root would take each other's files for left over and cached metadata for current. */
async function lockRoot(fs: FileSystem, paths: RootPaths, uri: string): Promise<() => void> {
  try {
    return await fs.lock(paths.lock);
  } catch (error) {
    if (!isErrno(error, 'EBUSY')) throw error;
    throw new UfsError(
      'unavailable',
      `the root mount ${paths.root} is in use by another node: stop that one, or set another with --root-mount`,
      { backend: uri, retryable: false, cause: error },
    );
  }
}

/** Undefined where no layout was made yet, nor anything else. */
async function checkLayout(fs: FileSystem, paths: RootPaths, uri: string): Promise<unknown> {
  const refuse = (message: string) =>
    new UfsError('unavailable', message, { backend: uri, retryable: false });
  const version = await readLayout(fs, paths, uri);
  if (version === undefined) {
    const foreign = (await fs.readDirectory(paths.root)).find((name) => name !== '.forebay');
    if (foreign !== undefined) throw refuse(`${paths.root} holds files that are not Forebay's (${foreign})`);
  } else if (version !== plainLayout && version !== versionedLayout) {
    throw refuse(
      `${paths.root} has layout ${version}; this program knows ${plainLayout} and ${versionedLayout}`,
    );
  }
  return version;
}

async function readLayout(fs: FileSystem, paths: RootPaths, uri: string): Promise<unknown> {
  try {
    const bytes = await readWhole(fs, paths.layout, 4096);
    return (JSON.parse(bytes.toString()) as { layout?: unknown } | null)?.layout ?? 'unknown';
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
    throw new UfsError('unavailable', `${paths.layout} is damaged`, { backend: uri, retryable: false });
  }
}

async function createLayout(fs: FileSystem, paths: RootPaths): Promise<void> {
  for (const path of [paths.own, paths.allTmp, paths.uploads, paths.objects]) await ensureDirectory(fs, path);
  // A process that was killed may have made them without making their entries durable.
  await fs.syncDirectory(paths.root);
  await fs.syncDirectory(paths.own);
  await writeLayout(fs, paths, plainLayout);
}

/** To be done before a key has its first older version. Nothing but the number changes. */
export function raiseLayout(fs: FileSystem, paths: RootPaths): Promise<void> {
  return writeLayout(fs, paths, versionedLayout);
}

async function writeLayout(fs: FileSystem, paths: RootPaths, layout: number): Promise<void> {
  const tmp = `${paths.layout}.new`;
  await removeQuietly(fs, tmp);
  await writeDurably(fs, tmp, [Buffer.from(`${JSON.stringify({ layout })}\n`)]);
  await fs.rename(tmp, paths.layout);
  await fs.syncDirectory(paths.own);
}

/** False if the marker is there already. */
async function createMarker(fs: FileSystem, paths: RootPaths): Promise<boolean> {
  try {
    await (await fs.createFile(paths.marker)).close();
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Makes sure that `path` is a directory whose entry survives a power loss. */
async function ensureDirectory(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.makeDirectory(path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    if (!isErrno(error, 'ENOENT')) throw error;
    await ensureDirectory(fs, dirname(path));
    await fs.makeDirectory(path);
  }
  await fs.syncDirectory(dirname(path));
}
