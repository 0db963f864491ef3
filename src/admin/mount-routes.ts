import { effectiveFreshness, type Mount } from '../mounts/mount.ts';
import { MountError } from '../mounts/mount-error.ts';
import {
  formatFreshness,
  type MountRequest,
  type MountSpec,
  mountName,
  parseMountRequest,
  parseMountTarget,
} from '../mounts/mount-spec.ts';
import type { Backend, ProbedAbilities } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { AdminError } from './admin-error.ts';
import { MountCheck, tryStorage } from './mount-check.ts';
import { refuseOwnFolders } from './own-folders-guard.ts';
import { beforeBack, refuseBack, removeWithPending } from './pending-routes.ts';
import {
  type AdminRoute,
  type AdminServices,
  flag,
  type Look,
  list,
  object,
  secretText,
  shortText,
  text,
} from './route.ts';

const mount = object(
  {
    name: text,
    bucket: text,
    prefix: text,
    uri: text,
    endpoint: text,
    region: text,
    accessKeyId: text,
    anonymous: flag,
    user: text,
    pathStyle: flag,
    readOnly: flag,
    writeMode: text,
    copies: { type: 'integer' },
    freshness: text,
    maxRequests: { type: 'integer' },
    maxBytesPerSecond: { type: 'integer' },
    owner: text,
    created: text,
  },
  ['name', 'bucket', 'prefix', 'uri', 'readOnly', 'writeMode', 'freshness', 'owner', 'created'],
);
const step = object({ name: text, result: text, detail: text, ms: { type: 'integer' } }, [
  'name',
  'result',
  'detail',
  'ms',
]);

const lost = object({ lostEntries: { type: 'integer' }, lostBytes: { type: 'integer' } }, []);

const checkTimeoutMs = 10_000;

/** The mount whose target stands in the path. */
const lookAtMount: Look = (services, { parameters }) =>
  mountView(services, findMount(services, parameters.target as string));

/** Mounts. `:target` is `BUCKET` or `BUCKET/PREFIX`, percent-encoded as one part of the path. */
export const mountRoutes: readonly AdminRoute[] = [
  {
    name: 'AddMount',
    method: 'POST',
    path: '/v1/mounts',
    summary: 'Adds a mount, effective at once; refused if the storage behind it cannot be used',
    body: object(
      {
        target: shortText(1000),
        uri: shortText(2048),
        endpoint: shortText(1000),
        region: shortText(64),
        accessKeyId: shortText(256),
        secretAccessKey: secretText(1024),
        credentials: secretText(16_384),
        anonymous: flag,
        user: shortText(256),
        pathStyle: flag,
        readOnly: flag,
        writeMode: { type: 'string', enum: ['through', 'back', 'around'] },
        copies: shortText(8),
        freshness: shortText(32),
        maxRequests: shortText(16),
        maxBytesPerSecond: shortText(32),
        owner: shortText(64),
      },
      ['target', 'uri'],
    ),
    answer: mount,
    status: 201,
    fails: [
      'BackendNotUsable',
      'NotFound',
      'AlreadyExists',
      'Conflict',
      'LimitExceeded',
      'BackendFailed',
      'NodesNotReached',
    ],
    changes: (services, { body }) => mountView(services, findMount(services, (body as MountRequest).target)),
    handler: async (services, request) => ({
      status: 201,
      body: mountView(services, await addMount(services, request.body as MountRequest)),
    }),
  },
  {
    name: 'ListMounts',
    method: 'GET',
    path: '/v1/mounts',
    summary: 'All mounts, by bucket and prefix',
    answer: object({ mounts: list(mount) }, ['mounts']),
    changes: 'nothing',
    handler: async (services) => ({
      status: 200,
      body: { mounts: services.mounts.table.mounts.map((row) => mountView(services, row)) },
    }),
  },
  {
    name: 'ShowMount',
    method: 'GET',
    path: '/v1/mounts/:target',
    summary: 'One mount',
    answer: mount,
    fails: ['NotFound'],
    changes: 'nothing',
    handler: async (services, { parameters }) => ({
      status: 200,
      body: mountView(services, findMount(services, parameters.target as string)),
    }),
  },
  {
    name: 'RemoveMount',
    method: 'DELETE',
    path: '/v1/mounts/:target',
    summary: 'Removes a mount, and its bucket if it was mounted whole; the storage behind is left as it is',
    answer: lost,
    fails: ['NotFound', 'MountNotEmpty', 'PendingWrites', 'Conflict', 'NodesNotReached'],
    changes: lookAtMount,
    handler: (services, { parameters }) => removeMount(services, parameters.target as string, false),
  },
  {
    name: 'RemoveMountByForce',
    method: 'POST',
    path: '/v1/mounts/:target/remove-by-force',
    summary: 'Removes a mount though writes are pending for it, which are lost',
    answer: lost,
    fails: ['NotFound', 'MountNotEmpty', 'Conflict', 'NodesNotReached'],
    changes: lookAtMount,
    handler: (services, { parameters }) => removeMount(services, parameters.target as string, true),
  },
  {
    name: 'CheckMount',
    method: 'POST',
    path: '/v1/mounts/:target/check',
    summary: 'Tries at the storage behind a mount what serving it takes',
    answer: object({ ok: flag, steps: list(step) }, ['ok', 'steps']),
    fails: ['NotFound', 'BackendFailed'],
    changes: 'nothing',
    handler: async (services, { parameters }) => {
      const found = findMount(services, parameters.target as string);
      const check = new MountCheck(services.clock, services.random, { timeoutMs: checkTimeoutMs });
      // Where others own the objects, what is tried is the storage itself.
      const isOwned = services.pending.isShared === true && found.wasBack === true;
      const storage = isOwned ? await services.openStorage(found) : undefined;
      const steps = await check
        .run(async () => storage ?? services.backends.get(found), found.readOnly)
        .finally(() => storage?.close());
      return { status: 200, body: { ok: steps.every((row) => row.result !== 'failed'), steps } };
    },
  },
];

