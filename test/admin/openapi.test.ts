import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type AdminCode, failureCodes } from '../../src/admin/failure-codes.ts';
import { openRoutes } from '../../src/admin/health.ts';
import { openApiDocument } from '../../src/admin/openapi.ts';
import type { AdminRoute } from '../../src/admin/route.ts';
import { adminRoutes } from '../../src/admin/routes.ts';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { ClusterMember } from '../../src/ring/cluster-member.ts';
import { workersPrefix } from '../../src/ring/view-record.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { PlainBody } from '../../src/ufs/plain-body.ts';
import { AdminNode, type Answer } from './admin-node.ts';
import { joinAlone } from './member.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, { readonly content: Record<string, { schema: object }> }>>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let node: AdminNode;
let member: ClusterMember;
let document: Document;

beforeAll(async () => {
  node = await new AdminNode().listen();
  await node.open(async ({ store }) => {
    member = await joinAlone(store);
    return { cluster: member };
  });
  node.readiness.ready('store');
  document = (await node.call('GET', '/openapi.json')).json;
});
afterAll(async () => {
  await member.close();
  await node.close();
});

function operations(): [method: string, path: string, operation: Operation][] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
      method.toUpperCase(),
      path,
      operation,
    ]),
  );
}

const operationOf = (name: string) => operations().find(([, , { operationId }]) => operationId === name)?.[2];

