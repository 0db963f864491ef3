import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../common/random.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The worker's UUID, kept in its data folder: what the ring knows it by, whatever its address. Made at the first run.
 * Rejects if the file holds something else, since another identity would leave every page it owns behind.
 */
export async function loadWorkerId(dataFolder: string, random: Random): Promise<string> {
  const path = join(dataFolder, 'worker-id');
  const kept = await read(path);
  if (kept !== undefined) return check(path, kept);
  await create(path, random.uuid());
  return check(path, (await read(path)) ?? '');
}

async function read(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Appears whole or not at all; one that is there already stays. */
async function create(path: string, workerId: string): Promise<void> {
  const half = `${path}.${workerId}`;
  const file = await open(half, 'wx', 0o600);
  try {
    await file.writeFile(`${workerId}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(half, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(half);
  }
}

function check(path: string, text: string): string {
  if (uuid.test(text)) return text;
  throw new Error(
    `${path} does not hold a worker's UUID: restore it, or remove it to begin with an empty cache`,
  );
}
