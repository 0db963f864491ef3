import type { PageDirectorySettings } from './page-directory.ts';
import type { Regions } from './regions.ts';

/** The log of removals is written anew, beside the old one, when it is longer. */
export function longLogBytes({ capacityBytes }: Pick<PageDirectorySettings, 'capacityBytes'>): number {
  return Math.min(1024 * 1024, capacityBytes / 64);
}

/**
 * What is carried out of a region has to lie somewhere before that is gone: this much room is for nothing else. A region is as long as it may be, or
 * has one record that is longer; beside it come the indexes, and the log as it grows meanwhile.
 */
export function carryRoom(
  recordBytes: number,
  logBytes: number,
  { besideCarriedBytes }: Regions,
  settings: PageDirectorySettings,
): number {
  const longestBytes = Math.max(recordBytes, settings.regionBytes);
  return longestBytes + besideCarriedBytes + 2 * Math.max(0, longLogBytes(settings) - logBytes);
}
