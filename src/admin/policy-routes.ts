import type { Holdings, HoldingsTarget } from '../common/held-pages.ts';
import { mountName } from '../mounts/mount-spec.ts';
import { type PolicyRow, policyFieldNames } from '../mounts/policy.ts';
import { explainPolicy } from '../mounts/policy-explanation.ts';
import {
  checkSizes,
  fieldLabels,
  formatPolicyField,
  type PolicyRequest,
  parsePolicyRequest,
  parsePolicyTarget,
} from '../mounts/policy-spec.ts';
import { policyName } from '../mounts/policy-table.ts';
import { AdminError } from './admin-error.ts';
import { askHoldings, inForce } from './holdings-of-all.ts';
import { checkFreshness, checkRoom, ownFreshness } from './policy-checks.ts';
import {
  type AdminRoute,
  type AdminServices,
  integer,
  type Look,
  list,
  object,
  shortText,
  silentNode,
  text,
} from './route.ts';

/** Targets that nodes are asked about in one question. */
const targetsAtOnce = 100;

const fieldSchemas = Object.fromEntries(Object.values(fieldLabels).map((label) => [label, text]));
const policy = object({ target: text, ...fieldSchemas, held: integer, limit: integer }, ['target']);
const reach = { nodes: integer, nodesInForce: integer };
const globs = { type: 'array', items: shortText(256), maxItems: 32, minItems: 1 };
const silent = list(silentNode);
const held = object({ workerId: text, pages: integer, bytes: integer }, ['workerId', 'pages', 'bytes']);

/** What holds for an object, as `PolicyExplanation` has it. */
export const policyInForce = {
  kept: { type: 'string', enum: ['always', 'second-read', 'never'] },
  fields: list(object({ name: text, value: text, from: text }, ['name', 'value', 'from'])),
};

const lookAtPolicy =
  (targetOf: (request: Parameters<Look>[1]) => string): Look =>
  ({ policies }, request) => {
    const { bucket, prefix } = parsePolicyTarget(targetOf(request));
    const row = policies.table.get(bucket, prefix);
    return row && view(row);
  };

/** Policies, and what is cached. `:target` is `BUCKET` or `BUCKET/PREFIX`, percent-encoded as one part of the path. */
export const policyRoutes: readonly AdminRoute[] = [
  {
    name: 'SetPolicy',
    method: 'POST',
    path: '/v1/policies',
    summary:
      'Sets what holds for the cache of a bucket or prefix, on every node; fields that are not named stay',
    body: object(
      {
        target: shortText(1000),
        ttl: shortText(32),
        pin: shortText(8),
        priority: shortText(8),
        cache: shortText(16),
        include: globs,
        exclude: globs,
        minSize: shortText(32),
        maxSize: shortText(32),
        quota: shortText(32),
        freshness: shortText(32),
      },
      ['target'],
    ),
    answer: object({ policy, ...reach }, ['policy', 'nodes', 'nodesInForce']),
    fails: ['NotFound', 'Conflict', 'LimitExceeded', 'BackendFailed'],
    changes: lookAtPolicy(({ body }) => (body as PolicyRequest).target),
    handler: async (services, { body }) => ({
      status: 200,
      body: await setPolicy(services, body as PolicyRequest),
    }),
  },
  {
    name: 'ListPolicies',
    method: 'GET',
    path: '/v1/policies',
    summary: 'All policies, with what is held under each quota',
    answer: object({ policies: list(policy), silent }, ['policies', 'silent']),
    changes: 'nothing',
    handler: async (services) => ({ status: 200, body: await listPolicies(services) }),
  },
  {
    name: 'RemovePolicy',
    method: 'DELETE',
    path: '/v1/policies/:target',
    summary: 'Removes what was set for a bucket or prefix',
    answer: object(reach, ['nodes', 'nodesInForce']),
    fails: ['NotFound', 'Conflict'],
    changes: lookAtPolicy(({ parameters }) => parameters.target as string),
    handler: async (services, { parameters }) => {
      const { bucket, prefix } = parsePolicyTarget(parameters.target as string);
      await services.policies.remove(bucket, prefix);
      return { status: 200, body: await inForce(services) };
    },
  },
  {
    name: 'ExplainPolicy',
    method: 'GET',
    path: '/v1/policies/:object/explain',
    summary: 'What holds for an object, and which policy each part of it comes from',
    answer: object({ target: text, mount: text, ...policyInForce }, ['target', 'mount', 'kept', 'fields']),
    fails: ['NotFound', 'BackendFailed'],
    changes: 'nothing',
    handler: async (services, { parameters }) => ({
      status: 200,
      body: await explain(services, parameters.object as string),
    }),
  },
  {
    name: 'CountCached',
    method: 'GET',
    path: '/v1/cached/:target',
    summary: 'What all nodes hold of a bucket or prefix, as their pages say',
    answer: object({ target: text, pages: integer, bytes: integer, nodes: list(held), silent }, [
      'target',
      'pages',
      'bytes',
      'nodes',
      'silent',
    ]),
    fails: ['NotFound'],
    changes: 'nothing',
    handler: async (services, { parameters }) => ({
      status: 200,
      body: await countCached(services, parameters.target as string),
    }),
  },
];

