import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { openRootBackend, type RootBackend } from '../../src/ufs/root.ts';
import { Disk } from '../support/fault-disk.ts';
import { FaultFileSystem, type PlantedDefects } from '../support/fault-file-system.ts';
import { type Survival, survivals, survivors } from './power-loss.ts';
import { VersionHistory } from './version-history.ts';

type Work = (history: VersionHistory, backend: RootBackend) => Promise<void>;

interface Scenario {
  readonly name: string;
  /** What was there, durably, before. */
  readonly setUp: Work;
  /** What is under way when the power goes. */
  readonly run: Work;
}

const small = 100;
const large = 70_000;

const scenarios: readonly Scenario[] = [
  {
    name: 'puts over what was there before versions were kept',
    setUp: async (history, backend) => {
      await history.put(backend, 'a/k', small);
      await history.put(backend, 'b', large);
    },
    run: async (history, backend) => {
      await history.put(backend, 'a/k', large, 'enabled');
      await history.put(backend, 'a/k', small, 'enabled');
      await history.put(backend, 'b', large, 'enabled');
      await history.put(backend, 'new/k', large, 'enabled');
    },
  },
  {
    name: 'delete markers, and puts over them',
    setUp: (history, backend) => history.put(backend, 'a/k', large, 'enabled'),
    run: async (history, backend) => {
      await history.mark(backend, 'a/k', 'enabled');
      await history.mark(backend, 'a/k', 'enabled');
      await history.put(backend, 'a/k', small, 'enabled');
      await history.mark(backend, 'never/there', 'enabled');
    },
  },
  {
    name: 'taking the latest version away, where an object and where a marker is before it',
    setUp: async (history, backend) => {
      await history.put(backend, 'a/k', large, 'enabled');
      await history.mark(backend, 'a/k', 'enabled');
      await history.put(backend, 'a/k', small, 'enabled');
      await history.put(backend, 'a/k', large, 'enabled');
    },
    run: async (history, backend) => {
      await history.take(backend, 'a/k', 0);
      await history.take(backend, 'a/k', 0);
      await history.take(backend, 'a/k', 0);
      await history.take(backend, 'a/k', 0);
    },
  },
  {
    name: 'taking older versions away',
    setUp: async (history, backend) => {
      await history.put(backend, 'a/k', large);
      await history.put(backend, 'a/k', large, 'enabled');
      await history.mark(backend, 'a/k', 'enabled');
      await history.put(backend, 'a/k', large, 'enabled');
    },
    run: async (history, backend) => {
      await history.take(backend, 'a/k', 2);
      await history.take(backend, 'a/k', 1);
      await history.take(backend, 'a/k', 1);
    },
  },
  {
    name: 'puts where versions are suspended',
    setUp: async (history, backend) => {
      await history.put(backend, 'a/k', large);
      await history.put(backend, 'a/k', small, 'enabled');
    },
    run: async (history, backend) => {
      await history.put(backend, 'a/k', large, 'suspended');
      await history.put(backend, 'a/k', small, 'suspended');
      await history.put(backend, 'a/k', small, 'enabled');
      await history.put(backend, 'a/k', large, 'suspended');
    },
  },
  {
    name: 'deletes where versions are suspended',
    setUp: async (history, backend) => {
      await history.put(backend, 'a/k', large);
      await history.put(backend, 'a/k', small, 'enabled');
      await history.put(backend, 'b', large);
    },
    run: async (history, backend) => {
      await history.mark(backend, 'a/k', 'suspended');
      await history.mark(backend, 'a/k', 'suspended');
      await history.put(backend, 'a/k', large, 'suspended');
      await history.mark(backend, 'b', 'suspended');
    },
  },
  {
    name: 'completions and copies of older versions',
    setUp: async (history, backend) => {
      await history.put(backend, 'a/k', large, 'enabled');
      await history.put(backend, 'a/k', small, 'enabled');
    },
    run: async (history, backend) => {
      await history.complete(backend, 'a/k', large, 'enabled');
      await history.copy(backend, 'a/k', 2, 'a/k', 'enabled');
      await history.copy(backend, 'a/k', 2, 'copy', 'suspended');
      await history.take(backend, 'a/k', 1);
    },
  },
];

