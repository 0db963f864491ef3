import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { openRootBackend } from '../../src/ufs/root.ts';
import { backendContract } from '../contracts/backend.ts';

backendContract('the root layout', async () => {
  const path = await mkdtemp(join(tmpdir(), 'forebay-root-'));
  const backend = await openRootBackend(new NodeFileSystem(), systemClock, systemRandom, silentLog(), {
    path,
    minPartSizeBytes: 5,
  });
  return {
    backend,
    leftovers: async () => {
      const names = (await readdir(path, { recursive: true })).filter((name) => !name.startsWith('.forebay'));
      // Every body has its record, and every directory something in it.
      const records = new Set(names.filter((name) => name.endsWith('%k') || /%h\/[0-9a-f]{14}/.test(name)));
      const hasRecord = (stem: string) =>
        records.has(`${stem}%k`) || [...records].some((record) => record.startsWith(`${stem}%h/`));
      const strays = names.filter((name) => {
        if (/%v\.[^/]*$/.test(name)) return !hasRecord(name.replace(/%v\.[^/]*$/, ''));
        return !records.has(name) && !names.some((other) => other.startsWith(`${name}/`));
      });
      const [run = ''] = await readdir(join(path, '.forebay/tmp'));
      return [...strays, ...(await readdir(join(path, '.forebay/tmp', run)))];
    },
    close: async () => {
      await backend.close();
      await rm(path, { recursive: true });
    },
  };
});
