import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { backendContract } from '../contracts/backend.ts';

backendContract('the memory backend', async () => ({
  backend: new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5 }),
  leftovers: async () => [],
  close: async () => {},
}));
