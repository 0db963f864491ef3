import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import type { FileSystem } from '../../src/ufs/file-system.ts';
import { openRootBackend } from '../../src/ufs/root.ts';
import { parseName } from '../../src/ufs/root-names.ts';
import { openTreeBackend } from '../../src/ufs/tree.ts';
import { Disk } from '../support/fault-disk.ts';
import { FaultFileSystem, type PlantedDefects } from '../support/fault-file-system.ts';
import { CrashHistory } from './crash-history.ts';
import { type Scenario, scenarios } from './crash-scenarios.ts';
import { type Survival, survivals, survivors } from './power-loss.ts';

interface Layout {
  readonly name: string;
  /** Resolves when the backend is open and has swept. */
  open(fs: FileSystem): Promise<Backend>;
  /** What a sweep should have removed. */
  orphans(paths: readonly string[]): readonly string[];
}

const path = '/data';
const settings = { path, minPartSizeBytes: 5, sweepEntriesPerSecond: 1e9 };

const rootLayout: Layout = {
  name: 'the root layout',
  open: async (fs) => {
    const backend = await openRootBackend(fs, systemClock, systemRandom, silentLog(), settings);
    expect(await backend.settled()).toBe(true);
    return backend;
  },
  orphans: (paths) =>
    paths.filter((one) => {
      const name = one.replace(/\/$/, '').split('/').at(-1) as string;
      if (one.startsWith('/data/.forebay/tmp/'))
        return one !== '/data/.forebay/tmp/' && !/^\/data\/\.forebay\/tmp\/[^/]*\/$/.test(one);
      if (one.startsWith('/data/.forebay/')) return false;
      const stored = parseName(name);
      if (stored?.kind === 'body') return !paths.includes(one.replace(/%v\.[^/]*$/, '%k'));
      return (
        one.endsWith('/') &&
        one !== '/data/' &&
        !paths.some((other) => other !== one && other.startsWith(one))
      );
    }),
};

const treeLayout: Layout = {
  name: 'the tree of real files',
  open: (fs) => openTreeBackend(fs, systemClock, systemRandom, settings),
  orphans: () => [],
};

/** A backend with what the scenario needs, and the number of steps that running it takes if nothing stops it. */
async function prepare(layout: Layout, scenario: Scenario, defects: PlantedDefects = {}) {
  const fs = new FaultFileSystem(new Disk(), defects);
  await fs.makeDirectory(path);
  fs.disk.syncDirectory(fs.disk.root);
  const backend = await layout.open(fs);
  const history = new CrashHistory();
  const given = (await scenario.setUp(history, backend)) as never;
  return { fs, history, run: () => scenario.run(history, backend, given) };
}

async function countSteps(layout: Layout, scenario: Scenario): Promise<number> {
  const { fs, run } = await prepare(layout, scenario);
  const before = fs.stepCount;
  await run();
  return fs.stepCount - before;
}

/** The disk and the history after the power went before step `step`. */
async function crash(
  layout: Layout,
  scenario: Scenario,
  step: number,
  survival: Survival,
  defects?: PlantedDefects,
) {
  const { fs, history, run } = await prepare(layout, scenario, defects);
  fs.stopAfter(step);
  await Promise.race([run(), fs.stopped]);
  return { disk: survivors(fs.disk, survival, step), history };
}

async function checkAfterCrash(layout: Layout, disk: Disk, history: CrashHistory): Promise<void> {
  const fs = new FaultFileSystem(disk);
  const backend = await layout.open(fs);
  await history.verify(backend);
  expect(layout.orphans(disk.paths())).toEqual([]);
  await history.finish(backend);
  await backend.close();
}

async function campaign(
  layout: Layout,
  scenario: Scenario,
  defects?: PlantedDefects,
): Promise<string | undefined> {
  const stepCount = await countSteps(layout, scenario);
  for (let step = 0; step <= stepCount; step++) {
    for (const survival of survivals) {
      try {
        const { disk, history } = await crash(layout, scenario, step, survival, defects);
        await checkAfterCrash(layout, disk, history);
      } catch (error) {
        return `${scenario.name}, step ${step} of ${stepCount}, ${survival} survives: ${(error as Error).stack}`;
      }
    }
  }
  return undefined;
}

for (const layout of [rootLayout, treeLayout]) {
  describe(`${layout.name} after a power loss`, () => {
    test.each(scenarios)('during $name, is old or new and whole', async (scenario) => {
      expect(await campaign(layout, scenario)).toBeUndefined();
    });

    test.each(scenarios)(
      'during the restart after a power loss during $name, is the same',
      async (scenario) => {
        const stepCount = await countSteps(layout, scenario);
        for (let step = 0; step <= stepCount; step++) {
          // Neighbouring steps of the first crash take turns in where the second one comes.
          for (let restartStep = step % 4, done = false; !done; restartStep += 4) {
            const { disk, history } = await crash(layout, scenario, step, step % 2 ? 'everything' : 1);
            const fs = new FaultFileSystem(disk);
            fs.stopAfter(restartStep);
            const restart = layout.open(fs).then((backend) => backend.close());
            done = await Promise.race([restart.then(() => true), fs.stopped.then(() => false)]);
            await checkAfterCrash(layout, survivors(disk, step % 3 ? 'nothing' : 2, restartStep), history);
          }
        }
      },
    );

    test.each(scenarios)(
      'a full disk at any step of $name fails that call and nothing else',
      async (scenario) => {
        const stepCount = await countSteps(layout, scenario);
        for (let step = 0; step < stepCount; step++) {
          const { fs, history, run } = await prepare(layout, scenario);
          fs.failAfter(step, 'ENOSPC');
          const failure = await run().then(
            () => undefined,
            (error) => error,
          );
          if (failure) {
            expect(failure).toBeInstanceOf(UfsError);
            expect(failure.kind).toBe('no-space');
            const left = fs.disk.paths().filter((one) => /^\/data\/\.forebay\/tmp\/[^/]*\/[^/]+$/.test(one));
            expect([step, left]).toEqual([step, []]);
          }
          await checkAfterCrash(
            layout,
            fs.disk.afterPowerLoss(() => 0),
            history,
          );
        }
      },
    );
  });
}

describe('a defect in the order of writing', () => {
  test.each<[string, PlantedDefects]>([
    ['a file that is never synced', { dropFileSync: true }],
    ['a directory that is never synced', { dropDirectorySync: true }],
    ['a file that is synced only after it was renamed', { renameBeforeSync: true }],
  ])('planted defect: %s is found', async (_, defects) => {
    for (const layout of [rootLayout, treeLayout]) {
      let found: string | undefined;
      for (const scenario of scenarios) found ??= await campaign(layout, scenario, defects);
      expect(found).toBeDefined();
    }
  });
});
