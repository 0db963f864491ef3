import { readFile, stat } from 'node:fs/promises';
import type { CoordStore } from '../coord/store.ts';

/** Earlier starts in this very data folder, at `starts` in the store of this node alone. */
interface Starts {
  readonly place: string;
  /** The latest last. */
  readonly incarnations: readonly string[];
}

const startsKey = 'starts';
const kept = 16;
const bootIdPath = '/proc/sys/kernel/random/boot_id';

/**
 * Which earlier incarnations are gone for certain; from now on this one is among them. `lockedFile` lies in the data folder and is locked
 * by a process as long as it lives: so whoever holds it now knows that earlier holders of that file are gone. A copy of the folder has
 * another file, and another machine, or the same one after a restart, another boot id; then nobody is known to be gone. Rejects with
 * `CoordError` where it cannot be written down.
 */
export async function takeOver(
  own: CoordStore,
  lockedFile: string,
  incarnation: string,
): Promise<readonly string[]> {
  const place = await placeOf(lockedFile);
  if (place === undefined) return [];
  const entry = await own.get(startsKey);
  const before = entry && (JSON.parse(entry.value) as Starts);
  const gone = before?.place === place ? before.incarnations : [];
  // Before anybody else hears of this one, so that none is missing.
  const starts: Starts = { place, incarnations: [...gone, incarnation].slice(-kept) };
  await own.putIf(startsKey, JSON.stringify(starts), 'any');
  return gone;
}

/** What no copy of the file has, for as long as the machine runs; undefined where that cannot be told. */
async function placeOf(path: string): Promise<string | undefined> {
  try {
    const bootId = await readFile(bootIdPath, 'utf8');
    const { dev, ino } = await stat(path, { bigint: true });
    return `${bootId.trim()} ${dev} ${ino}`;
  } catch {
    // Another system than Linux, or one that hides this.
    return undefined;
  }
}
