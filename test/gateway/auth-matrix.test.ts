/** Each route of S3, offered or not, with each kind of credentials that must not do. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Route } from '../../src/s3api/call.ts';
import { routes } from '../../src/s3api/router.ts';
import type { Credentials, RequestParts } from '../hostile/hostile-client.ts';
import { codeOf, exchange, type RawAnswer } from '../hostile/raw-connection.ts';
import { useScene } from '../hostile/scene.ts';

const scene = useScene();
const keys = {
  disabled: { accessKeyId: 'DISABLEDKEY', secretAccessKey: 'disabled-secret' },
  stranger: { accessKeyId: 'STRANGERKEY', secretAccessKey: 'strangers-secret' },
  reader: { accessKeyId: 'READERKEY', secretAccessKey: 'readers-secret' },
} as const satisfies Record<string, Credentials>;

beforeAll(async () => {
  const { client } = scene;
  await client.admin('POST', '/v1/users', { name: 'off', policy: 'admin', ...keys.disabled });
  await client.admin('POST', `/v1/users/off/keys/${keys.disabled.accessKeyId}/disable`, {});
  await client.admin('POST', '/v1/users', { name: 'stranger', policy: 'readwrite', ...keys.stranger });
  await client.admin('POST', '/v1/users', { name: 'reader', policy: 'readonly', ...keys.reader });
});

/** A request that the route takes, on what is there. */
function fitting(route: Route): RequestParts {
  const paths = { service: '/', bucket: `/${scene.bucket}`, object: `/${scene.bucket}/kept` };
  const values: Record<string, string> = { partNumber: '1', 'list-type': '2' };
  const query = (route.query ?? []).map((key) => `${key}=${values[key] ?? ''}`).join('&');
  return {
    method: route.method,
    target: `${paths[route.scope]}${query === '' ? '' : `?${query}`}`,
    headers: route.header === undefined ? {} : { [route.header]: `/${scene.bucket}/kept` },
  };
}

const refused = ['400', '403'];
const raw = (parts: RequestParts, text: string) =>
  exchange(scene.port, text, { headOnly: parts.method === 'HEAD' });

const withHeader =
  (change: Partial<RequestParts>, alter = (text: string) => text) =>
  (parts: RequestParts) =>
    raw(parts, alter(scene.client.signed({ ...parts, ...change }).text()));
const withQuery =
  (sign: (parts: RequestParts) => string, authorization?: string) => (parts: RequestParts) => {
    const lines = { Host: `127.0.0.1:${scene.port}`, ...parts.headers, 'Content-Length': '0' };
    const all = authorization === undefined ? lines : { ...lines, Authorization: authorization };
    const text = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return raw(parts, `${parts.method} ${sign(parts)} HTTP/1.1\r\n${text.join('')}\r\n`);
  };
const unsignable = { accessKeyId: 'CONFORMANCEROOT', secretAccessKey: 'a guess' };
const longAgo = new Date(Date.now() - 3_600_000);

const attempts: readonly [string, (parts: RequestParts) => Promise<RawAnswer | undefined>, string][] = [
  ['no credentials', withQuery((parts) => parts.target), 'AccessDenied'],
  ['a wrong secret', withHeader({ credentials: unsignable }), 'SignatureDoesNotMatch'],
  [
    'a changed signature',
    withHeader({}, (text) => text.replace(/Signature=(.)/, (_, c) => `Signature=${c === '0' ? '1' : '0'}`)),
    'SignatureDoesNotMatch',
  ],
  [
    'an unknown key',
    withHeader({ credentials: { accessKeyId: 'NOBODYSKEY', secretAccessKey: 'x' } }),
    'InvalidAccessKeyId',
  ],
  ['a disabled key', withHeader({ credentials: keys.disabled }), 'InvalidAccessKeyId'],
  [
    'another host signed',
    withHeader({ host: 'elsewhere' }, (text) =>
      text.replace('Host: elsewhere', `Host: 127.0.0.1:${scene.port}`),
    ),
    'SignatureDoesNotMatch',
  ],
  [
    'a wrong secret in the query',
    withQuery((parts) => scene.client.presigned({ ...parts, credentials: unsignable })),
    'SignatureDoesNotMatch',
  ],
  [
    'a disabled key in the query',
    withQuery((parts) => scene.client.presigned({ ...parts, credentials: keys.disabled })),
    'InvalidAccessKeyId',
  ],
  [
    'another host signed in the query',
    withQuery((parts) => scene.client.presigned({ ...parts, host: 'elsewhere' })),
    'SignatureDoesNotMatch',
  ],
  [
    'credentials in the query that have run out',
    withQuery((parts) => scene.client.presigned(parts, 60, longAgo)),
    'AccessDenied',
  ],
  [
    'credentials in the query and in a header',
    withQuery((parts) => scene.client.presigned(parts), 'AWS4-HMAC-SHA256 Credential=a'),
    'InvalidArgument',
  ],
];

const rows = routes.map((route) => [`${route.operation} (${route.method})`, route] as const);

describe.each(attempts)('with %s', (_what, send, code) => {
  test.each(rows)('%s is refused', async (_name, route) => {
    const answer = await send(fitting(route));
    expect(refused).toContain(String(answer?.status));
    if (route.method !== 'HEAD') expect(codeOf(answer)).toBe(code);
  });
});

describe('with a key of another’s', () => {
  const guarded = rows.filter(
    ([, route]) => route.action !== undefined && route.operation !== 'CreateBucket',
  );
  test.each(guarded)('%s is refused', async (_name, route) => {
    const answer = await withHeader({ credentials: keys.stranger })(fitting(route));
    expect(answer?.status).toBe(403);
    if (route.method !== 'HEAD') expect(codeOf(answer)).toBe('AccessDenied');
  });
});

describe('with a key that may only read', () => {
  test.each(rows.filter(([, route]) => route.writes && route.action !== undefined))(
    '%s is refused',
    async (_name, route) => {
      const answer = await withHeader({ credentials: keys.reader })(fitting(route));
      expect([answer?.status, codeOf(answer)]).toEqual([403, 'AccessDenied']);
    },
  );
});

describe('rightly signed', () => {
  const harmless = rows.filter(([, route]) => !route.writes);
  test.each(harmless)('%s gets past all that', async (_name, route) => {
    const inHeader = await withHeader({})(fitting(route));
    const inQuery = await withQuery((parts) => scene.client.presigned(parts))(fitting(route));
    expect([inHeader?.status, inQuery?.status]).not.toContain(403);
  });
});

test('nothing of all that changed anything', () => scene.expectUntouched());
