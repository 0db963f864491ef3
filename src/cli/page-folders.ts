import { join, resolve } from 'node:path';
import type { ReadinessPart } from '../admin/readiness.ts';
import type { DiskDirectory, DiskPageStore } from '../worker/disk-page-store.ts';
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
