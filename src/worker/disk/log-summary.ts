import type { FileSystem } from '../../ufs/file-system.ts';
import { unlinkIfThere } from './eviction.ts';
import { indexPath, regionPath, regionsFolder } from './region-names.ts';
import type { Regions } from './regions.ts';
import type { RemovalLog } from './removal-log.ts';

/**
 * Begins a directory's log of removals anew, without what concerns regions that are gone for good: their files are not there, and a loss
 * of power does not bring them back. `nextRegion`: the number of the region that is made next.
 */
export async function beginLogAnew(
  fs: FileSystem,
  path: string,
  log: RemovalLog,
  regions: Regions,
  nextRegion: number,
): Promise<void> {
  const { removals } = log;
  const gone = removals.retired.filter((id) => !regions.get(id));
  for (const id of gone) {
    await unlinkIfThere(fs, indexPath(path, id));
    await unlinkIfThere(fs, regionPath(path, id));
  }
  await fs.syncDirectory(regionsFolder(path));
  for (const id of gone) removals.forgetRetired(id);
  removals.forgetBefore(Math.min(regions.oldestId, nextRegion));
  await log.begin();
}
