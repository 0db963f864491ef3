import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureVersion } from 'node:tls';
import { CreateBucketCommand, PutBucketPolicyCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunningNode } from '../../conformance/harness.ts';
import { run } from '../../src/cli/run.ts';
import { pairs } from '../common/tls-pairs.ts';
import { HostileClient } from '../hostile/hostile-client.ts';
import { RawConnection } from '../hostile/raw-connection.ts';
import { type Outcome, runCli, startCli } from './command-line.ts';

interface Started {
  readonly child: ChildProcess;
  readonly s3: string;
  readonly admin: string;
  readonly accessKeyId: string;
  readonly secretAccessKey?: string;
  readonly stdout: string;
}

let folder: string;
let data: string;
let count = 0;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-serve-'));
});
afterEach(async () => {
  for (const child of running) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  running.clear();
});
afterAll(() => rm(folder, { recursive: true }));

function environment(more: Record<string, string> = {}): Record<string, string> {
  return { FOREBAY_DATA: data, FOREBAY_S3_PORT: '0', FOREBAY_ADMIN_PORT: '0', ...more };
}

/** Starts a node on a data folder of its own, unless one is given, and waits until it has said where it is. */
async function serve(
  more: Record<string, string> = {},
  words: readonly string[] = ['--json'],
): Promise<Started> {
  if (!more.FOREBAY_DATA) data = join(folder, `data-${count++}`);
  const child = startCli(['serve', ...words], environment(more), folder);
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
      if (stdout.endsWith(words.includes('--json') ? '}\n' : '\n\n')) resolve();
    });
    child.on('exit', (code) => reject(new Error(`serve ended with ${code}: ${stderr}`)));
  });
  return { child, stdout, ...(words.includes('--json') ? JSON.parse(stdout) : {}) };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  const [code] = await once(child, 'exit');
  running.delete(child);
  return code;
}

/** Runs a command, in this process, as a client of the node with its data folder's root key. */
async function client(node: Started, line: string, more: Record<string, string> = {}): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const exitCode = await run(line.split(' '), {
    environment: environment({ FOREBAY_ADMIN_URL: node.admin, ...more }),
    print: (text) => {
      stdout += `${text}\n`;
    },
    printError: (text) => {
      stderr += `${text}\n`;
    },
  });
  return { exitCode, stdout, stderr };
}

/** The status of a GET that nobody signed. */
async function statusOver(version: SecureVersion, url: string): Promise<number | undefined> {
  const options = { ca: pairs.first.cert, minVersion: version, maxVersion: version, agent: false } as const;
  const [answer] = await once(get(url, options), 'response');
  answer.resume();
  await once(answer, 'end');
  return answer.statusCode;
}

