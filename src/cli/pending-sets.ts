import { join } from 'node:path';
import type { OwnPending, PendingRow, PendingWrites } from '../admin/pending-writes.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Random } from '../common/random.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { CoordStore } from '../coord/store.ts';
import type { PendingChanges } from '../gateway/object-teller.ts';
import { RingStanding } from '../gateway/routing/ring-standing.ts';
import { type Mount, placeNameOf } from '../mounts/mount.ts';
import { mountName } from '../mounts/mount-spec.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { PeerPool } from '../peers/peer-pool.ts';
import type { ChangeHead } from '../pending/records.ts';
import { PendingSets } from '../pending/sets/pending-sets.ts';
import type { PlaceRules } from '../pending/sets/set-backend.ts';
import type { WriteBack } from '../pending/write-back.ts';
import type { ClusterMember } from '../ring/cluster-member.ts';
import { hashObject } from '../ring/ring.ts';
import { waitMsFor } from '../ring/view-lease.ts';
import type { Backend } from '../ufs/backend.ts';
import { type FileSystem, FileSystemError } from '../ufs/file-system.ts';
import type { MetadataTarget } from '../worker/reader.ts';
import { CommandError } from './errors.ts';
import type { Settings } from './settings-table.ts';
import { writeBackSettings } from './write-back.ts';

const originKey = 'pending/origin';
/** Between tries to open a storage that something is pending for. */
const openAgainMs = 2_000;
/** A node that ends brings what is pending to its storage for so long; what is left another one takes over. */
export const flushAtEndMs = 2_000;

/** Pending writes of a node in a cluster. Rejects with `CoordError`, or with `CommandError` where what lies on the disk cannot be read. */
export async function openPendingSets(
  settings: Settings,
  dataFolder: string,
  fs: FileSystem,
  clock: Clock,
  random: Random,
  metrics: Metrics,
  log: Log,
  store: CoordStore,
  member: ClusterMember,
  pool: PeerPool,
  mounts: MountStore,
  backends: () => MountedBackends,
): Promise<PendingSets> {
  const path = join(dataFolder, 'pending');
  await store.putIf(originKey, random.uuid(), 'absent');
  const origin = (await store.get(originKey))?.value ?? '';
  const standing = new RingStanding(clock, member.ownership, waitMsFor(member.standing.settings.leaseMs));
  const attempted = (result: string) => metrics.pendingAttempts.inc({ result });
  const openPlace = placesOpener(clock, log, mounts, backends);
  const about = {
    ...writeBackSettings(settings, dataFolder),
    path,
    origin,
    wantedCopies: () => {
      const back = mounts.table.mounts.filter(({ writeMode }) => writeMode === 'back');
      return Math.max(0, ...back.map((mount) => copiesOf(settings, mount)));
    },
    isUsed: () => mounts.table.mounts.some(mayPend),
    knows: (incarnation: string, writeMode: string | undefined) => {
      const mount = mounts.table.mounts.find((one) => one.incarnation === incarnation);
      return mount !== undefined && mayPend(mount) && (writeMode ?? mount.writeMode) === mount.writeMode;
    },
    openPlace,
  };
  try {
    const sets = await PendingSets.open(fs, clock, random, log, store, pool, standing, about, { attempted });
    metrics.showPending(() => totalOf(sets, clock));
    metrics.showPendingCopies(() => sets.heldCopies);
    return sets;
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    throw new CommandError(`the writes that are pending in ${path} cannot be read: ${error.message}`);
  }
}

/** A mount's storage, with what is pending for it in the cluster. `forget`: what is known of an object, which has changed without anybody asking for it. */
export function withPendingSets(
  sets: PendingSets,
  own: WriteBack,
  settings: Settings,
  mounts: MountStore,
  mount: Mount,
  backend: Backend,
  forget: (target: Pick<MetadataTarget, 'incarnation' | 'path'>) => void,
): Backend {
  if (mount.readOnly || !backend.capabilities.stamps) return backend;
  const { bucket, prefix, incarnation } = mount;
  const name = placeNameOf(mount);
  const now = () => {
    const found = mounts.table.find(bucket, prefix);
    return found?.incarnation === incarnation ? found : undefined;
  };
  const rules: PlaceRules = {
    isBack: () => now()?.writeMode === 'back',
    // A mount that is gone is asked as long as somebody uses it.
    wasBack: () => mayPend(now() ?? mount),
    copies: () => copiesOf(settings, now() ?? mount),
    hashOf: (key) => hashObject(incarnation, key),
    appeared: (path) => forget({ incarnation, path }),
  };
  return sets.over(
    name,
    backend,
    own.over(name, backend, () => false),
    rules,
  );
}

