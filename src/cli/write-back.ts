import { join } from 'node:path';
import type { PendingWrites } from '../admin/pending-writes.ts';
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

/** How pending writes are looked after. */
export function writeBackSettings(settings: Settings, dataFolder: string) {
  return {
    path: join(dataFolder, 'pending'),
    capacityBytes: settings['writeBack.capacity'],
    whenFull: settings['writeBack.whenFull'],
    hasCopies: () => settings['writeBack.copies'] <= 1,
    barrierMs,
    settleMs: settings['backend.settling'],
    overwrites: settings['writeBack.onConflict'] === 'overwrite',
    concurrency: settings['writeBack.requests'],
    delayMs: settings['writeBack.delay'],
    retryMs: [100, 30_000],
    minPartSizeBytes,
    maxUploadIdleMs: settings['limits.uploadAge'],
  } as const;
}

/**
 * The pending writes of this node alone, with what an earlier process left; in a cluster there are none. Rejects with `CommandError` where they
 * cannot be read, or would not be served.
 */
export async function openWriteBack(
  settings: Settings,
  dataFolder: string,
  fs: FileSystem,
  clock: Clock,
  random: Random,
  metrics: Metrics,
  log: Log,
): Promise<WriteBack> {
  const about = writeBackSettings(settings, dataFolder);
  const { path } = about;
  const attempted = (result: string) => metrics.pendingAttempts.inc({ result });
  let opened: WriteBack;
  try {
    opened = await WriteBack.open(fs, clock, random, log, about, { attempted });
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    throw new CommandError(`the writes that are pending in ${path} cannot be read: ${error.message}`);
  }
  if (!isInCluster(settings)) {
    metrics.showPending(() => pendingOf(opened, clock));
    return opened;
  }
  const { entries } = pendingOf(opened, clock);
  if (entries === 0) return opened;
  await opened.close();
  throw new CommandError(
    `${entries} writes are pending in ${path}, which lie on this node alone: start it without etcd.endpoints, and run forebay pending flush`,
  );
}

/** A mount's storage, with what is pending for it where it can be kept apart from what others write. */
export function withPending(
  writeBack: WriteBack,
  settings: Settings,
  mounts: MountStore,
  mount: Mount,
  backend: Backend,
): Backend {
  if (mount.readOnly || !backend.capabilities.stamps) return backend;
  const { bucket, prefix, incarnation } = mount;
  const now = () => {
    const found = mounts.table.find(bucket, prefix);
    return found?.incarnation === incarnation ? found : undefined;
  };
  const isBack = () => now()?.writeMode === 'back';
  const hasCopies = () => (now()?.copies ?? settings['writeBack.copies']) <= 1;
  return writeBack.over(placeNameOf(mount), backend, isBack, hasCopies);
}

/** For administrators. */
export function nodePending(writeBack: WriteBack): PendingWrites {
  return {
    isShared: false,
    usage: () => writeBack.usage,
    places: () => writeBack.places,
    changes: (name, prefix) =>
      writeBack.changes(name, prefix).map(({ entry, lastError }) => ({
        key: entry.key,
        type: entry.change.type,
        bytes: entry.change.meta?.sizeBytes,
        etag: entry.change.meta?.etag,
        acknowledgedMs: entry.change.atMs,
        sent: entry.sent !== undefined,
        damaged: entry.isDamaged || undefined,
        lastError,
      })),
    flush: (name, prefix, withinMs) => writeBack.flush(name, prefix, AbortSignal.timeout(withinMs)),
    hold: (name) => writeBack.hold(name),
    discard: (name) => writeBack.discard(name),
    acceptLoss: () => writeBack.acceptLoss(),
    everyoneLooks: async () => {},
  };
}

/** Opens the storages that something is pending for, so that it is brought there. */
export function resumePending(
  writeBack: WriteBack,
  mounts: MountStore,
  backends: MountedBackends,
  log: Log,
): void {
  for (const { name, entries } of writeBack.places) {
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
