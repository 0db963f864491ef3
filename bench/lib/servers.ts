import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
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
  stop(): Promise<void>;
}

export interface Node extends Server {
  readonly adminPort: number;
}

/** Mounts the bucket of the storage at a port under the same name, with metadata that is good for an hour. */
export async function addMount(node: Node, bucket: string, storagePort: number): Promise<void> {
  const host = `127.0.0.1:${node.adminPort}`;
  const body = JSON.stringify({
    target: bucket,
    uri: `s3://${bucket}`,
    endpoint: `http://127.0.0.1:${storagePort}`,
    region: 'us-east-1',
    pathStyle: true,
    freshness: 'lease:1h',
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
  });
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
  if (!answer.ok) throw new Error(`the mount of ${bucket} failed: ${answer.status} ${await answer.text()}`);
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

/** A node of this checkout on its default settings, with `folder` as its data. */
export async function startForebay(
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
  await untilAnswers(`http://127.0.0.1:${adminPort}/readyz`, child);
  return { name, port, adminPort, process: child, stop: () => stop(child) };
}

/** nginx serving `folder/www` as static files, one worker, access log on; undefined where nginx is not installed. */
export async function startNginx(folder: string): Promise<Server | undefined> {
  const program = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path));
  if (!program) return undefined;
  const port = await freePort();
  await mkdir(join(folder, 'www'), { recursive: true });
  const configuration = `
worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx-error.log;
events { worker_connections 256; }
http {
  access_log ${folder}/nginx-access.log combined buffer=64k; sendfile on; tcp_nodelay on; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  server { listen 127.0.0.1:${port}; root ${folder}/www; }
}
${process.getuid?.() === 0 ? 'user root;' : ''}
`;
  await writeFile(join(folder, 'nginx.conf'), configuration);
  const child = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  await untilAnswers(`http://127.0.0.1:${port}/`, child);
  return { name: 'nginx static', port, process: child, stop: () => stop(child) };
}

async function untilAnswers(url: string, child: ChildProcess): Promise<void> {
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

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
