import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openRootBackend } from '../../src/ufs/root.ts';
import { type BackendUnderTest, backendContract } from '../contracts/backend.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { failingBackend } from './failing-backend.ts';
import { openWriteBack, type WriteBackOptions } from './write-back-under-test.ts';

const memory = () => new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5 });

async function over(
  inner: MemoryBackend,
  options: WriteBackOptions,
  failing = false,
): Promise<BackendUnderTest> {
  const random = new SeededRandom(1);
  // The backend's own calls are to succeed: only what the persister does is to fail.
  const faulty = failingBackend(inner, (operation) => {
    if (!failing || operation !== 'put' || random.next() > 0.3) return undefined;
    return random.next() < 0.5 ? 'refused' : 'lost';
  });
  const { backend, close } = await openWriteBack(inner, { ...options, persistTo: faulty });
  return { backend, leftovers: async () => [], close };
}

const lazily = { persister: { delayMs: Number.POSITIVE_INFINITY } };

backendContract('write mode back over memory, persisting only what is waited for,', () =>
  over(memory(), lazily),
);

backendContract('write mode back over memory, whose attempts fail at random,', () =>
  over(memory(), { persister: { settleMs: 2 } }, true),
);

backendContract('write mode back over the root layout, persisting when it likes,', async () => {
  const path = await mkdtemp(join(tmpdir(), 'forebay-root-'));
  const settings = { path, minPartSizeBytes: 5 };
  const fs = new NodeFileSystem();
  const inner = await openRootBackend(fs, systemClock, systemRandom, silentLog(), settings);
  const { backend, close } = await openWriteBack(inner, { persister: { delayMs: 1 } });
  return {
    backend,
    leftovers: async () => [],
    close: async () => {
      await close();
      await rm(path, { recursive: true });
    },
  };
});