describe('a node', () => {
  test('is ready when it has said so, serves the commands, and ends on SIGTERM with 0 in short time', async () => {
    const node = await serve();
    expect(node.s3).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(`${node.admin}/readyz`)).status).toBe(200);
    expect((await fetch(node.s3)).status).toBe(403);
    const created = await client(node, 'user create ada --policy admin --json');
    expect(created).toMatchObject({ exitCode: 0, stderr: '' });
    const ada = JSON.parse(created.stdout);
    const asAda = await client(node, 'user list --json', {
      AWS_ACCESS_KEY_ID: ada.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ada.secretAccessKey,
    });
    expect(JSON.parse(asAda.stdout).map((user: { name: string }) => user.name)).toEqual(['root', 'ada']);
    const startedMs = Date.now();
    expect(await stop(node.child, 'SIGTERM')).toBe(0);
    expect(Date.now() - startedMs).toBeLessThan(20_000);
  });

  /** An upload that has begun: the node ends when it is whole, or the time for it is over. */
  async function beginUpload(
    node: Started,
  ): Promise<{ readonly connection: RawConnection; readonly rest: string }> {
    const s3Port = Number(new URL(node.s3).port);
    const { accessKeyId, secretAccessKey = '' } = node;
    const hostile = new HostileClient({ s3Port, accessKeyId, secretAccessKey } as RunningNode);
    expect((await hostile.send({ method: 'PUT', target: '/bucket' })).status).toBe(200);
    const headers = { 'Content-Length': '4', Expect: '100-continue' };
    const head = hostile.signed({
      method: 'PUT',
      target: '/bucket/key',
      payload: 'UNSIGNED-PAYLOAD',
      headers,
    });
    const connection = await RawConnection.open(s3Port);
    connection.write(head.text());
    expect((await connection.answer())?.status).toBe(100);
    return { connection, rest: 'body' };
  }

  test('a signal that comes twice, as Ctrl-C does through npm, lets a request under way end', async () => {
    const node = await serve({ FOREBAY_TIMEOUT_SHUTDOWN: '4s' });
    const { connection, rest } = await beginUpload(node);
    node.child.kill('SIGINT');
    await sleep(100);
    const stopped = stop(node.child, 'SIGINT');
    await sleep(100);
    connection.write(rest);
    expect((await connection.answer())?.status).toBe(200);
    expect(await stopped).toBe(0);
  });

  test('an answer on its way to a slow reader arrives whole when the node ends', async () => {
    const node = await serve({ FOREBAY_TIMEOUT_SHUTDOWN: '4s' });
    const { connection, rest } = await beginUpload(node);
    const s3Port = Number(new URL(node.s3).port);
    const { accessKeyId, secretAccessKey = '' } = node;
    const hostile = new HostileClient({ s3Port, accessKeyId, secretAccessKey } as RunningNode);
    const body = 'slow'.repeat(200_000);
    expect((await hostile.send({ method: 'PUT', target: '/bucket/large', body })).status).toBe(200);
    // From memory, in one piece, as soon as it has been read once.
    expect((await hostile.send({ target: '/bucket/large' })).body).toBe(body);
    // So many that the network does not take them all.
    const slow = await RawConnection.open(s3Port);
    slow.pause();
    slow.write(hostile.signed({ target: '/bucket/large' }).text().repeat(8));
    await sleep(300);
    const stopped = stop(node.child, 'SIGTERM');
    await sleep(300);
    slow.resume();
    for (let i = 0; i < 8; i++) expect((await slow.answer())?.body.length).toBe(body.length);
    connection.write(rest);
    expect((await connection.answer())?.status).toBe(200);
    expect(await stopped).toBe(0);
  });

  test('a signal that is repeated later ends it at once', async () => {
    const node = await serve({ FOREBAY_TIMEOUT_SHUTDOWN: '4s' });
    const { connection } = await beginUpload(node);
    node.child.kill('SIGTERM');
    await sleep(1300);
    expect(await stop(node.child, 'SIGTERM')).toBe(1);
    connection.close();
  });

  test('mounts a folder, shows it, checks it and lets it go; what fails ends with 1', async () => {
    const node = await serve();
    const tree = join(folder, 'tree');
    await mkdir(tree, { recursive: true });
    await writeFile(join(tree, 'x.txt'), 'hello');
    expect((await client(node, `mount add tree file://${tree}`)).exitCode).toBe(0);
    expect(JSON.parse((await client(node, 'mount list --json')).stdout)).toEqual([
      expect.objectContaining({ name: 'tree', uri: `file://${tree}`, owner: 'root' }),
    ]);
    const check = await client(node, 'mount check tree --json');
    expect([check.exitCode, JSON.parse(check.stdout).ok]).toEqual([0, true]);
    expect((await readdir(tree)).filter((name) => name !== '.forebay')).toEqual(['x.txt']);
    await rm(tree, { recursive: true });
    expect((await client(node, 'mount check tree')).exitCode).toBe(1);
    const refused = await client(node, `mount add stolen file://${data}/root`);
    expect([refused.exitCode, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain("Forebay's own data folder");
    expect((await client(node, 'mount remove tree')).exitCode).toBe(0);
    const gone = await client(node, 'mount show tree --json');
    expect([gone.exitCode, JSON.parse(gone.stderr)]).toEqual([1, { error: 'there is no mount tree' }]);
  });

  test('shows the secret of a new root key once, and keeps users over a kill -9', async () => {
    const first = await serve();
    expect(first.secretAccessKey).toMatch(/^\S{40}$/);
    expect((await client(first, 'user create kept --policy readonly')).exitCode).toBe(0);
    await stop(first.child, 'SIGKILL');
    const second = await serve({ FOREBAY_DATA: data });
    expect(second.accessKeyId).toBe(first.accessKeyId);
    expect(second.secretAccessKey).toBeUndefined();
    expect((await client(second, 'user show kept')).exitCode).toBe(0);
  });

  test('prints lines to paste that name the endpoint and where the key is, and no log on stdout', async () => {
    const { stdout } = await serve({}, []);
    const url = /S3 endpoint {2}(\S+)/.exec(stdout)?.[1] as string;
    const file = join(data, 'root-credentials');
    expect(stdout).toContain(
      `AWS_SHARED_CREDENTIALS_FILE=${file} aws --endpoint-url ${url} --region us-east-1 --profile default s3 ls`,
    );
    expect(stdout).toContain(`client('s3', endpoint_url="${url}", region_name="us-east-1")`);
    expect(stdout).not.toContain('{"level"');
    expect(await readFile(file, 'utf8')).toContain(/Access key {3}(\S+)/.exec(stdout)?.[1] as string);
  });

  test('with a root key from the environment neither prints nor keeps its secret', async () => {
    const key = { FOREBAY_ROOT_ACCESS_KEY_ID: 'GIVEN', FOREBAY_ROOT_SECRET_ACCESS_KEY: 'given-secret' };
    const node = await serve(key);
    expect(node.accessKeyId).toBe('GIVEN');
    expect(node.stdout).not.toContain('given-secret');
    expect((await client(node, 'user list', key)).exitCode).toBe(0);
    await stop(node.child, 'SIGTERM');
    for (const entry of await readdir(data, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      expect(await readFile(join(entry.parentPath, entry.name), 'latin1')).not.toContain('given-secret');
    }
  });

  test('serves TLS on both doors, and the commands trust its certificate', async () => {
    const cert = join(folder, 'tls.crt');
    const key = join(folder, 'tls.key');
    await writeFile(cert, pairs.first.cert);
    await writeFile(key, pairs.first.key);
    const port = await freePort();
    const tls = { FOREBAY_TLS_CERT: cert, FOREBAY_TLS_KEY: key, FOREBAY_ADMIN_PORT: String(port) };
    const node = await serve(tls);
    expect([node.s3.slice(0, 8), node.admin]).toEqual(['https://', `https://127.0.0.1:${port}`]);
    const trusted = await runCli(['user', 'list'], environment(tls), folder);
    expect(trusted).toMatchObject({ exitCode: 0, stderr: '' });
    await writeFile(cert, pairs.second.cert);
    const other = await runCli(['user', 'list'], environment(tls), folder);
    expect(other.exitCode).toBe(1);
  });

  test.each(['1', '2'])('tells policies which TLS a client speaks, with %s threads', async (threads) => {
    const [cert, key] = [join(folder, 'policy.crt'), join(folder, 'policy.key')];
    await writeFile(cert, pairs.first.cert);
    await writeFile(key, pairs.first.key);
    const node = await serve({
      FOREBAY_TLS_CERT: cert,
      FOREBAY_TLS_KEY: key,
      FOREBAY_IO_THREADS: threads,
    });
    const { accessKeyId, secretAccessKey = '' } = node;
    const s3 = new S3Client({
      endpoint: node.s3,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      requestHandler: { httpsAgent: new Agent({ ca: pairs.first.cert }) },
    });
    const Bucket = 'bucket';
    await s3.send(new CreateBucketCommand({ Bucket }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'body' }));
    const Statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:GetObject', 's3:GetObjectTagging'],
      Resource: 'arn:aws:s3:::bucket/*',
      Condition: { NumericGreaterThanEquals: { 's3:TlsVersion': '1.3' } },
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    s3.destroy();
    // The object out of the thread that listens, its tags out of the store thread.
    for (const target of ['/bucket/key', '/bucket/key?tagging=']) {
      expect(await statusOver('TLSv1.3', node.s3 + target)).toBe(200);
      expect(await statusOver('TLSv1.2', node.s3 + target)).toBe(403);
    }
  });
});

