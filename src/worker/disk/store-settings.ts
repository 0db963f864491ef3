import type { Mutants } from '../../common/mutants.ts';
import { noPolicies, type Policies } from '../../common/policy.ts';
import type { PageFault } from './page-fault.ts';

export interface DiskDirectory {
  readonly path: string;
  /** Bytes of all files in it. */
  readonly capacityBytes: number;
}

export interface DiskPageStoreSettings {
  /** Folders that pages lie in: one for each disk. */
  readonly directories: readonly DiskDirectory[];
  /** Pages, and so memory for knowing them; by default one for each 2 KiB of capacity. */
  readonly maxPages?: number;
  readonly maxOpenFiles?: number;
  /** Pages being written or waiting for it; beyond, pages are not kept. */
  readonly maxPendingWrites?: number;
  /** How long nothing is written to a folder after its disk was full or failed; then it is tried again, and so on. */
  readonly bypassMs?: number;
  /** Length of a region's file; by default a 32nd of the capacity, at most 256 MiB. */
  readonly regionBytes?: number;
  /** What is to stay free on a file system; of a small one at most a twentieth. */
  readonly minFreeBytes?: number;
  /** Bytes of pages that are read each second to find damage; 0: none. */
  readonly scrubBytesPerSecond?: number;
  /**
   * The incarnations whose pages are wanted, as of now; without it all are. Asked whenever more of what lies on the disks has come to be
   * known, since some may have been removed while no process was there to be told.
   */
  readonly wanted?: () => ReadonlySet<string>;
  /** What holds for which pages. */
  readonly policies?: Policies;
  readonly mutants?: Mutants;
}

/** A folder that nothing is kept in at the moment. */
export interface PassedByFolder {
  readonly path: string;
  readonly reason: PageFault;
  /** What the system said. */
  readonly message: string;
}

const MiB = 1024 * 1024;
const maxRegionBytes = 256 * MiB;
const bytesAPage = 2048;
const leastMaxPages = 4096;
const mostMaxPages = 2 ** 26;

export type CompleteSettings = Required<Omit<DiskPageStoreSettings, 'wanted'>> &
  Pick<DiskPageStoreSettings, 'wanted'>;

export function defaultsFor(settings: DiskPageStoreSettings): Omit<CompleteSettings, 'directories'> {
  const capacityBytes = settings.directories.reduce((sum, directory) => sum + directory.capacityBytes, 0);
  return {
    maxPages: Math.min(mostMaxPages, Math.max(leastMaxPages, Math.ceil(capacityBytes / bytesAPage))),
    maxOpenFiles: 256,
    maxPendingWrites: 64,
    bypassMs: 30_000,
    regionBytes: maxRegionBytes,
    minFreeBytes: 1024 * MiB,
    scrubBytesPerSecond: 0,
    policies: noPolicies,
    mutants: {},
  };
}
