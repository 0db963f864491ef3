import type { AtOnce } from '../common/at-once.ts';
import type { Freshness } from '../common/freshness.ts';
import { effectiveFreshness, type Mount, placeNameOf, type WriteMode } from '../mounts/mount.ts';
import { MountError } from '../mounts/mount-error.ts';
import { mountName, parseCopies, parseMountTarget } from '../mounts/mount-spec.ts';
import { whyNotBack } from '../pending/requirements.ts';
import type { Backend } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { AdminError } from './admin-error.ts';
import { pendingPlace, pendingPlaces } from './pending-places.ts';
import {
  type AdminRoute,
  type AdminServices,
  flag,
  integer,
  list,
  object,
  shortText,
  text,
} from './route.ts';

const change = object(
  {
    key: text,
    type: text,
    bytes: integer,
    etag: text,
    acknowledged: text,
    sent: flag,
    damaged: flag,
    lastError: text,
  },
  ['key', 'type', 'acknowledged'],
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
    answer: object(
      { places: list(pendingPlace), usedBytes: integer, capacityBytes: integer, lostRecords: integer },
      ['places', 'usedBytes', 'capacityBytes', 'lostRecords'],
    ),
    fails: ['NodesNotReached'],
    changes: 'nothing',
    handler: async (services) => {
      const { pending } = services;
      const places = await told(pending.places());
      const rows = pendingPlaces(places, services.mounts, services.clock.nowMs());
      const { bytes: usedBytes, capacityBytes, lostRecords } = pending.usage();
      return { status: 200, body: { places: rows, usedBytes, capacityBytes, lostRecords } };
    },
  },
  {
    name: 'ShowPending',
    method: 'GET',
    path: '/v1/pending/:target',
    summary: 'What is pending in a bucket or below a prefix of one, up to 1,000 writes',
    answer: object({ changes: list(change), truncated: flag }, ['changes', 'truncated']),
    fails: ['NotFound', 'NodesNotReached'],
    changes: 'nothing',
    handler: async (services, { parameters }) => {
      const { mount, prefix, below } = mountOf(services, parameters.target as string);
      const found = await told(services.pending.changes(placeNameOf(mount), prefix));
      const rows = found.slice(0, maxChanges).map(({ key, acknowledgedMs, ...row }) => ({
        ...row,
        key: below + key,
        acknowledged: new Date(acknowledgedMs).toISOString(),
      }));
      return { status: 200, body: { changes: rows, truncated: found.length > rows.length } };
    },
  },
  {
    name: 'FlushPending',
    method: 'POST',
    path: '/v1/pending/:target/flush',
    summary: 'Waits until what is pending in a bucket or below a prefix of one is at its storage',
    answer: object({ entries: integer }, ['entries']),
    fails: ['NotFound', 'BackendFailed', 'NodesNotReached'],
    changes: 'nothing',
    handler: async (services, { parameters }) => {
      const { mount, prefix } = mountOf(services, parameters.target as string);
      const { pending } = services;
      const name = placeNameOf(mount);
      await services.backends.get(mount);
      // What is left is told; it is tried on.
      await pending.flush(name, prefix, flushMs).catch(() => undefined);
      return { status: 200, body: { entries: (await told(pending.changes(name, prefix))).length } };
    },
  },
  {
    name: 'AcceptPendingLoss',
    method: 'POST',
    path: '/v1/pending-loss/accept',
    summary: 'Goes on without records of acknowledged writes that cannot be read any more',
    answer: object({ lostRecords: integer }, ['lostRecords']),
    fails: ['Conflict', 'NodesNotReached'],
    changes: ({ pending }) => pending && { lostRecords: pending.usage().lostRecords },
    handler: async (services) => {
      const { pending } = services;
      const { lostRecords } = pending.usage();
      await pending.acceptLoss();
      return { status: 200, body: { lostRecords } };
    },
  },
  {
    name: 'SetWriteMode',
    method: 'POST',
    path: '/v1/mounts/:target/write-mode',
    summary: 'Another write mode, from the next write on; what is pending comes first',
    body: object({ writeMode: shortText(16), copies: shortText(8) }, ['writeMode']),
    answer: object({ name: text, writeMode: text, copies: integer }, ['name', 'writeMode']),
    fails: ['NotFound', 'Conflict', 'BackendFailed', 'NodesNotReached'],
    changes: ({ mounts }, { parameters }) => {
      const { bucket, prefix } = parseMountTarget(parameters.target as string);
      const mount = mounts.table.find(bucket, prefix);
      return mount && { name: mountName(mount), writeMode: mount.writeMode };
    },
    handler: async (services, { parameters, body }) => {
      const { bucket, prefix } = parseMountTarget(parameters.target as string);
      const { writeMode, copies } = body as { writeMode: string; copies?: string };
      const mount = services.mounts.table.find(bucket, prefix);
      if (!mount) throw new MountError('not-found', `there is no mount ${mountName({ bucket, prefix })}`);
      const change = { writeMode: parseMode(writeMode), ...parseCopies(copies) };
      if (change.writeMode === 'back') {
        // Not through what is pending: the owners of objects alone change them there.
        const storage = await services.openStorage(mount);
        try {
          await refuseBack(services, { ...mount, ...change }, storage, mount.readOnly);
        } finally {
          await storage.close();
        }
        await beforeBack(services, mount);
      }
      const changed = await services.mounts.setWriteMode(bucket, prefix, change);
      return {
        status: 200,
        body: { name: mountName(mount), writeMode: change.writeMode, copies: changed.copies },
      };
    },
  },
];

