import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Random } from '../common/random.ts';
import { CommandError } from './errors.ts';

const maximumBytes = 64 * 1024;

/**
 * Writes a file that only its owner may read, unless there is one: whole and on the disk, or not at all. False if there is one.
 * Rejects with `CommandError`.
 */
export async function createSecretFile(path: string, text: string, random: Random): Promise<boolean> {
  const temporary = `${path}.${random.uuid()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      // Unlike a rename, a link never replaces what somebody else has put there meanwhile.
      await link(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      await unlink(temporary);
    }
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    throw new CommandError(
      `cannot write ${path} (${codeOf(error)}): is the folder there, and may it be written?`,
    );
  }
}

/** The text of a file that others must not be able to read; undefined if there is none. Rejects with `CommandError`. */
export async function readSecretFile(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new CommandError(`cannot read ${path} (${codeOf(error)})`);
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      throw new CommandError(`${path} can be read by others: run chmod 600 ${path}`);
    }
    if (size > maximumBytes) throw new CommandError(`${path} is no such file: it has ${size} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
