import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type S3BackendSettings, unprobed } from '../../src/ufs/s3-settings.ts';
import { pairs } from '../common/tls-pairs.ts';
import { getAll, put } from '../contracts/backend.ts';
import { credentials } from '../gateway/memory-node.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from './s3-under-test.ts';

let s3: S3UnderTest;
const servers: (Server | NetServer)[] = [];
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(async () => {
  for (const server of servers) server.close();
  await s3.close();
});

async function listening<S extends Server | NetServer>(server: S): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return (server.address() as AddressInfo).port;
}

/** The gateway behind TLS. */
function tlsFront(pair: { cert: string; key: string } = pairs.first): Promise<number> {
  return listening(
    createTlsServer(pair, (socket) => {
      const upstream = connect(s3.gateway.port, '127.0.0.1');
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    }),
  );
}

async function reach(settings: Partial<S3BackendSettings> = {}): Promise<string[]> {
  const steps: string[] = [];
  const backend = s3.open(settings);
  for await (const { name, result, detail } of backend.reach({ signal: AbortSignal.timeout(30_000) })) {
    steps.push(`${name} ${result}: ${detail}`);
  }
  return steps;
}

describe('the way to a bucket', () => {
  test('is told step by step', async () => {
    expect(await reach()).toEqual([
      `credentials ok: the access key ${credentials.accessKeyId}, given with the mount`,
      `connect ok: 127.0.0.1 port ${s3.proxy.port} takes connections`,
      'signature ok: the storage accepts the signature',
      'bucket ok: under is there and can be listed',
    ]);
  });

  test('ends where it is blocked, with what to do', async () => {
    const wrongSecret = { credentials: { ...credentials, secretAccessKey: 'another' } };
    const unknownKey = { credentials: { ...credentials, accessKeyId: 'AKIAUNKNOWN' } };
    const closed = await listening(createServer());
    servers.pop()?.close();
    const html = await listening(createHttpServer((_, res) => res.end('<html><body>Welcome</body></html>')));
    const silent = await listening(createServer());
    const plainPort = s3.proxy.port;
    for (const [settings, step, words] of [
      [wrongSecret, 'signature', /the secret does not go with the access key id/],
      [unknownKey, 'signature', /does not know the access key id/],
      [{ uri: 's3://nothing/' }, 'bucket', /has no bucket of this name/],
      [{ region: 'eu-west-7' }, 'signature', /give the bucket’s with --region/],
      [
        { endpoint: 'http://no.such.host.invalid', pathStyle: false },
        'resolve',
        /check --endpoint, or give --path-style/,
      ],
      [
        { endpoint: 'http://no.such.host.invalid', pathStyle: true },
        'resolve',
        /\(ENOTFOUND|EAI_AGAIN\): check --endpoint$/,
      ],
      [{ endpoint: `http://127.0.0.1:${closed}` }, 'connect', /ECONNREFUSED.*whether the storage runs/],
      [{ endpoint: `http://127.0.0.1:${html}` }, 'signature', /is no S3: check host and port/],
      [
        {
          endpoint: `http://127.0.0.1:${silent}`,
          tuning: { idleTimeoutMs: 200, retry: { attempts: 1, baseMs: 1, capMs: 1 } },
        },
        'signature',
        /did not go on in time/,
      ],
      [{ endpoint: `https://127.0.0.1:${plainPort}` }, 'tls', /does not speak TLS there.*http:\/\//],
      [{ endpoint: `https://127.0.0.1:${await tlsFront()}` }, 'tls', /is not trusted.*backend\.caFile/],
    ] as const) {
      const steps = await reach(settings);
      expect([settings, steps.at(-1)]).toEqual([
        settings,
        expect.stringMatching(new RegExp(`^${step} failed: `)),
      ]);
      expect(steps.at(-1)).toMatch(words);
      expect(steps.filter((one) => one.includes(' failed: '))).toHaveLength(1);
      expect(steps.join()).not.toContain(credentials.secretAccessKey);
    }
  });
});

test('a certificate of one’s own authority is trusted for every request, and no other', async () => {
  const endpoint = `https://127.0.0.1:${await tlsFront()}`;
  const steps = await reach({ endpoint, caPem: pairs.first.cert });
  expect(steps).toContain('tls ok: the certificate of 127.0.0.1 is trusted');
  expect(steps.at(-1)).toMatch(/^bucket ok/);
  const backend = s3.open({ endpoint, caPem: pairs.first.cert });
  const bytes = someBytes(600_000);
  await put(backend, 'over-tls', bytes, { sent: {} });
  expect((await getAll(backend, 'over-tls')).equals(bytes)).toBe(true);
  expect((await reach({ endpoint, caPem: pairs.second.cert })).at(-1)).toMatch(/^tls failed/);
});

test('a certificate that is not trusted is not tried again, and what was not sent is not unresolved', async () => {
  let connections = 0;
  const front = createTlsServer(pairs.first, () => {});
  front.on('tlsClientError', () => {});
  front.on('connection', () => connections++);
  const endpoint = `https://127.0.0.1:${await listening(front)}`;
  const backend = s3.open({ endpoint, tuning: { retry: { attempts: 3, baseMs: 1, capMs: 2 } } });
  for (const call of [
    () => backend.head('k'),
    () => backend.list({ prefix: '', limit: 1 }),
    () => put(s3.open({ endpoint, abilities: unprobed }), 'k', 'x'),
  ]) {
    connections = 0;
    const error = await call().catch((failure: unknown) => failure);
    expect(error).toMatchObject({ kind: 'unavailable', retryable: false, unresolved: false });
    expect(connections).toBe(1);
  }
});

test('the bucket goes into the host name unless it is to go into the path', async () => {
  const endpoint = 'http://no.such.host.invalid';
  expect((await reach({ endpoint, pathStyle: false })).at(-1)).toContain(
    'the name under.no.such.host.invalid has no',
  );
  expect((await reach({ endpoint, pathStyle: true })).at(-1)).toContain(
    'the name no.such.host.invalid has no',
  );
});

test('a proxy carries every request, encrypted ones in a tunnel, but not to hosts that are named', async () => {
  const carried: string[] = [];
  const proofs = new Set<string | undefined>();
  const proxy = createHttpServer((req, res) => {
    proofs.add(req.headers['proxy-authorization']);
    carried.push(`${req.method} ${new URL(req.url ?? '').pathname}`);
    const upstream = httpRequest(req.url ?? '', { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    req.pipe(upstream);
  });
  proxy.on('connect', (req, socket) => {
    carried.push(`CONNECT ${req.url}`);
    const upstream = connect(Number(req.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  const proxyUrl = `http://127.0.0.1:${await listening(proxy)}`;
  const endpoint = `http://127.0.0.1:${s3.gateway.port}`;
  await put(s3.open({ endpoint, proxyUrl }), 'k', 'x');
  expect(carried).toEqual(['HEAD /under/k', 'PUT /under/k', 'HEAD /under/k']);
  const tlsPort = await tlsFront();
  const tunnelled = { endpoint: `https://127.0.0.1:${tlsPort}`, caPem: pairs.first.cert, proxyUrl };
  await put(s3.open(tunnelled), 'k', 'y');
  expect(carried.slice(3)).toEqual([`CONNECT 127.0.0.1:${tlsPort}`]);
  await put(s3.open({ endpoint, proxyUrl, noProxy: 'other,127.0.0.1' }), 'k', 'z');
  expect([...proofs]).toEqual([undefined]);
  expect(carried).toHaveLength(4);
  expect((await reach({ endpoint, proxyUrl })).join('\n')).toContain('connect ok: the proxy 127.0.0.1 port');
  proofs.clear();
  const known = s3.open({ endpoint, proxyUrl: proxyUrl.replace('//', '//user:p%40ss@') });
  await put(known, 'k', 'x');
  await known.list({ prefix: '', limit: 1 });
  expect([...proofs]).toEqual([`Basic ${Buffer.from('user:p@ss').toString('base64')}`]);
  // What is told of the way is the way that requests take.
  const { port } = new URL(endpoint);
  const near = [`127.0.0.1:${port}`, '*', ' 127.0.0.1 ', '127.0.0.0-127.0.0.9'];
  const far = ['127.0.0.1:1', '0.0.1', '*.0.0.2', '127.0.0.2-127.0.0.9', '127.0.0.9-127.0.0.0', ','];
  for (const noProxy of [...near, '.0.0.1', '*.0.0.1', ...far]) {
    carried.length = 0;
    const steps = (await reach({ endpoint, proxyUrl, noProxy })).join('\n');
    expect(steps).toContain('bucket ok');
    expect([noProxy, steps.includes('the proxy')]).toEqual([noProxy, carried.length > 0]);
    if (near.includes(noProxy)) expect(carried).toEqual([]);
    if (far.includes(noProxy)) expect(carried).not.toEqual([]);
  }
});

test('the usual certificates, and those that the environment adds, are trusted beside one’s own authority', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'forebay-ca-'));
  await writeFile(join(folder, 'extra.pem'), pairs.first.cert);
  const port = await tlsFront();
  const module = JSON.stringify(new URL('../../src/ufs/http-exchange.ts', import.meta.url).href);
  const script = `
    import { connect } from 'node:tls';
    import { trust } from ${module};
    const options = trust({ caPem: ${JSON.stringify(pairs.second.cert)} });
    const socket = connect({ host: '127.0.0.1', port: ${port}, ...options });
    socket.on('secureConnect', () => { console.log('trusted', Object.keys(options).join()); socket.destroy(); });
    socket.on('error', (error) => console.log(error.code));`;
  const run = (extra: object) =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, NODE_OPTIONS: '', ...extra },
    });
  expect((await run({ NODE_EXTRA_CA_CERTS: join(folder, 'extra.pem') })).stdout).toBe(
    'trusted secureContext\n',
  );
  expect((await run({})).stdout).not.toContain('trusted');
  await rm(folder, { recursive: true });
});

describe('credentials that the SDK finds', () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, before);
  });
  const found = { credentials: undefined };

  test('in the environment', async () => {
    process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey;
    const steps = await reach(found);
    expect(steps[0]).toMatch(/found by the search of the AWS SDK$/);
    expect(steps.at(-1)).toMatch(/^bucket ok/);
  });

  test('in shared files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-aws-'));
    const text = `[default]\naws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}\n`;
    await writeFile(join(folder, 'credentials'), text, { mode: 0o600 });
    process.env.AWS_SHARED_CREDENTIALS_FILE = join(folder, 'credentials');
    process.env.AWS_CONFIG_FILE = join(folder, 'config');
    process.env.AWS_EC2_METADATA_DISABLED = 'true';
    expect((await reach(found)).at(-1)).toMatch(/^bucket ok/);
    await rm(folder, { recursive: true });
  });

  /** Credentials of a role are a session, which the gateway does not know: what counts is that it is sent. */
  const expiry = new Date(Date.now() + 3_600_000).toISOString();
  const noFiles = { AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials', AWS_CONFIG_FILE: '/nowhere/config' };

  test('at a metadata service', async () => {
    const answer = JSON.stringify({
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      Token: 'a-session',
      Expiration: expiry,
    });
    const port = await listening(createHttpServer((_, res) => res.end(answer)));
    Object.assign(process.env, noFiles);
    process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `http://127.0.0.1:${port}/role`;
    const steps = await reach(found);
    expect(steps[0]).toMatch(/found by the search of the AWS SDK$/);
    expect(s3.proxy.seen.at(-1)?.headers['x-amz-security-token']).toBe('a-session');
  });

  test('by a web identity', async () => {
    const answer = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${credentials.accessKeyId}</AccessKeyId><SecretAccessKey>${credentials.secretAccessKey}</SecretAccessKey><SessionToken>a-web-session</SessionToken><Expiration>${expiry}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
    const port = await listening(createHttpServer((_, res) => res.end(answer)));
    const folder = await mkdtemp(join(tmpdir(), 'forebay-web-'));
    await writeFile(join(folder, 'token'), 'a token');
    Object.assign(process.env, noFiles, {
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/reader',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}`,
      AWS_REGION: 'us-east-1',
    });
    expect((await reach(found))[0]).toMatch(/^credentials ok/);
    expect(s3.proxy.seen.at(-1)?.headers['x-amz-security-token']).toBe('a-web-session');
    await rm(folder, { recursive: true });
  });

  test('not in time: it says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-aws-'));
    const over = join(folder, 'over');
    const program = `while [ ! -e ${over} ]; do sleep 0.1; done; touch ${over}.seen`;
    await writeFile(join(folder, 'program.sh'), program);
    const config = `[default]\ncredential_process = sh ${join(folder, 'program.sh')}\nregion = us-east-1\n`;
    await writeFile(join(folder, 'config'), config);
    process.env.AWS_CONFIG_FILE = join(folder, 'config');
    process.env.AWS_SHARED_CREDENTIALS_FILE = '/nowhere/credentials';
    const steps = [];
    for await (const step of s3.open(found).reach({ signal: AbortSignal.timeout(200) })) steps.push(step);
    expect(steps).toEqual([
      { name: 'credentials', result: 'failed', detail: 'the search for credentials took too long' },
    ]);
    // It does not wait for the program, which would go on for ever.
    await writeFile(over, '');
    while (!existsSync(`${over}.seen`)) await sleep(20);
    await rm(folder, { recursive: true });
  });

  test('go where the mount says, whatever endpoint is configured beside them', async () => {
    const strangers: string[] = [];
    const port = await listening(
      createHttpServer((req, res) => res.end(String(strangers.push(req.url ?? '')))),
    );
    process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${port}`;
    process.env.AWS_ENDPOINT_URL_S3 = `http://127.0.0.1:${port}`;
    // A name that is nowhere: what counts is that it is asked for.
    const settings = { uri: 's3://under/', endpoint: undefined, region: 'no-such-region' };
    const said = (await reach(settings)).join('\n');
    expect(said).toContain('under.s3.no-such-region.amazonaws.com');
    expect(strangers).toEqual([]);
  });

  test('nowhere: it says so', async () => {
    process.env.AWS_EC2_METADATA_DISABLED = 'true';
    process.env.AWS_SHARED_CREDENTIALS_FILE = '/nowhere/credentials';
    process.env.AWS_CONFIG_FILE = '/nowhere/config';
    expect(await reach(found)).toEqual([
      expect.stringMatching(/^credentials failed: no credentials were found: give --access-key-id/),
    ]);
  });
});
