import { dirname } from 'node:path';
import { UfsError } from './errors.ts';
import { type FileSystem, isErrno, readWhole, removeQuietly, writeDurably } from './file-system.ts';
import type { RootPaths } from './root-paths.ts';

const layoutVersion = 2;

/**
 * Makes the root's own directories, or checks that they are of a version this program knows, and marks the root as open. Gives
 * whether the last process to have it open did not close it. Kinds: unavailable.
 */
export async function prepareRoot(
  fs: FileSystem,
  paths: RootPaths,
  uri: string,
): Promise<{ unclean: boolean }> {
  await ensureDirectory(fs, paths.root);
  const version = await readLayout(fs, paths, uri);
  if (version === undefined) await createLayout(fs, paths, uri);
  else if (version !== layoutVersion) {
    throw new UfsError(
      'unavailable',
      `${paths.root} has layout ${version}; this program knows ${layoutVersion}`,
      {
        backend: uri,
        retryable: false,
      },
    );
  }
  const unclean = !(await createMarker(fs, paths));
  await ensureDirectory(fs, paths.tmp);
  await fs.syncDirectory(paths.own);
  return { unclean };
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

async function createLayout(fs: FileSystem, paths: RootPaths, uri: string): Promise<void> {
  const foreign = (await fs.readDirectory(paths.root)).filter((name) => name !== '.forebay');
  if (foreign.length > 0) {
    throw new UfsError('unavailable', `${paths.root} holds files that are not Forebay's (${foreign[0]})`, {
      backend: uri,
      retryable: false,
    });
  }
  for (const path of [paths.own, paths.allTmp, paths.uploads, paths.objects]) await ensureDirectory(fs, path);
  // A process that was killed may have made them without making their entries durable.
  await fs.syncDirectory(paths.root);
  await fs.syncDirectory(paths.own);
  const tmp = `${paths.layout}.new`;
  await removeQuietly(fs, tmp);
  await writeDurably(fs, tmp, [Buffer.from(`${JSON.stringify({ layout: layoutVersion })}\n`)]);
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
export async function ensureDirectory(fs: FileSystem, path: string): Promise<void> {
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