/** What this node has to bring to storages. */
export function ownPending(sets: PendingSets): OwnPending & PendingChanges {
  return {
    changes: (name, prefix) =>
      [...sets.kept].flatMap((set) => {
        const lastError = (key: string) => set.persisters.get(name)?.lastError(key);
        const entries = set.chains.get(name)?.under(prefix) ?? [];
        return entries.map((entry) => ({ entry, lastError: lastError(entry.key) }));
      }),
    get places() {
      return placesOf(sets);
    },
    get usage() {
      return sets.usage;
    },
  };
}

/** For administrators: what is pending in the whole cluster. */
export function clusterPending(sets: PendingSets, mounts: MountStore): PendingWrites {
  const { elsewhere } = sets;
  const mountAt = (name: string) => mounts.table.mounts.find((one) => placeNameOf(one) === name);
  return {
    isShared: true,
    usage: () => sets.usage,
    places: async () => {
      // What fails is known to the keepers alone, and counted by their metrics.
      const places = new Map<string, Summed & { name: string }>();
      for (const usage of await elsewhere.usage()) {
        const sum = places.get(usage.name) ?? { name: usage.name, entries: 0, bytes: 0 };
        addTo(sum, usage);
        places.set(usage.name, sum);
      }
      return [...places.values()];
    },
    changes: async (name, prefix) => (await elsewhere.under(name, prefix)).map(rowOf).sort(byKey),
    flush: (name, prefix, withinMs) => elsewhere.flush(name, { prefix }, withinMs),
    hold: async (name) => {
      const mount = mountAt(name);
      if (mount?.writeMode !== 'back') return () => {};
      const { bucket, prefix, incarnation } = mount;
      await mounts.setWriteMode(bucket, prefix, { writeMode: 'through' });
      const undo = async () => {
        await mounts.setWriteMode(bucket, prefix, { writeMode: 'back' });
      };
      try {
        await sets.everyoneKnows(incarnation, 'through');
        return undo;
      } catch (error) {
        await undo();
        throw error;
      }
    },
    discard: (name) => sets.discard(name),
    acceptLoss: () => sets.acceptLoss(),
    everyoneLooks: (incarnation) => sets.everyoneKnows(incarnation),
  };
}

function mayPend({ wasBack, writeMode }: Pick<Mount, 'wasBack' | 'writeMode'>): boolean {
  return wasBack === true || writeMode === 'back';
}

/** In a cluster no node is the only one to have a write. */
function copiesOf(settings: Settings, { copies }: Pick<Mount, 'copies'>): number {
  return Math.max(2, copies ?? settings['writeBack.copies']);
}

function placesOpener(clock: Clock, log: Log, mounts: MountStore, backends: () => MountedBackends) {
  const tried = new Map<string, number>();
  return (name: string) => {
    const nowMs = clock.monotonicMs();
    if (nowMs < (tried.get(name) ?? 0)) return;
    tried.set(name, nowMs + openAgainMs);
    const mount = mounts.table.mounts.find((one) => placeNameOf(one) === name);
    if (!mount) {
      log.error({ place: name }, 'writes are pending for a storage that no mount leads to');
      return;
    }
    Promise.resolve(backends().get(mount)).catch((err: unknown) => {
      log.error({ err, mount: mountName(mount) }, 'the storage that writes are pending for cannot be opened');
    });
  };
}

function totalOf(sets: PendingSets, clock: Clock) {
  let [entries, bytes, oldestSeconds, failing] = [0, 0, 0, 0];
  for (const place of placesOf(sets)) {
    entries += place.entries;
    bytes += place.bytes;
    failing += place.failing;
    const { oldestMs } = place;
    if (oldestMs !== undefined) oldestSeconds = Math.max(oldestSeconds, (clock.nowMs() - oldestMs) / 1_000);
  }
  return { entries, bytes, oldestSeconds, failing };
}

/** Of the sets that this node keeps. */
function placesOf(sets: PendingSets) {
  const places = new Map<string, Summed & { name: string; failing: number; lastError?: string }>();
  for (const set of sets.kept) {
    for (const [name, { usage }] of set.chains) {
      const sum = places.get(name) ?? { name, entries: 0, bytes: 0, failing: 0 };
      addTo(sum, usage);
      const persister = set.persisters.get(name);
      sum.failing += persister?.failing ?? 0;
      sum.lastError ??= persister?.someError;
      places.set(name, sum);
    }
  }
  return [...places.values()];
}

interface Summed {
  entries: number;
  bytes: number;
  oldestMs?: number;
}

function addTo(
  sum: Summed,
  more: { readonly entries: number; readonly bytes: number; readonly oldestMs?: number | undefined },
): void {
  sum.entries += more.entries;
  sum.bytes += more.bytes;
  const { oldestMs } = more;
  if (oldestMs !== undefined) sum.oldestMs = Math.min(oldestMs, sum.oldestMs ?? oldestMs);
}

function rowOf({ key, type, meta, atMs }: ChangeHead): PendingRow {
  return { key, type, bytes: meta?.sizeBytes, etag: meta?.etag, acknowledgedMs: atMs };
}

function byKey(a: PendingRow, b: PendingRow): number {
  return compareUtf8(a.key, b.key);
}