/** Before writes to a mount may be acknowledged without its storage, everybody has to look for what is pending there. */
export async function beforeBack({ pending, mounts }: AdminServices, mount: Mount): Promise<void> {
  if (!pending.isShared) return;
  if (!mount.wasBack) await mounts.setWriteMode(mount.bucket, mount.prefix, { wasBack: true });
  await told(pending.everyoneLooks(mount.incarnation));
}

function parseMode(text: string): WriteMode {
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
    readonly freshness?: Freshness;
    readonly copies?: number;
  },
  backend: Backend,
  readOnly: boolean,
): Promise<void> {
  const refused = (reason: string) =>
    new MountError('invalid', `${mountName(target)} cannot have write mode back: ${reason}`);
  if (readOnly) throw refused('nothing is written to a mount that is read-only');
  if (services.pending.isShared) refuseInCluster(services.leaseMs, target, refused);
  for (const other of services.mounts.table.mounts) {
    const isItself = other.bucket === target.bucket && other.prefix === target.prefix;
    if (isItself || other.endpoint !== target.endpoint) continue;
    if (!other.uri.startsWith(target.uri) && !target.uri.startsWith(other.uri)) continue;
    throw refused(`the mount ${mountName(other)} has the same place, or a part of it (${other.uri})`);
  }
  const reason = await whyNotBack(services.random, backend);
  if (reason !== undefined) throw refused(`${target.uri} is not fit for it: ${reason}; use through`);
}

/** Nodes go by what the owner of an object knows of it, so that there has to be one; and a node that is gone takes nothing with it. */
function refuseInCluster(
  leaseMs: number,
  target: { readonly uri: string; readonly freshness?: Freshness; readonly copies?: number },
  refused: (reason: string) => MountError,
): void {
  if (effectiveFreshness(target, leaseMs).kind === 'always')
    throw refused('in a cluster it takes another freshness than always, such as --freshness lease:30s');
  if (target.copies === 1) throw refused('in a cluster it takes 2 copies at least');
}

/**
 * Runs the removal of a mount. What is pending for it is not left without a storage: it is refused, or with `force` lost. Gives what was lost.
 */
export async function removeWithPending(
  { pending }: AdminServices,
  mount: Mount | undefined,
  force: boolean,
  remove: () => Promise<unknown>,
): Promise<{ readonly lostEntries?: number; readonly lostBytes?: number }> {
  const mayPend = mount?.wasBack || mount?.writeMode === 'back' || pending.isShared === false;
  if (!pending || !mount || !mayPend) {
    await remove();
    return {};
  }
  const name = placeNameOf(mount);
  const undo = await told(pending.hold(name));
  let isRemoved = false;
  try {
    const places = await told(pending.places());
    let [entries, bytes] = [0, 0];
    for (const place of places) {
      if (place.name !== name) continue;
      entries += place.entries;
      bytes += place.bytes;
    }
    if (entries > 0 && !force) {
      throw new AdminError(
        409,
        'PendingWrites',
        `${entries} writes to ${mountName(mount)} with ${bytes} bytes were acknowledged and are not at ${mount.uri} yet: wait for forebay pending flush ${mountName(mount)}, or give --force and lose them`,
      );
    }
    await remove();
    isRemoved = true;
    const discarding = told(pending.discard(name));
    if (entries === 0) {
      // Uploads in parts that nobody will go on with; where they stay they are given up for their age.
      await discarding.catch(() => undefined);
      return {};
    }
    await discarding;
    return { lostEntries: entries, lostBytes: bytes };
  } finally {
    if (!isRemoved || !pending.isShared) await undo();
  }
}

/** What other nodes have to tell is an answer of its own where they do not. */
async function told<T>(work: AtOnce<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UfsError)) throw error;
    throw new AdminError(503, 'NodesNotReached', error.message);
  }
}

/** The mount that a bucket, or a prefix in one, lies in; and the prefix at its storage. */
function mountOf({ mounts }: AdminServices, target: string) {
  const { bucket } = parseMountTarget(target.split('/')[0] as string);
  const wanted = target.includes('/') ? target.slice(target.indexOf('/') + 1) : '';
  // A key that is a mount's own prefix lies beside it, and what is asked about lies in it.
  const whole = mounts.table.find(bucket, wanted === '' || wanted.endsWith('/') ? wanted : `${wanted}/`);
  if (whole) return { mount: whole, prefix: '', below: whole.prefix };
  const { mount, path } = mounts.table.resolve(bucket, wanted);
  if (mount === 'root')
    throw new MountError('not-found', `no mount holds ${target}: nothing is ever pending there`);
  return { mount, prefix: path, below: wanted.slice(0, wanted.length - path.length) };
}
