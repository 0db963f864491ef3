import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { CompletePart } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { FileSystemError } from '../../src/ufs/file-system.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { getAll, put } from '../contracts/backend.ts';
import type { FailurePoints } from '../support/failure-points.ts';
import { Disk, type FileNode } from '../support/fault-disk.ts';
import { FaultFileSystem } from '../support/fault-file-system.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { failingBackend } from './failing-backend.ts';
import { openWriteBack } from './write-back-under-test.ts';

const never = new AbortController().signal;
const livesARun = 3;

/**
 * One run: in the life of each process an object is written that somebody else writes too after an attempt went out, while the disk fails, or the
 * power goes, where `points` choose. In the end what was acknowledged is at the storage, or put aside. Throws what is wrong.
 */
export async function runConflicts(points: FailurePoints): Promise<void> {
  const storage = new MemoryBackend(systemClock, systemRandom, { versions: false });
  const acknowledged: string[] = [];
  let disk = emptyDisk();
  for (let life = 0; life < livesARun; life++) {
    points.arm();
    const fs = new FaultFileSystem(disk, {}, points);
    let failure: unknown;
    const living = live(fs, storage, `k${life}`, acknowledged).catch((error: unknown) => {
      if (!(error instanceof FileSystemError || error instanceof UfsError)) failure = error;
    });
    await Promise.race([living, fs.stopped]);
    if (failure) throw failure;
    disk = disk.afterPowerLoss();
  }
  const under = await openWriteBack(storage, { fs: new FaultFileSystem(disk), path: '/node' });
  await under.persister.flushAll('', never);
  await under.close();
  const aside = disk.paths().filter((path) => path.endsWith('.body'));
  const kept = new Set(aside.map((path) => (disk.find(path, false) as FileNode).data.toString()));
  for (const key of acknowledged) {
    const present = (await getAll(storage, key)).toString();
    if (present !== oursOf(key) && !kept.has(oursOf(key))) {
      const struck = points.strikes.slice(-livesARun).join(', ');
      throw new Error(`${key} is lost, there is: ${present}; struck: ${struck}`);
    }
  }
}

/**
 * One run: an upload in parts whose second part finds no room in the journal, and so goes on at the storage with the first. In the life of each process it
 * is gone on with, while the disk fails, or the power goes, where `points` choose. In the end it is whole. Throws what is wrong.
 */
export async function runMoves(points: FailurePoints): Promise<void> {
  const storage = new MemoryBackend(systemClock, systemRandom, { versions: false, minPartSizeBytes: 5 });
  const bodies = [someBytes(6_000, 1), someBytes(6_000, 2)];
  let disk = emptyDisk();
  let uploadId: string | undefined;
  const goOn = async (fs: FaultFileSystem) => {
    const persister = { delayMs: Number.POSITIVE_INFINITY };
    const under = await openWriteBack(storage, { fs, path: '/node', capacityBytes: 10_000, persister });
    const plain = { headers: {}, userMetadata: {} };
    uploadId ??= (await under.backend.createUpload('k', plain)).uploadId;
    const parts: CompletePart[] = [];
    for (const [index, bytes] of bodies.entries()) {
      const { etag } = await under.backend.putPart('k', uploadId, index + 1, new TestBody(bytes));
      parts.push({ partNumber: index + 1, etag, checksums: {} });
    }
    return { under, parts };
  };
  for (let life = 0; life < livesARun; life++) {
    points.arm();
    const fs = new FaultFileSystem(disk, {}, points);
    let failure: unknown;
    const living = goOn(fs).catch((error: unknown) => {
      const isGone = error instanceof UfsError && error.kind === 'no-such-upload';
      if (isGone || !(error instanceof FileSystemError || error instanceof UfsError)) failure = error;
    });
    await Promise.race([living, fs.stopped]);
    if (failure) throw failure;
    disk = disk.afterPowerLoss();
  }
  const { under, parts } = await goOn(new FaultFileSystem(disk));
  await under.backend.completeUpload('k', uploadId as unknown as string, parts);
  await under.persister.flush('k', never);
  if (!(await getAll(storage, 'k')).equals(Buffer.concat(bodies))) throw new Error('the upload is not whole');
  await under.close();
}

function emptyDisk(): Disk {
  const disk = new Disk();
  disk.addEntry('/node', disk.newDirectory());
  disk.syncDirectory(disk.root);
  return disk;
}

function oursOf(key: string): string {
  return `ours of ${key}`;
}

async function live(
  fs: FaultFileSystem,
  storage: MemoryBackend,
  key: string,
  acknowledged: string[],
): Promise<void> {
  let fails = true;
  let isGone = false;
  void fs.stopped.then(() => {
    isGone = true;
  });
  const faulty = failingBackend(storage, (operation) =>
    isGone || (operation === 'put' && fails) ? 'refused' : undefined,
  );
  const persister = { retryMs: [1, 2] as const };
  const under = await openWriteBack(faulty, { fs, path: '/node', persister });
  await put(storage, key, 'before');
  await put(under.backend, key, oursOf(key));
  acknowledged.push(key);
  while (!under.results.failed && !isGone) await systemClock.sleep(1);
  if (isGone) return;
  await put(storage, key, 'theirs');
  fails = false;
  await under.persister.flush(key, never);
  await under.close();
}
