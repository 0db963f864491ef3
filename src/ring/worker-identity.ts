import { open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../common/random.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The worker's UUID, kept in `<dataFolder>/worker-id` and made at the first run. The folder exists and belongs to this process.
 * Rejects where the file holds anything else: a new identity would silently move all that the ring placed here.
 */
export async function loadWorkerId(dataFolder: string, random: Random): Promise<string> {
  const path = join(dataFolder, 'worker-id');
  const text = await readIfThere(path);
  if (text === undefined) return makeWorkerId(dataFolder, path, random);
  const workerId = text.trim();
  if (!uuid.test(workerId)) {
    throw new Error(`${path} does not hold a UUID; restore it, or remove it for a new identity`);
  }
  return workerId;
}

async function makeWorkerId(dataFolder: string, path: string, random: Random): Promise<string> {
  const workerId = random.uuid();
  const temporary = join(dataFolder, `worker-id.${random.uuid()}`);
  const file = await open(temporary, 'wx', 0o644);
  try {
    await file.writeFile(`${workerId}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
  await syncFolder(dataFolder);
  return workerId;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
