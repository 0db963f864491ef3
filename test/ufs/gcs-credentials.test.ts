import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { UfsError } from '../../src/ufs/errors.ts';
import { kindOf, listAll, put } from '../contracts/backend.ts';
import { startGcs } from './gcs-under-test.ts';

/** A server that hands out tokens, and what it was asked. */
async function tokenServer(answer: (req: IncomingMessage, body: string) => object) {
  const asked: { url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (piece: Buffer) => {
      body += piece;
    });
    req.on('end', () => {
      asked.push({ url: req.url ?? '', headers: req.headers, body });
      const text = JSON.stringify(answer(req, body));
      res.writeHead(200, { 'content-type': 'application/json', 'metadata-flavor': 'Google' }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, asked, close: () => new Promise((resolve) => server.close(resolve)) };
}

/** Workload identity federation: a token of the pod's own is exchanged for one of Google's. */
function federation(port: number, file: string) {
  return JSON.stringify({
    type: 'external_account',
    audience: '//iam.example/pools/p/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `http://127.0.0.1:${port}/v1/token`,
    credential_source: { file },
  });
}

test('a federated workload’s token is exchanged once, and goes with every request', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-gcs-'));
  const tokens = await tokenServer(() => ({
    access_token: 'token-of-google',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3_600,
  }));
  const gcs = await startGcs();
  try {
    await writeFile(join(folder, 'token'), 'token-of-the-pod');
    const text = federation(tokens.port, join(folder, 'token'));
    const backend = gcs.open({ credentials: { kind: 'file', text } });
    await put(backend, 'k', 'x');
    await put(backend, 'large', Buffer.alloc(600_000));
    expect(await listAll(backend)).toEqual(['k', 'large']);
    expect(tokens.asked).toHaveLength(1);
    expect(tokens.asked[0]?.body).toContain('token-of-the-pod');
    const sent = gcs.proxy.seen.map(({ headers }) => headers.authorization);
    expect(sent.length).toBeGreaterThan(5);
    expect(new Set(sent)).toEqual(new Set(['Bearer token-of-google']));
  } finally {
    await gcs.close();
    await tokens.close();
    await rm(folder, { recursive: true });
  }
});

test('a service account’s token is asked of Google by way of the node’s proxy', async () => {
  const reached: string[] = [];
  const proxy = createServer();
  proxy.on('connect', ({ url = '' }, socket) => {
    reached.push(url);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const gcs = await startGcs();
  try {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const text = JSON.stringify({
      type: 'service_account',
      client_email: 'node@project.example',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    });
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const backend = gcs.open({ credentials: { kind: 'file', text }, proxyUrl, noProxy: '127.0.0.1' });
    expect(await kindOf(backend.head('k'))).toBe('unavailable');
    expect(new Set(reached)).toEqual(new Set(['oauth2.googleapis.com:443']));
    expect(gcs.proxy.seen).toEqual([]);
  } finally {
    await gcs.close();
    await new Promise((resolve) => proxy.close(resolve));
  }
});

test('a token that cannot be had is told without the secret that was sent for it', async () => {
  const gcs = await startGcs();
  try {
    const text = federation(9, '/nowhere/token');
    const backend = gcs.open({ credentials: { kind: 'file', text } });
    const error = await backend.head('k').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UfsError);
    expect((error as UfsError).kind).toBe('unavailable');
    expect((error as UfsError).message).toContain('no token could be had');
    expect(await kindOf(put(backend, 'k', 'x'))).toBe('unavailable');
    expect(gcs.proxy.seen).toEqual([]);
  } finally {
    await gcs.close();
  }
});

test('what the machine’s metadata server gives is found without anything being said', async () => {
  const tokens = await tokenServer((req) =>
    req.url?.includes('/token')
      ? { access_token: 'token-of-the-machine', expires_in: 3_600, token_type: 'Bearer' }
      : {},
  );
  try {
    const module = JSON.stringify(new URL('../../src/ufs/gcs-credentials.ts', import.meta.url).href);
    const script = `
      const { GcsAuthorizer } = await import(${module});
      const authorizer = new GcsAuthorizer('gs://b/', { kind: 'default' }, () => undefined);
      console.log((await authorizer.headers(undefined)).authorization);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: {
        PATH: process.env.PATH,
        HOME: '/nowhere',
        GCE_METADATA_HOST: `127.0.0.1:${tokens.port}`,
        METADATA_SERVER_DETECTION: 'assume-present',
      },
    });
    expect(stdout).toBe('Bearer token-of-the-machine\n');
    expect(tokens.asked.every(({ headers }) => headers['metadata-flavor'] === 'Google')).toBe(true);
  } finally {
    await tokens.close();
  }
});

test('credentials that were found go to no endpoint but Google’s, and none go in the clear', async () => {
  const gcs = await startGcs();
  try {
    // The environment names credentials that a search would find, and that would fail.
    await put(gcs.backend, 'k', 'x');
    expect(gcs.proxy.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    const text = JSON.stringify({ type: 'service_account', client_email: 'a@b', private_key: 'x' });
    const far = { endpoint: 'http://storage.example', credentials: { kind: 'file', text } as const };
    expect(() => gcs.open(far)).toThrow('not sent over http://');
  } finally {
    await gcs.close();
  }
});

test.each([
  ['{"type":"service_account"', 'is not JSON'],
  ['{"type":"unheard_of"}', 'must be of type service_account'],
  ['[]', 'must be of type service_account'],
  ['null', 'must be of type service_account'],
  ['{"type":"external_account","credential_source":{"executable":{"command":"/bin/x"}}}', 'is not run here'],
])('a credentials file of %s is refused', async (text, message) => {
  const gcs = await startGcs();
  try {
    expect(() => gcs.open({ credentials: { kind: 'file', text } })).toThrow(message);
  } finally {
    await gcs.close();
  }
});
