import { type Mount, placeNameOf } from '../mounts/mount.ts';
import { MountError } from '../mounts/mount-error.ts';
import { mountName, parseMountTarget } from '../mounts/mount-spec.ts';
import { whyNotBack } from '../pending/requirements.ts';
import type { WriteBack } from '../pending/write-back.ts';
import type { Backend } from '../ufs/backend.ts';
import { AdminError } from './admin-error.ts';
import { type AdminRoute, type AdminServices, flag, list, object, shortText, text } from './route.ts';

const number = { type: 'integer' };
const place = object(
  {
    place: text,
    mount: text,
    entries: number,
    bytes: number,
    oldestSeconds: number,
    failing: number,
    lastError: text,
  },
  ['place', 'entries', 'bytes', 'failing'],
);
const change = object(
  {
    key: text,
    type: text,
    bytes: number,
    etag: text,
    acknowledged: text,
    sent: flag,
    damaged: flag,
    lastError: text,
  },
  ['key', 'type', 'acknowledged', 'sent'],
);
const maxChanges = 1_000;
const flushMs = 40_000;

/** Writes that were acknowledged and that their storage does not have yet. */
export const pendingRoutes: readonly AdminRoute[] = [
  {
    name: 'ListPending',
    method: 'GET',
    path: '/v1/pending',
    summary: 'How much is pending, for each storage',
    answer: object({ places: list(place), usedBytes: number, capacityBytes: number, lostRecords: number }, [
      'places',
      'usedBytes',
      'capacityBytes',
      'lostRecords',
    ]),
    handler: async (services) => {
      const { places, usage } = writeBackOf(services);
      const nowMs = services.clock.nowMs();
      const rows = places.map(({ name, entries, bytes, oldestMs, failing, lastError }) => {
        const mount = services.mounts.table.mounts.find((one) => placeNameOf(one) === name);
        return {
          place: name,
          mount: mount && mountName(mount),
          entries,
          bytes,
          oldestSeconds: oldestMs === undefined ? undefined : Math.round((nowMs - oldestMs) / 1_000),
          failing,
          lastError,
        };
      });
      const { bytes: usedBytes, capacityBytes, lostRecords } = usage;
      return { status: 200, body: { places: rows, usedBytes, capacityBytes, lostRecords } };
    },
  },
  {
    name: 'ShowPending',
    method: 'GET',
    path: '/v1/pending/:target',
    summary: 'What is pending in a bucket or below a prefix of one, up to 1,000 writes',
    answer: object({ changes: list(change), truncated: flag }, ['changes', 'truncated']),
    handler: async (services, { parameters }) => {
      const { mount, prefix, below } = mountOf(services, parameters.target as string);
      const found = writeBackOf(services).changes(placeNameOf(mount), prefix);
      const rows = found.slice(0, maxChanges).map(({ entry, lastError }) => ({
        key: below + entry.key,
        type: entry.change.type,
        bytes: entry.change.meta?.sizeBytes,
        etag: entry.change.meta?.etag,
        acknowledged: new Date(entry.change.atMs).toISOString(),
        sent: entry.sent !== undefined,
        damaged: entry.isDamaged || undefined,
        lastError,
      }));
      return { status: 200, body: { changes: rows, truncated: found.length > rows.length } };
    },
  },
  {
    name: 'FlushPending',
    method: 'POST',
    path: '/v1/pending/:target/flush',
    summary: 'Waits until what is pending in a bucket or below a prefix of one is at its storage',
    answer: object({ entries: number }, ['entries']),
    handler: async (services, { parameters }) => {
      const { mount, prefix } = mountOf(services, parameters.target as string);
      const writeBack = writeBackOf(services);
      const name = placeNameOf(mount);
      await services.backends.get(mount);
      // What is left is told; it is tried on.
      await writeBack.flush(name, prefix, AbortSignal.timeout(flushMs)).catch(() => undefined);
      return { status: 200, body: { entries: writeBack.changes(name, prefix).length } };
    },
  },
  {
    name: 'AcceptPendingLoss',
    method: 'POST',
    path: '/v1/pending-loss/accept',
    summary: 'Goes on without records of acknowledged writes that cannot be read any more',
    answer: object({ lostRecords: number }, ['lostRecords']),
    handler: async (services) => {
      const writeBack = writeBackOf(services);
      const { lostRecords } = writeBack.usage;
      await writeBack.acceptLoss();
      return { status: 200, body: { lostRecords } };
    },
  },
  {
    name: 'SetWriteMode',
    method: 'POST',
    path: '/v1/mounts/:target/write-mode',
    summary: 'Another write mode, from the next write on; what is pending comes first',
    body: object({ writeMode: shortText(16) }, ['writeMode']),
    answer: object({ name: text, writeMode: text }, ['name', 'writeMode']),
    handler: async (services, { parameters, body }) => {
      const { bucket, prefix } = parseMountTarget(parameters.target as string);
      const { writeMode } = body as { writeMode: string };
      const mount = services.mounts.table.find(bucket, prefix);
      if (!mount) throw new MountError('not-found', `there is no mount ${mountName({ bucket, prefix })}`);
      const mode = parseMode(writeMode);
      if (mode === 'back')
        await refuseBack(services, mount, await services.backends.get(mount), mount.readOnly);
      await services.mounts.setWriteMode(bucket, prefix, mode);
      return { status: 200, body: { name: mountName(mount), writeMode: mode } };
    },
  },
];

