import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import aws4 from 'aws4';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

export const credentials = {
  accessKeyId: 'AKIABENCHBENCHBENCH0',
  secretAccessKey: 'bench-secret-of-no-worth-0123456789abcdef',
};

export interface Server {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** Ends it, by SIGTERM if nothing else is said. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Node extends Server {
  readonly adminPort: number;
}

/** Mounts the bucket of the storage at a port under the same name; by default with metadata that is good for an hour. */
export async function addMount(
  node: Node,
  bucket: string,
  storagePort: number,
  { freshness = 'lease:1h', writeMode }: { freshness?: string; writeMode?: string } = {},
): Promise<void> {
  await addMountOf(node, {
    target: bucket,
    uri: `s3://${bucket}`,
    endpoint: `http://127.0.0.1:${storagePort}`,
    region: 'us-east-1',
    pathStyle: true,
    freshness,
    writeMode,
    ...credentials,
  });
}

/** Mounts what is described as `POST /v1/mounts` has it. */
export async function addMountOf(node: Node, mount: Readonly<Record<string, unknown>>): Promise<void> {
  const host = `127.0.0.1:${node.adminPort}`;
  const body = JSON.stringify(mount);
  const headers = {
    'content-type': 'application/json',
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  };
  const signing = {
    service: 'forebay',
    region: 'us-east-1',
    method: 'POST',
    path: '/v1/mounts',
    host,
    body,
    headers,
  };
  const signed = aws4.sign(signing, credentials).headers as Record<string, string>;
  const answer = await fetch(`http://${host}/v1/mounts`, { method: 'POST', body, headers: signed });
  if (!answer.ok)
    throw new Error(`the mount of ${mount.target} failed: ${answer.status} ${await answer.text()}`);
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

/** A node of this checkout on its default settings, with `folder` as its data; ready. */
export async function startForebay(
  name: string,
  folder: string,
  extra: Record<string, string> = {},
): Promise<Node> {
  const node = await spawnForebay(name, folder, extra);
  await untilAnswers(`http://127.0.0.1:${node.adminPort}/readyz`, node.process);
  return node;
}

/** As `startForebay`, at the moment at which its process begins. */
export async function spawnForebay(
  name: string,
  folder: string,
  extra: Record<string, string> = {},
): Promise<Node> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(checkout, 'src/cli/main.ts'), 'serve'],
    {
      env: {
        PATH: process.env.PATH ?? '',
        FOREBAY_DATA: folder,
        FOREBAY_S3_PORT: String(port),
        FOREBAY_ADMIN_PORT: String(adminPort),
        FOREBAY_ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
        FOREBAY_ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        ...extra,
      },
      stdio: ['ignore', 'ignore', 'ignore'],
    },
  );
  return { name, port, adminPort, process: child, stop: (signal) => stop(child, signal) };
}

/** Resolves when the URL is answered, by whatever is no fault of the server. Rejects if `child` ends before. */
export async function untilAnswers(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null)
      throw new Error(`the server ended with ${child.exitCode} before it was ready`);
    const answered = await fetch(url).then(
      (response) => response.status < 500,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no answer from ${url} within 20 s`);
}

/** Resolves when it has ended. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}
