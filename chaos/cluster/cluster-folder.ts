import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { steadyPorts } from './steady-ports.ts';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What a cluster below one folder is made of, the same each time that it is started. */
export interface ClusterPlan {
  readonly folder: string;
  /** The root user of all nodes. */
  readonly root: Keys;
  /** The root user of the storage behind them. */
  readonly storage: Keys;
  /** A cluster remembers where its storage is, so that it must listen there again. */
  readonly storagePort: number;
  /** Key that seals stored secrets. */
  readonly keyFile: string;
  /** What the nodes prove to each other. */
  readonly secretFile: string;
}

interface Kept {
  readonly root: Keys;
  readonly storage: Keys;
  readonly storagePort: number;
}

/**
 * Makes the folder with what a cluster needs, or reads what an earlier one left there. `root` is the root user's key; without one
 * that of the last time holds, or a new one.
 */
export async function planCluster(folder: string, root?: Keys): Promise<ClusterPlan> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const keyFile = join(folder, 'encryption.key');
  const secretFile = join(folder, 'cluster.secret');
  const path = join(folder, 'cluster.json');
  const before = await readKept(path);
  const kept: Kept = {
    storage: before?.storage ?? newKeys(),
    storagePort: before?.storagePort ?? (await steadyPorts(1))[0] ?? 0,
    root: root ?? before?.root ?? newKeys(),
  };
  if (!before) {
    await writeFile(keyFile, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    await writeFile(secretFile, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  }
  await writeFile(path, JSON.stringify(kept), { mode: 0o600 });
  return { folder, keyFile, secretFile, ...kept };
}

async function readKept(path: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function newKeys(): Keys {
  return {
    accessKeyId: `CLUSTER${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(24).toString('hex'),
  };
}
