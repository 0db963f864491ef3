import type { Disk, FileNode } from '../../support/fault-disk.ts';
import type { SeededRandom } from '../seeded.ts';

/**
 * Does some harm to the files of a store that is not running: flips bits, cuts regions, takes indexes away. Gives how much. `harmedLogs`: those
 * that were harmed already, which are spared: each frame is there twice, and one flipped bit in each is more than a log stands.
 */
export function harm(disk: Disk, random: SeededRandom, harmedLogs: Set<string>): number {
  const paths = disk.paths();
  const regions = paths.filter((path) => path.endsWith('.region'));
  const indexes = paths.filter((path) => path.endsWith('.index'));
  const logs = paths.filter((path) => path.includes('/removals-'));
  let count = 0;
  for (const path of [...regions, ...indexes]) {
    if (random.next() < 0.3) count += flipBit(fileOf(disk, path), random);
  }
  for (const path of regions) {
    if (random.next() < 0.1) count += cut(fileOf(disk, path), random);
  }
  for (const path of indexes) {
    if (random.next() > 0.2) continue;
    disk.removeEntry(path);
    count++;
  }
  for (const path of logs) {
    if (harmedLogs.has(path) || random.next() < 0.5) continue;
    harmedLogs.add(path);
    count += flipBit(fileOf(disk, path), random);
  }
  settle(disk);
  return count;
}

function fileOf(disk: Disk, path: string): FileNode {
  const node = disk.find(path, false);
  if (node.kind !== 'file') throw new Error(`${path} is no file`);
  return node;
}

function flipBit(file: FileNode, random: SeededRandom): number {
  if (file.data.length === 0) return 0;
  const at = random.below(file.data.length);
  file.data = Buffer.from(file.data);
  file.data[at] = (file.data[at] ?? 0) ^ (1 << random.below(8));
  return 1;
}

function cut(file: FileNode, random: SeededRandom): number {
  file.data = file.data.subarray(0, random.below(file.data.length + 1));
  return 1;
}

/** What is there now is on the medium. */
function settle(disk: Disk): void {
  for (const path of disk.paths()) {
    const node = disk.find(path, false);
    if (node.kind === 'file') disk.syncFile(node);
    else if (node.kind === 'directory') disk.syncDirectory(node);
  }
  disk.syncDirectory(disk.root);
}