/** What a schema of the document has against an answer; nothing if it fits. */
function faultsIn(answer: Answer, operation: Operation | undefined): string[] {
  const described = operation?.responses[String(answer.status)];
  if (!described) return [`the status ${answer.status} is not described: ${answer.text}`];
  const type = (answer.headers['content-type'] ?? '').split(';')[0] as string;
  const schema = described.content[type]?.schema;
  if (!schema) return [`the type ${type} is not described`];
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  const check = ajv.compile(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as object);
  if (check(answer.json ?? answer.text)) return [];
  return (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

describe('the document', () => {
  test('is what OpenAPI 3.1 says a description is', async () => {
    const validator = new Validator();
    const result = await validator.validate(JSON.parse(JSON.stringify(document)));
    expect([result.valid, result.errors]).toEqual([true, undefined]);
    expect(validator.version).toBe('3.1');
    expect(document.info.version).toBe('1.2.3');
  });

  test('has every route there is and no other, each under a name of its own', () => {
    const described = operations().map(
      ([method, path, { operationId }]) => `${method} ${path} ${operationId}`,
    );
    const there = [
      ...adminRoutes.map(({ method, path, name }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')} ${name}`),
      ...openRoutes.map(({ path, name }) => `GET ${path} ${name}`),
    ];
    expect(described.sort()).toEqual(there.sort());
    expect(new Set(operations().map(([, , { operationId }]) => operationId)).size).toBe(there.length);
  });

  test('says of every route what it is for, and that it takes a signature unless it does not', () => {
    for (const [, path, { summary, security }] of operations()) {
      expect(summary).toMatch(/^[A-Z].{6,}[^.]$/);
      expect([path, security]).toEqual([
        path,
        openRoutes.some((route) => route.path === path) ? [] : undefined,
      ]);
    }
  });

  const someRoute = adminRoutes[0] as AdminRoute;
  test.each<[string, Partial<AdminRoute>]>([
    ['without a summary', { summary: '' }],
    ['with a parameter that nobody explains', { path: '/v1/things/:thing' }],
    [
      'with a part of the query that nobody explains',
      { query: { type: 'object', properties: { since: { type: 'string' } } } },
    ],
  ])('is not made of a route %s', (_what, change) => {
    expect(() => openApiDocument([{ ...someRoute, ...change }], [], '1')).toThrow(someRoute.name);
  });
});

/** Each route in turn, so that it goes well. */
const calls: readonly [name: string, method: string, path: string, body?: unknown][] = [
  ['CreateUser', 'POST', '/v1/users', { name: 'ada', policy: 'readwrite' }],
  ['CreateKey', 'POST', '/v1/users/ada/keys', { accessKeyId: 'ADASKEY' }],
  ['DisableKey', 'POST', '/v1/users/ada/keys/ADASKEY/disable'],
  ['ListUsers', 'GET', '/v1/users'],
  ['ShowUser', 'GET', '/v1/users/ada'],
  ['DeleteUser', 'DELETE', '/v1/users/ada'],
  ['AddMount', 'POST', '/v1/mounts', { target: 'data', uri: 'file:///srv/data' }],
  ['AddMount', 'POST', '/v1/mounts', { target: 'more/in here', uri: 's3://far/x/', maxRequests: '8' }],
  ['ListMounts', 'GET', '/v1/mounts'],
  ['ShowMount', 'GET', '/v1/mounts/more%2Fin%20here'],
  ['CheckMount', 'POST', '/v1/mounts/data/check'],
  ['SetWriteMode', 'POST', '/v1/mounts/data/write-mode', { writeMode: 'around' }],
  ['CreateJob', 'POST', '/v1/jobs', { kind: 'load', target: 'data', manifest: true, parts: [{ start: -1 }] }],
  ['AddJobKeys', 'POST', '/v1/jobs/JOB/keys', { keys: ['a', 'b'] }],
  ['ResumeJob', 'POST', '/v1/jobs/JOB/resume'],
  ['PauseJob', 'POST', '/v1/jobs/JOB/pause'],
  ['ShowJob', 'GET', '/v1/jobs/JOB'],
  ['StopJob', 'POST', '/v1/jobs/JOB/stop'],
  ['ListJobs', 'GET', '/v1/jobs'],
  [
    'SetPolicy',
    'POST',
    '/v1/policies',
    { target: 'data/x', ttl: '1h', quota: '1GiB', pin: 'yes', include: ['*.a'], maxSize: '1MiB' },
  ],
  ['ListPolicies', 'GET', '/v1/policies'],
  ['ExplainPolicy', 'GET', '/v1/policies/data%2Fx%2Fk/explain'],
  ['CountCached', 'GET', '/v1/cached/data'],
  ['RemovePolicy', 'DELETE', '/v1/policies/data%2Fx'],
  ['SetSetting', 'POST', '/v1/settings', { key: 'cache.readAhead', value: '4' }],
  ['ListSettings', 'GET', '/v1/settings'],
  ['UnsetSetting', 'DELETE', '/v1/settings/cache.readAhead'],
  ['ListPending', 'GET', '/v1/pending'],
  ['ShowPending', 'GET', '/v1/pending/data'],
  ['AcceptPendingLoss', 'POST', '/v1/pending-loss/accept'],
  ['RemoveMountByForce', 'POST', '/v1/mounts/data/remove-by-force'],
  ['FlushPending', 'POST', '/v1/pending/more%2Fin%20here/flush'],
  ['RemoveMount', 'DELETE', '/v1/mounts/more%2Fin%20here'],
  ['ShowRing', 'GET', '/v1/ring'],
  ['PlanRing', 'POST', '/v1/ring/plan', { add: [1, 0.5] }],
  ['SetRingMode', 'POST', '/v1/ring/mode', { mode: 'static' }],
  ['ListNodes', 'GET', '/v1/nodes'],
  ['RemoveNode', 'DELETE', '/v1/nodes/one-that-is-away'],
  ['ThawRing', 'POST', '/v1/ring/thaw'],
  ['DrainNode', 'POST', '/v1/node/drain'],
  ['ReadAudit', 'GET', '/v1/audit'],
  ['ShowStatus', 'GET', '/v1/status'],
  ['ExplainAccess', 'GET', '/v1/explain/access?bucket=none&action=s3%3AListBucket&accessKeyId=ROOTKEY'],
  ['DescribeApi', 'GET', '/openapi.json'],
  ['Health', 'GET', '/healthz'],
  ['Ready', 'GET', '/readyz'],
  ['Metrics', 'GET', '/metrics'],
];
/** A store that went back is another test's. */
const failsHere: Readonly<Record<string, readonly [method: string, path: string, code: AdminCode]>> = {
  RaiseGeneration: ['POST', '/v1/ring/raise-generation', 'Conflict'],
  ExplainRequest: ['GET', '/v1/explain/request?id=NONE', 'NotFound'],
  ExplainObject: ['GET', '/v1/explain/object?bucket=none&key=a%2Fb', 'NoSuchBucket'],
};

test('every route answers as the document says', async () => {
  await node.store.putIf(
    `${workersPrefix}one-that-is-away`,
    JSON.stringify({ workerId: 'one-that-is-away', weight: 1 }),
    'any',
  );
  await leaveSomethingPending();
  const called = new Set(Object.keys(failsHere));
  let jobId = '';
  for (const [name, method, path, body] of calls) {
    const answer = await node.call(method, path.replace('JOB', jobId), body);
    if (name === 'CreateJob') jobId = answer.json.id as string;
    const status = adminRoutes.find((route) => route.name === name)?.status ?? 200;
    expect([name, answer.status, faultsIn(answer, operationOf(name))]).toEqual([name, status, []]);
    called.add(name);
  }
  for (const [name, [method, path, code]] of Object.entries(failsHere)) {
    const answer = await node.call(method, path);
    expect([name, answer.json.code, answer.status]).toEqual([name, code, failureCodes[code][0]]);
    expect(faultsIn(answer, operationOf(name))).toEqual([]);
  }
  expect([...called].sort()).toEqual([...adminRoutes, ...openRoutes].map(({ name }) => name).sort());
});

test.each([
  ['AddMount', 'POST', '/v1/mounts', {}],
  ['AddMount', 'POST', '/v1/mounts', { target: 'UPPER', uri: 'file:///x' }],
  ['ShowMount', 'GET', '/v1/mounts/none', undefined],
  ['ShowUser', 'GET', '/v1/users/nobody', undefined],
  ['CreateUser', 'POST', '/v1/users', { name: 'root', policy: 'admin' }],
  ['RemoveNode', 'DELETE', '/v1/nodes/nobody', undefined],
  ['CreateJob', 'POST', '/v1/jobs', { kind: 'load', target: 'nobody' }],
  ['CreateJob', 'POST', '/v1/jobs', { kind: 'free', target: 'nobody', verify: true }],
  ['ShowJob', 'GET', '/v1/jobs/none', undefined],
  ['StopJob', 'POST', '/v1/jobs/none/stop', undefined],
  ['AddJobKeys', 'POST', '/v1/jobs/none/keys', { keys: ['a'] }],
  ['SetPolicy', 'POST', '/v1/policies', { target: 'nowhere', ttl: '1h' }],
  ['SetPolicy', 'POST', '/v1/policies', { target: 'nowhere', ttl: 'soon' }],
  ['RemovePolicy', 'DELETE', '/v1/policies/nowhere', undefined],
  ['ExplainPolicy', 'GET', '/v1/policies/nowhere/explain', undefined],
  ['CountCached', 'GET', '/v1/cached/nowhere', undefined],
  ['SetSetting', 'POST', '/v1/settings', { key: 's3.port', value: '1' }],
  ['UnsetSetting', 'DELETE', '/v1/settings/cache.readAhead', undefined],
  ['PlanRing', 'POST', '/v1/ring/plan', { remove: ['nobody'] }],
  ['ListUsers', 'GET', '/v1/users?what=ever', undefined],
  ['ReadAudit', 'GET', '/v1/audit?limit=0', undefined],
  ['ReadAudit', 'GET', '/v1/audit?since=yesterday', undefined],
])('%s: %s %s with %j fails as the document says', async (name, method, path, body) => {
  const answer = await node.call(method, path, body);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(faultsIn(answer, operationOf(name))).toEqual([]);
  const { fails = [] } = adminRoutes.find((route) => route.name === name) as AdminRoute;
  expect(['InvalidRequest', ...fails]).toContain(answer.json.code);
});

/** A write that its storage refuses, below the mount `data`. */
async function leaveSomethingPending(): Promise<void> {
  const storage = new MemoryBackend(systemClock, systemRandom);
  storage.put = async () => {
    throw new UfsError('unavailable', 'away', { backend: 'file:///srv/data' });
  };
  async function* bytes() {
    yield Buffer.from('hello');
  }
  const back = node.writeBack.over('file:///srv/data', storage, () => true);
  await back.put('some/key', new PlainBody(bytes(), 5), { headers: {}, userMetadata: {} });
}
