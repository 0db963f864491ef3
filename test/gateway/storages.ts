import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend } from '../../src/ufs/tree.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { startS3 } from '../ufs/s3-under-test.ts';

/** A storage behind a mount, and a way to change it that the mount does not see. */
export interface Storage {
  /** What the mount asks. */
  readonly mounted: Backend;
  /** The same storage, for others. Its least part size is 5 bytes. */
  readonly outside: Backend;
  /** What stands between, where the way is a network. */
  readonly proxy?: FaultProxy;
  /** The folder, of `file://`. */
  readonly folder?: string;
  close(): Promise<void>;
}

const minPartSizeBytes = 5;

async function openMemory(): Promise<Storage> {
  const backend = new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes });
  return { mounted: backend, outside: backend, close: () => backend.close() };
}

async function openFiles(): Promise<Storage> {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-storage-'));
  const open = () =>
    openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, { path: folder, minPartSizeBytes });
  const [mounted, outside] = [await open(), await open()];
  const close = async () => {
    await mounted.close();
    await outside.close();
    await rm(folder, { recursive: true });
  };
  return { mounted, outside, folder, close };
}

/** A second gateway of the same kind, with a proxy before it. */
async function openS3(): Promise<Storage> {
  const retry = { attempts: 2, baseMs: 5, capMs: 10 };
  const { open, proxy, gateway, close } = await startS3({ tuning: { retry } });
  return { mounted: open(), outside: open({ endpoint: `http://127.0.0.1:${gateway.port}` }), proxy, close };
}

export const storages: Readonly<Record<'memory' | 'file' | 's3', () => Promise<Storage>>> = {
  memory: openMemory,
  file: openFiles,
  s3: openS3,
};