async function setPolicy(services: AdminServices, request: PolicyRequest) {
  const { row, unset } = parsePolicyRequest(request);
  refuseUnknown(services, row.bucket);
  const next = services.policies.changed(row, unset);
  checkSizes(next);
  await checkFreshness(services, next);
  if (row.quotaBytes !== undefined || row.pin) {
    await checkRoom(services, next, (targets) => askHoldings(services, targets));
  }
  await services.policies.put(next);
  return { policy: view(next), ...(await inForce(services)) };
}

async function listPolicies(services: AdminServices) {
  const { rows } = services.policies.table;
  const limited = rows.filter(({ quotaBytes }) => quotaBytes !== undefined);
  const bytes = new Map<PolicyRow, number>();
  const silence = new Map<string, string>();
  for (let from = 0; from < limited.length; from += targetsAtOnce) {
    const part = limited.slice(from, from + targetsAtOnce);
    const answers = await askHoldings(services, part);
    for (const { workerId, silence: why } of answers.silent) silence.set(workerId, why);
    for (const [index, row] of part.entries()) bytes.set(row, sum(answers.told, index, 'bytes'));
  }
  const policies = rows.map((row) => ({ ...view(row), held: bytes.get(row), limit: row.quotaBytes }));
  return { policies, silent: [...silence].map(([workerId, why]) => ({ workerId, silence: why })) };
}

async function explain(services: AdminServices, object: string) {
  const { policies, mounts } = services;
  const { bucket, key } = objectOf(object);
  refuseUnknown(services, bucket);
  const { mount } = mounts.table.resolve(bucket, key);
  return {
    target: `${bucket}/${key}`,
    mount: mount === 'root' ? 'root' : mountName(mount),
    ...explainPolicy(policies.table, bucket, key, await ownFreshness(services, bucket, key)),
  };
}

async function countCached(services: AdminServices, text: string) {
  const target = parsePolicyTarget(text);
  refuseUnknown(services, target.bucket);
  const { told, silent: quiet } = await askHoldings(services, [target]);
  return {
    target: policyName(target),
    pages: sum(told, 0, 'pages'),
    bytes: sum(told, 0, 'bytes'),
    nodes: told.map(({ workerId, held: [own] }) => ({
      workerId,
      pages: own?.pages ?? 0,
      bytes: own?.bytes ?? 0,
    })),
    silent: quiet,
  };
}

function sum(told: readonly Holdings[], target: number, of: 'pages' | 'bytes'): number {
  return told.reduce((all, { held }) => all + (held[target]?.[of] ?? 0), 0);
}

function refuseUnknown({ mounts }: AdminServices, bucket: HoldingsTarget['bucket']): void {
  if (mounts.buckets.get(bucket)) return;
  throw new AdminError(404, 'NotFound', `there is no bucket ${bucket}: make or mount it first`);
}

function objectOf(target: string): { readonly bucket: string; readonly key: string } {
  const text = target.replace(/^s3:\/\//, '');
  const slash = text.indexOf('/');
  if (slash > 0 && slash < text.length - 1) {
    return { bucket: text.slice(0, slash), key: text.slice(slash + 1) };
  }
  throw new AdminError(400, 'InvalidRequest', 'name an object, as in s3://BUCKET/KEY');
}

function view(row: PolicyRow) {
  const fields = policyFieldNames.map((name) => [fieldLabels[name], formatPolicyField(name, row)]);
  return {
    target: policyName(row),
    ...Object.fromEntries(fields.filter(([, value]) => value !== undefined)),
  };
}
