import { join, resolve } from 'node:path';
import type { ReadinessPart } from '../admin/readiness.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Policies } from '../common/policy.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import { type DiskDirectory, DiskPageStore } from '../worker/disk-page-store.ts';
import type { Settings } from './settings-table.ts';

/** Where pages lie on disk; nowhere if `cache.disk` is 0. */
export function pageFoldersOf(settings: Settings, dataFolder: string): DiskDirectory[] {
  const capacityBytes = settings['cache.disk'];
  if (capacityBytes === 0) return [];
  const folders = settings['cache.folders']?.map((folder) => ({
    path: resolve(folder.path),
    capacityBytes: folder.sizeBytes,
  }));
  return folders ?? [{ path: join(dataFolder, 'pages'), capacityBytes }];
}

/** A node without its page folders is slower, not wrong: it stays ready, and says which of them it passes by, and why. */
export function foldersReadiness(disk: Pick<DiskPageStore, 'passedBy'>): ReadinessPart {
  const { passedBy } = disk;
  return { details: passedBy.length === 0 ? {} : { pageFoldersPassedBy: passedBy } };
}

/** Undefined where there are no folders. */
export async function openDisk(
  settings: Settings,
  directories: readonly DiskDirectory[],
  mounts: MountStore,
  policies: Policies,
  clock: Clock,
  metrics: Metrics,
  log: Log,
): Promise<DiskPageStore | undefined> {
  if (directories.length === 0) return undefined;
  return DiskPageStore.open(clock, metrics, log, {
    directories,
    minFreeBytes: settings['cache.minFree'],
    scrubBytesPerSecond: settings['cache.scrub'],
    policies,
    // What lies below a mount is kept under the mount's incarnation, and what lies in the root mount under its bucket's.
    wanted: () =>
      new Set([...mounts.table.mounts, ...mounts.buckets.list()].map(({ incarnation }) => incarnation)),
  });
}