async function removeMount(services: AdminServices, target: string, force: boolean) {
  const { bucket, prefix } = parseMountTarget(target);
  const { mounts } = services;
  const mount = mounts.table.find(bucket, prefix);
  const remove = () => mounts.remove(bucket, prefix);
  return { status: 200, body: await removeWithPending(services, mount, force, remove) };
}

async function addMount(services: AdminServices, request: MountRequest): Promise<Mount> {
  const { mounts, users, ownFolders } = services;
  const spec = parseMountRequest(request);
  if (spec.path !== undefined) await refuseOwnFolders(spec.path, ownFolders);
  if (spec.owner !== undefined) users.showUser(spec.owner);
  mounts.checkFree(spec);
  const abilities = await tryOut(services, spec);
  if (spec.writeMode !== 'back' || !services.pending.isShared) return mounts.add(spec, abilities);
  // So that nobody reads past what is pending before it has heard of the mount.
  const mount = await mounts.add({ ...spec, writeMode: 'through' }, abilities);
  await beforeBack(services, mount);
  return mounts.setWriteMode(mount.bucket, mount.prefix, { writeMode: 'back' });
}

/** What the storage behind a mount to be can do; refuses the mount if it cannot be used. */
async function tryOut(services: AdminServices, spec: MountSpec): Promise<ProbedAbilities | undefined> {
  let backend: Backend | undefined;
  try {
    backend = await services.tryBackend(spec);
    const abilities = await tryStorage(services.random, backend, spec.readOnly, checkTimeoutMs);
    if (spec.writeMode === 'back') await tryBack(services, spec, abilities);
    return abilities;
  } catch (error) {
    if (!(error instanceof UfsError)) throw error;
    throw new AdminError(
      400,
      'BackendNotUsable',
      `${mountName(spec)} was not added, for ${spec.uri} cannot be used: ${error.message}`,
    );
  } finally {
    await backend?.close();
  }
}

/** With the abilities that were found the storage is used as the mount will use it. */
async function tryBack(
  services: AdminServices,
  spec: MountSpec,
  abilities: ProbedAbilities | undefined,
): Promise<void> {
  const backend = await services.tryBackend({ ...spec, abilities });
  try {
    await refuseBack(services, spec, backend, spec.readOnly);
  } finally {
    await backend.close();
  }
}

function findMount({ mounts }: AdminServices, target: string): Mount {
  const { bucket, prefix } = parseMountTarget(target);
  const found = mounts.table.find(bucket, prefix);
  if (!found) throw new MountError('not-found', `there is no mount ${mountName({ bucket, prefix })}`);
  return found;
}

/** Without the secret, sealed as it is. */
function mountView({ mounts, leaseMs }: AdminServices, row: Mount) {
  return {
    name: mountName(row),
    bucket: row.bucket,
    prefix: row.prefix,
    uri: row.uri,
    endpoint: row.endpoint,
    region: row.region,
    accessKeyId: row.accessKeyId,
    anonymous: row.anonymous,
    user: row.user,
    pathStyle: row.pathStyle,
    readOnly: row.readOnly,
    writeMode: row.writeMode,
    copies: row.copies,
    freshness: formatFreshness(effectiveFreshness(row, leaseMs)),
    maxRequests: row.maxRequests,
    maxBytesPerSecond: row.maxBytesPerSecond,
    owner: mounts.buckets.get(row.bucket)?.owner ?? '',
    created: new Date(row.createdMs).toISOString(),
  };
}
