/** Each route of S3 with each kind of caller in buckets of each kind, against a table that was written down by hand. */
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Route } from '../../src/s3api/call.ts';
import { routes } from '../../src/s3api/router.ts';
import type { Credentials, RequestParts } from '../hostile/hostile-client.ts';
import { codeOf, exchange, type RawAnswer } from '../hostile/raw-connection.ts';
import { useScene } from '../hostile/scene.ts';
import { accessTable } from './access-table.ts';

const scene = useScene();
const owner = { accessKeyId: 'OWNERKEY', secretAccessKey: 'owners-secret' };
const other = { accessKeyId: 'OTHERKEY', secretAccessKey: 'others-secret' };
const kinds = ['private', 'public-read', 'public-read-write', 'allowed', 'denied'] as const;
type Kind = (typeof kinds)[number];
const callers: readonly (Credentials | undefined)[] = [owner, other, undefined];

const aclOf = (kind: Kind) =>
  kind === 'allowed' ? 'private' : kind === 'denied' ? 'public-read-write' : kind;
const policyOf = (kind: Kind) =>
  JSON.stringify({
    Statement: {
      Effect: kind === 'allowed' ? 'Allow' : 'Deny',
      Principal: '*',
      Action: 's3:*',
      Resource: [`arn:aws:s3:::m-${kind}`, `arn:aws:s3:::m-${kind}/*`],
    },
  });

async function asOwner(parts: RequestParts): Promise<RawAnswer> {
  const answer = await scene.client.send({ ...parts, credentials: owner });
  if (Number(answer.status) >= 300) throw new Error(`${parts.method} ${parts.target}: ${answer.body}`);
  return answer;
}

/** Makes the bucket what its kind is, with the objects `kept` and `source`. */
async function restore(kind: Kind): Promise<void> {
  const target = `/m-${kind}`;
  const headers = { 'x-amz-acl': aclOf(kind) };
  await asOwner({ method: 'DELETE', target: `${target}?policy=` });
  await asOwner({ method: 'PUT', target: `${target}?acl=`, headers });
  for (const key of ['kept', 'source']) {
    await asOwner({ method: 'PUT', target: `${target}/${key}`, headers, body: key });
  }
  if (kind !== 'allowed' && kind !== 'denied') return;
  await asOwner({ method: 'PUT', target: `${target}?policy=`, body: policyOf(kind) });
}

beforeAll(async () => {
  await scene.client.admin('POST', '/v1/users', { name: 'owner', policy: 'readwrite', ...owner });
  await scene.client.admin('POST', '/v1/users', { name: 'other', policy: 'readwrite', ...other });
  for (const kind of kinds) {
    await asOwner({ method: 'PUT', target: `/m-${kind}` });
    await restore(kind);
  }
}, 30_000);

const deletion = '<Delete><Object><Key>kept</Key></Object></Delete>';

/** A request that the route takes, on what is there. */
function fitting(route: Route, kind: Kind): RequestParts {
  const paths = { service: '/', bucket: `/m-${kind}`, object: `/m-${kind}/kept` };
  const values: Record<string, string> = { partNumber: '1', 'list-type': '2' };
  const query = (route.query ?? []).map((key) => `${key}=${values[key] ?? ''}`).join('&');
  const isDeletion = route.operation === 'DeleteObjects';
  const md5 = createHash('md5').update(deletion).digest('base64');
  return {
    method: route.method,
    target: `${paths[route.scope]}${query === '' ? '' : `?${query}`}`,
    headers: {
      ...(route.header === undefined ? {} : { [route.header]: `/m-${kind}/source` }),
      ...(route.operation === 'GetObjectAttributes' ? { 'x-amz-object-attributes': 'ETag' } : {}),
      ...(isDeletion ? { 'content-md5': md5 } : {}),
    },
    body: isDeletion ? deletion : '',
  };
}

async function send(parts: RequestParts, credentials: Credentials | undefined): Promise<RawAnswer> {
  if (credentials) return scene.client.send({ ...parts, credentials });
  const lines = {
    Host: `127.0.0.1:${scene.port}`,
    ...parts.headers,
    'Content-Length': String(parts.body?.length ?? 0),
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `${parts.method} ${parts.target} HTTP/1.1\r\n${head.join('')}\r\n${parts.body ?? ''}`;
  const answer = await exchange(scene.port, text, { headOnly: parts.method === 'HEAD' });
  if (answer === undefined) throw new Error(`no answer to ${parts.method} ${parts.target}`);
  return answer;
}

function isDenied(answer: RawAnswer, parts: RequestParts): boolean {
  if (parts.method === 'HEAD') return answer.status === 403;
  return codeOf(answer) === 'AccessDenied';
}

async function verdicts(route: Route, caller: Credentials | undefined): Promise<string> {
  let text = '';
  for (const kind of kinds) {
    const parts = fitting(route, kind);
    const answer = await send(parts, caller);
    text += isDenied(answer, parts) ? 'n' : 'y';
    if (route.writes && answer.status < 300) await restore(kind);
  }
  return text;
}

test('every operation has a row, and every row an operation', () => {
  expect(Object.keys(accessTable).sort()).toEqual(routes.map(({ operation }) => operation).sort());
});

describe('the owner, another user and nobody known', () => {
  test.each(routes.map((route) => [route.operation, route] as const))(
    'may do %s as written',
    async (operation, route) => {
      const found: string[] = [];
      for (const caller of callers) found.push(await verdicts(route, caller));
      expect(found.join(' ')).toBe(accessTable[operation]);
    },
  );
});