describe('a node that cannot start says why, with 1', () => {
  test('the data folder is in use', async () => {
    await serve();
    const second = await runCli(['serve'], environment(), folder);
    expect([second.exitCode, second.stdout]).toEqual([1, '']);
    expect(second.stderr).toContain(`the data folder ${data} is in use by another node`);
  });

  test.each([
    ['FOREBAY_S3_PORT', '--s3-port'],
    ['FOREBAY_ADMIN_PORT', '--admin-port'],
  ])('the port of %s is in use', async (variable, flag) => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const port = String((holder.address() as AddressInfo).port);
    data = join(folder, `data-${count++}`);
    const result = await runCli(['serve'], environment({ [variable]: port }), folder);
    holder.close();
    expect(result.exitCode).toBe(1);
    // The root key was made, and this is the only time that its secret is shown.
    expect(result.stdout).toMatch(/Access key {3}\w{20}\n.*Secret key {3}\S{40}\n.*root-credentials\n$/);
    expect(result.stderr).toContain(
      `port ${port} on 127.0.0.1 is in use: stop what listens there, or set another with ${flag}`,
    );
    expect(result.stderr).not.toContain('    at ');
  });

  test('the encryption key is not the one that the stored secrets were sealed with', async () => {
    const node = await serve();
    expect((await client(node, 'user create ada --policy admin')).exitCode).toBe(0);
    await stop(node.child, 'SIGTERM');
    await writeFile(join(data, 'secret.key'), Buffer.alloc(32).toString('base64'));
    const result = await runCli(['serve'], environment(), folder);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('sealed with another encryption key');
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