function parseMode(text: string) {
  if (text === 'through' || text === 'around' || text === 'back') return text;
  throw new MountError(
    'invalid',
    `the write mode must be through, back or around, not ${JSON.stringify(text)}`,
  );
}

/** Refuses write mode back where it would not keep what it promises. */
export async function refuseBack(
  services: AdminServices,
  target: {
    readonly bucket: string;
    readonly prefix: string;
    readonly uri: string;
    readonly endpoint?: string;
  },
  backend: Backend,
  readOnly: boolean,
): Promise<void> {
  const refused = (reason: string) =>
    new MountError('invalid', `${mountName(target)} cannot have write mode back: ${reason}`);
  if (!services.writeBack)
    throw refused('in a cluster writes are acknowledged by their storage: use through');
  if (readOnly) throw refused('nothing is written to a mount that is read-only');
  for (const other of services.mounts.table.mounts) {
    const isItself = other.bucket === target.bucket && other.prefix === target.prefix;
    if (isItself || other.endpoint !== target.endpoint) continue;
    if (!other.uri.startsWith(target.uri) && !target.uri.startsWith(other.uri)) continue;
    throw refused(`the mount ${mountName(other)} has the same place, or a part of it (${other.uri})`);
  }
  const reason = await whyNotBack(services.random, backend);
  if (reason !== undefined) throw refused(`${target.uri} is not fit for it: ${reason}; use through`);
}

/**
 * Runs the removal of a mount. What is pending for it is not left without a storage: it is refused, or with `force` lost. Gives what was lost.
 */
export async function removeWithPending(
  services: AdminServices,
  mount: Mount | undefined,
  force: boolean,
  remove: () => Promise<unknown>,
): Promise<{ readonly lostEntries?: number; readonly lostBytes?: number }> {
  const { writeBack } = services;
  if (!writeBack || !mount) {
    await remove();
    return {};
  }
  const name = placeNameOf(mount);
  const undo = writeBack.hold(name);
  try {
    const { entries, bytes } = writeBack.usageOf(name);
    if (entries > 0 && !force) {
      throw new AdminError(
        409,
        'PendingWrites',
        `${entries} writes to ${mountName(mount)} with ${bytes} bytes were acknowledged and are not at ${mount.uri} yet: wait for forebay pending flush ${mountName(mount)}, or give --force and lose them`,
      );
    }
    await remove();
    if (entries === 0) return {};
    await writeBack.discard(name);
    return { lostEntries: entries, lostBytes: bytes };
  } finally {
    undo();
  }
}

function writeBackOf({ writeBack }: AdminServices): WriteBack {
  if (writeBack) return writeBack;
  throw new AdminError(
    409,
    'InCluster',
    'nothing is pending at a node in a cluster: writes go to their storage at once',
  );
}

/** The mount that a bucket, or a prefix in one, lies in; and the prefix at its storage. */
function mountOf({ mounts }: AdminServices, target: string) {
  const { bucket } = parseMountTarget(target.split('/')[0] as string);
  const wanted = target.includes('/') ? target.slice(target.indexOf('/') + 1) : '';
  const { mount, path } = mounts.table.resolve(bucket, wanted);
  if (mount === 'root')
    throw new MountError('not-found', `no mount holds ${target}: nothing is ever pending there`);
  return { mount, prefix: path, below: wanted.slice(0, wanted.length - path.length) };
}
