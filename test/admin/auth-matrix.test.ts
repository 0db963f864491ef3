import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import aws4 from 'aws4';
import { failuresOf } from '../../src/admin/openapi.ts';
import { adminRoutes } from '../../src/admin/routes.ts';
import { AdminNode, type Answer, type Call, region, root } from './admin-node.ts';

let node: AdminNode;
const disabled = { accessKeyId: 'DISABLED', secretAccessKey: 'disabled-secret' };
const people = {
  readwrite: { accessKeyId: 'WRITER', secretAccessKey: 'writer-secret' },
  readonly: { accessKeyId: 'READER', secretAccessKey: 'reader-secret' },
};

beforeAll(async () => {
  node = await (await new AdminNode().listen()).open();
  await node.users.createUser('off', { policy: 'admin', ...disabled });
  await node.users.disableKey('off', disabled.accessKeyId);
  await node.users.createUser('writer', { policy: 'readwrite', ...people.readwrite });
  await node.users.createUser('reader', { policy: 'readonly', ...people.readonly });
});
afterAll(() => node.close());

/** A call that the route would take, with a body and parameters that fit. */
function fitting(route: (typeof adminRoutes)[number]): Call {
  const path = route.path.replace(/:\w+/g, 'some-thing');
  return { method: route.method, path, ...(route.body ? { body: '{}' } : {}) };
}

const attempts: readonly [string, (call: Call) => Call, RegExp][] = [
  ['no signature', (call) => call, /^403 AccessDenied$/],
  [
    'a wrong secret',
    (call) => node.sign(call, { ...root, secretAccessKey: 'root-secreT' }),
    /^403 SignatureDoesNotMatch$/,
  ],
  [
    'a changed signature',
    (call) => {
      const signed = node.sign(call);
      const authorization = (signed.headers?.Authorization ?? '').replace(/.$/, (c) =>
        c === '0' ? '1' : '0',
      );
      return { ...signed, headers: { ...signed.headers, Authorization: authorization } };
    },
    /^403 SignatureDoesNotMatch$/,
  ],
  [
    'an unknown key',
    (call) => node.sign(call, { ...root, accessKeyId: 'NOBODY' }),
    /^403 InvalidAccessKeyId$/,
  ],
  ['a disabled key', (call) => node.sign(call, disabled), /^403 InvalidAccessKeyId$/],
  ['a readwrite user', (call) => node.sign(call, people.readwrite), /^403 AccessDenied$/],
  ['a readonly user', (call) => node.sign(call, people.readonly), /^403 AccessDenied$/],
  [
    'another host signed',
    (call) => {
      const signed = node.sign(call, root, { host: 'elsewhere:9001' });
      return { ...signed, headers: { ...signed.headers, Host: `127.0.0.1:${node.port}` } };
    },
    /^403 SignatureDoesNotMatch$/,
  ],
  [
    'another path signed',
    (call) => ({ ...node.sign({ ...call, path: '/v1/other' }), path: call.path }),
    /^403 SignatureDoesNotMatch$/,
  ],
  [
    'another method signed',
    (call) => ({ ...node.sign({ ...call, method: 'PUT' }), method: call.method }),
    /^403 SignatureDoesNotMatch$/,
  ],
  [
    'a signature for the S3 service',
    (call) => node.sign(call, root, { service: 's3' }),
    /^400 AuthorizationHeaderMalformed$/,
  ],
  [
    'credentials in the query',
    (call) => {
      const signed = aws4.sign(
        {
          method: call.method,
          path: `${call.path}?X-Amz-Expires=60`,
          host: `127.0.0.1:${node.port}`,
          service: 'forebay',
          region,
          signQuery: true,
          headers: { 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' },
        },
        root,
      );
      const type: Record<string, string> =
        call.body === undefined ? {} : { 'content-type': 'application/json' };
      const headers = { ...(signed.headers as Record<string, string>), ...type };
      return { ...call, path: signed.path as string, headers };
    },
    /^403 AccessDenied$/,
  ],
  [
    'a body left out of the signature',
    (call) => node.sign(call, root, { bodyHash: 'UNSIGNED-PAYLOAD' }),
    /^400 InvalidRequest$/,
  ],
  [
    'the hash of another body signed',
    (call) => node.sign(call, root, { bodyHash: 'a'.repeat(64) }),
    /^400 XAmzContentSHA256Mismatch$/,
  ],
  [
    'a time long ago',
    (call) => node.sign({ ...call, headers: { ...call.headers, 'X-Amz-Date': '20200101T000000Z' } }),
    /^403 RequestTimeTooSkewed$/,
  ],
];

const state = async () =>
  JSON.stringify([node.users.listUsers(), node.mounts.table.mounts, node.mounts.buckets.list()]);

describe.each(adminRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_name, route) => {
    test.each(attempts)('with %s is refused and changes nothing', async (_what, prepare, expected) => {
      const before = await state();
      const answer = await node.send(prepare(fitting(route)));
      expect(codeOf(answer)).toMatch(expected);
      expect(Object.keys(answer.json)).toEqual(['code', 'message']);
      expect(failuresOf(route)).toContain(answer.json.code);
      expect(await state()).toBe(before);
    });

    test('rightly signed by an administrator gets past the guard', async () => {
      const answer = await node.send(node.sign(fitting(route)));
      // This node belongs to no cluster.
      expect([200, 400, 404, 409]).toContain(answer.status);
      expect(answer.json.code ?? 'OK').toMatch(/^(OK|InvalidRequest|NotFound|NoCluster)$/);
    });
  },
);

test('every route there is is in the table, or is health or metrics', () => {
  expect(adminRoutes.map((route) => `${route.method} ${route.path}`).sort()).toEqual([
    'DELETE /v1/mounts/:target',
    'DELETE /v1/nodes/:id',
    'DELETE /v1/policies/:target',
    'DELETE /v1/settings/:key',
    'DELETE /v1/users/:name',
    'GET /openapi.json',
    'GET /v1/audit',
    'GET /v1/cached/:target',
    'GET /v1/explain/access',
    'GET /v1/explain/object',
    'GET /v1/explain/request',
    'GET /v1/jobs',
    'GET /v1/jobs/:id',
    'GET /v1/mounts',
    'GET /v1/mounts/:target',
    'GET /v1/nodes',
    'GET /v1/pending',
    'GET /v1/pending/:target',
    'GET /v1/policies',
    'GET /v1/policies/:object/explain',
    'GET /v1/ring',
    'GET /v1/settings',
    'GET /v1/status',
    'GET /v1/users',
    'GET /v1/users/:name',
    'POST /v1/jobs',
    'POST /v1/jobs/:id/keys',
    'POST /v1/jobs/:id/pause',
    'POST /v1/jobs/:id/resume',
    'POST /v1/jobs/:id/stop',
    'POST /v1/mounts',
    'POST /v1/mounts/:target/check',
    'POST /v1/mounts/:target/remove-by-force',
    'POST /v1/mounts/:target/write-mode',
    'POST /v1/node/drain',
    'POST /v1/pending-loss/accept',
    'POST /v1/pending/:target/flush',
    'POST /v1/policies',
    'POST /v1/ring/mode',
    'POST /v1/ring/plan',
    'POST /v1/ring/raise-generation',
    'POST /v1/ring/thaw',
    'POST /v1/settings',
    'POST /v1/users',
    'POST /v1/users/:name/keys',
    'POST /v1/users/:name/keys/:accessKeyId/disable',
  ]);
});

function codeOf(answer: Answer): string {
  return `${answer.status} ${answer.json?.code ?? answer.text}`;
}
