import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openTreeBackend } from '../../src/ufs/tree.ts';
import { backendContract } from '../contracts/backend.ts';

backendContract('the tree of real files', async () => {
  const path = await mkdtemp(join(tmpdir(), 'forebay-tree-'));
  const backend = await openTreeBackend(new NodeFileSystem(), systemClock, systemRandom, {
    path,
    minPartSizeBytes: 5,
  });
  return {
    backend,
    leftovers: async () => {
      const left = await readdir(path, { recursive: true });
      if (!left.includes('.forebay')) return [];
      const [run = ''] = await readdir(join(path, '.forebay/tmp'));
      return readdir(join(path, '.forebay/tmp', run));
    },
    close: async () => {
      await backend.close();
      await rm(path, { recursive: true });
    },
  };
});
