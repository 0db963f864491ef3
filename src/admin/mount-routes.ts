import { effectiveFreshness, type Mount } from '../mounts/mount.ts';
import { MountError } from '../mounts/mount-error.ts';
import {
  formatFreshness,
  type MountRequest,
  mountName,
  parseMountRequest,
  parseMountTarget,
} from '../mounts/mount-spec.ts';
import { UfsError } from '../ufs/errors.ts';
import { AdminError } from './admin-error.ts';
import { refuseDataFolder } from './data-folder-guard.ts';
import { MountCheck } from './mount-check.ts';
import {
  type AdminRoute,
  type AdminServices,
  flag,
  list,
  nothing,
  object,
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
    pathStyle: flag,
    readOnly: flag,
    writeMode: text,
    freshness: text,
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

const checkTimeoutMs = 10_000;

/** Mounts. `:target` is `BUCKET` or `BUCKET/PREFIX`, percent-encoded as one part of the path. */
export const mountRoutes: readonly AdminRoute[] = [
  {
    name: 'AddMount',
    method: 'POST',
    path: '/v1/mounts',
    summary: 'Adds a mount, effective at once; refused if the storage behind it cannot be listed',
    body: object(
      {
        target: shortText(1000),
        uri: shortText(2048),
        endpoint: shortText(300),
        region: shortText(64),
        accessKeyId: shortText(256),
        secretAccessKey: shortText(1024),
        pathStyle: flag,
        readOnly: flag,
        writeMode: { type: 'string', enum: ['through', 'back', 'around'] },
        freshness: shortText(32),
        owner: shortText(64),
      },
      ['target', 'uri'],
    ),
    answer: mount,
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
    answer: nothing,
    handler: async ({ mounts }, { parameters }) => {
      const { bucket, prefix } = parseMountTarget(parameters.target as string);
      await mounts.remove(bucket, prefix);
      return { status: 200, body: {} };
    },
  },
  {
    name: 'CheckMount',
    method: 'POST',
    path: '/v1/mounts/:target/check',
    summary: 'Tries at the storage behind a mount what serving it takes',
    answer: object({ ok: flag, steps: list(step) }, ['ok', 'steps']),
    handler: async (services, { parameters }) => {
      const found = findMount(services, parameters.target as string);
      const check = new MountCheck(services.clock, services.random, { timeoutMs: checkTimeoutMs });
      const steps = await check.run(async () => services.backends.get(found), found.readOnly);
      return { status: 200, body: { ok: steps.every((row) => row.result !== 'failed'), steps } };
    },
  },
];

async function addMount(services: AdminServices, request: MountRequest): Promise<Mount> {
  const { mounts, users, dataFolder } = services;
  const spec = parseMountRequest(request);
  if (spec.path !== undefined) await refuseDataFolder(spec.path, dataFolder);
  if (spec.owner !== undefined) users.showUser(spec.owner);
  const added = await mounts.add(spec);
  try {
    const backend = await services.backends.get(added);
    await backend.list({ prefix: '', limit: 1, signal: AbortSignal.timeout(checkTimeoutMs) });
    return added;
  } catch (error) {
    await mounts.remove(added.bucket, added.prefix);
    if (!(error instanceof UfsError)) throw error;
    throw new AdminError(
      400,
      'BackendNotUsable',
      `${mountName(added)} was not added, for ${added.uri} cannot be listed: ${error.message}`,
    );
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
    pathStyle: row.pathStyle,
    readOnly: row.readOnly,
    writeMode: row.writeMode,
    freshness: formatFreshness(effectiveFreshness(row, leaseMs)),
    owner: mounts.buckets.get(row.bucket)?.owner ?? '',
    created: new Date(row.createdMs).toISOString(),
  };
}