const settings = { path: '/data', minPartSizeBytes: 5, sweepEntriesPerSecond: 1e9 };

async function open(fs: FaultFileSystem): Promise<RootBackend> {
  const backend = await openRootBackend(fs, systemClock, systemRandom, silentLog(), settings);
  expect(await backend.settled()).toBe(true);
  return backend;
}

async function prepare(scenario: Scenario, defects: PlantedDefects = {}) {
  const fs = new FaultFileSystem(new Disk(), defects);
  await fs.makeDirectory(settings.path);
  fs.disk.syncDirectory(fs.disk.root);
  const backend = await open(fs);
  const history = new VersionHistory();
  await scenario.setUp(history, backend);
  return { fs, history, backend, run: () => scenario.run(history, backend) };
}

async function countSteps(scenario: Scenario): Promise<number> {
  const { fs, run } = await prepare(scenario);
  const before = fs.stepCount;
  await run();
  return fs.stepCount - before;
}

async function crash(scenario: Scenario, step: number, survival: Survival, defects?: PlantedDefects) {
  const { fs, history, run } = await prepare(scenario, defects);
  fs.stopAfter(step);
  await Promise.race([run(), fs.stopped]);
  return { disk: survivors(fs.disk, survival, step), history };
}

/** Everything is as it may be, nothing lies about, and all of it can be taken away. */
async function checkAfter(disk: Disk, history: VersionHistory): Promise<void> {
  const backend = await open(new FaultFileSystem(disk));
  await history.verify(backend);
  history.verifyFiles(disk);
  await history.put(backend, 'a/k', small, 'enabled');
  await history.verify(backend);
  await history.clear(backend);
  history.verifyFiles(disk);
  await backend.close();
}

async function campaign(scenario: Scenario, defects?: PlantedDefects): Promise<string | undefined> {
  const stepCount = await countSteps(scenario);
  for (let step = 0; step <= stepCount; step++) {
    for (const survival of survivals) {
      try {
        const { disk, history } = await crash(scenario, step, survival, defects);
        await checkAfter(disk, history);
      } catch (error) {
        return `${scenario.name}, step ${step} of ${stepCount}, ${survival} survives: ${(error as Error).stack}`;
      }
    }
  }
  return undefined;
}

describe('versions of the root layout after a power loss', () => {
  test.each(scenarios)('during $name, are all there and the latest is the last', async (scenario) => {
    expect(await campaign(scenario)).toBeUndefined();
  });

  test.each(scenarios)(
    'a fault at any step of $name leaves what is right without a restart',
    async (scenario) => {
      const stepCount = await countSteps(scenario);
      for (let step = 0; step < stepCount; step++) {
        for (const errno of ['ENOSPC', 'EIO']) {
          const { fs, history, backend, run } = await prepare(scenario);
          fs.failAfter(step, errno);
          const failure = await run().then(
            () => undefined,
            (error) => error,
          );
          try {
            if (failure && !(failure instanceof UfsError)) throw failure;
            await history.verify(backend);
            await history.put(backend, 'a/k', small, 'enabled');
            await history.clear(backend);
            await backend.close();
          } catch (error) {
            throw new Error(`${scenario.name}, ${errno} at step ${step}: ${(error as Error).stack}`);
          }
        }
      }
    },
  );

  test.each<[string, PlantedDefects]>([
    ['a file that is never synced', { dropFileSync: true }],
    ['a directory that is never synced', { dropDirectorySync: true }],
    ['a file that is synced only after it was renamed', { renameBeforeSync: true }],
  ])('planted defect: %s is found', async (_, defects) => {
    let found: string | undefined;
    for (const scenario of scenarios) found ??= await campaign(scenario, defects);
    expect(found).toBeDefined();
  });
});
