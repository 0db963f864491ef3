import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '../common/random.ts';
import type { HandOverPath } from '../gateway/carried-request.ts';

/** Where threads hand requests over, until it is removed. */
export interface HandOverPlace {
  readonly path: HandOverPath;
  remove(): Promise<void>;
}

/** Longer paths do not fit the address of a socket (sockaddr_un, `man 7 unix`). */
const maxSocketPathBytes = 100;
const socketName = 'threads.sock';

/**
 * A socket in the data folder, also where that folder's path is too long for a socket: Linux knows an open folder by a short name too
 * (`man 5 proc`, `/proc/pid/fd`). So whatever a killed process leaves behind is found by the next one. Elsewhere a long path is
 * evaded by a folder of its own below the system's temporary one.
 */
export async function openHandOverPlace(dataFolder: string, random: Random): Promise<HandOverPlace> {
  const header = `x-forebay-handed-over-${random.bytes(16).toString('hex')}`;
  const usual = join(dataFolder, socketName);
  if (Buffer.byteLength(usual) <= maxSocketPathBytes) {
    return { path: { socketPath: usual, header }, remove: () => rm(usual, { force: true }) };
  }
  const folder = await open(dataFolder, 'r');
  const short = `/proc/self/fd/${folder.fd}`;
  if (await isFolder(short)) {
    const remove = async () => {
      await rm(usual, { force: true });
      await folder.close();
    };
    return { path: { socketPath: join(short, socketName), header }, remove };
  }
  await folder.close();
  const apart = await mkdtemp(join(tmpdir(), 'forebay-'));
  const remove = () => rm(apart, { recursive: true, force: true });
  return { path: { socketPath: join(apart, socketName), header }, remove };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // There is no such name on this system.
    return false;
  }
}
