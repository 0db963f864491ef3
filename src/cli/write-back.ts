import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Random } from '../common/random.ts';
import { type Mount, placeNameOf } from '../mounts/mount.ts';
import { mountName } from '../mounts/mount-spec.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import { WriteBack } from '../pending/write-back.ts';
import type { Backend } from '../ufs/backend.ts';
import { type FileSystem, FileSystemError } from '../ufs/file-system.ts';
import { minPartSizeBytes } from '../ufs/multipart-rules.ts';
import { CommandError } from './errors.ts';
import { isInCluster } from './server-settings.ts';
import type { Settings } from './settings-table.ts';

/** Clients wait for an answer so long, at most, because of what is pending. */
const barrierMs = 10_000;

/**
 * The pending writes of this node, with what an earlier process left. Undefined in a cluster, where writes are acknowledged by their storage.
 * Rejects with `CommandError` where they cannot be read, or would not be served.
 */
export async function openWriteBack(
  settings: Settings,
  dataFolder: string,
  fs: FileSystem,
  clock: Clock,
  random: Random,
  metrics: Metrics,
  log: Log,
): Promise<WriteBack | undefined> {
  const path = join(dataFolder, 'pending');
  const about = {
    path,
    capacityBytes: settings['writeBack.capacity'],
    whenFull: settings['writeBack.whenFull'],
    copies: settings['writeBack.copies'],
    barrierMs,
    settleMs: settings['writeBack.settle'],
    overwrites: settings['writeBack.onConflict'] === 'overwrite',
    concurrency: settings['writeBack.requests'],
    delayMs: settings['writeBack.delay'],
    retryMs: [100, 30_000],
    minPartSizeBytes,
    maxUploadIdleMs: settings['limits.uploadAge'],
  } as const;
  const attempted = (result: string) => metrics.pendingAttempts.inc({ result });
  let opened: WriteBack;
  try {
    opened = await WriteBack.open(fs, clock, random, log, about, { attempted });
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    throw new CommandError(`the writes that are pending in ${path} cannot be read: ${error.message}`);
  }
  metrics.showPending(() => pendingOf(opened, clock));
  if (!isInCluster(settings)) return opened;
  const { entries } = pendingOf(opened, clock);
  await opened.close();
  if (entries === 0) return undefined;
  throw new CommandError(
    `${entries} writes are pending in ${path}, which a node in a cluster does not bring to their storage: start it without etcd.endpoints, and run forebay pending flush`,
  );
}

/** A mount's storage, with what is pending for it where it can be kept apart from what others write. */
export function withPending(
  writeBack: WriteBack | undefined,
  mounts: MountStore,
  mount: Mount,
  backend: Backend,
): Backend {
  if (!writeBack || mount.readOnly || !backend.capabilities.stamps) return backend;
  const { bucket, prefix, incarnation } = mount;
  const isBack = () => {
    const now = mounts.table.find(bucket, prefix);
    return now?.incarnation === incarnation && now.writeMode === 'back';
  };
  return writeBack.over(placeNameOf(mount), backend, isBack);
}

/** Opens the storages that something is pending for, so that it is brought there. */
export function resumePending(
  writeBack: WriteBack | undefined,
  mounts: MountStore,
  backends: MountedBackends,
  log: Log,
): void {
  for (const { name, entries } of writeBack?.places ?? []) {
    if (entries === 0) continue;
    const mount = mounts.table.mounts.find((one) => placeNameOf(one) === name);
    if (!mount) {
      log.error({ place: name, entries }, 'writes are pending for a storage that no mount leads to');
      continue;
    }
    log.info({ mount: mountName(mount), entries }, 'writes of before are brought to their storage');
    Promise.resolve(backends.get(mount)).catch((err: unknown) => {
      log.error({ err, mount: mountName(mount) }, 'the storage that writes are pending for cannot be opened');
    });
  }
}

function pendingOf(writeBack: WriteBack, clock: Clock) {
  let [entries, bytes, oldestSeconds, failing] = [0, 0, 0, 0];
  for (const place of writeBack.places) {
    entries += place.entries;
    bytes += place.bytes;
    failing += place.failing;
    if (place.oldestMs !== undefined) {
      oldestSeconds = Math.max(oldestSeconds, (clock.nowMs() - place.oldestMs) / 1_000);
    }
  }
  return { entries, bytes, oldestSeconds, failing };
}
