import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import aws4 from 'aws4';
import { Readiness } from '../../src/admin/readiness.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { Authenticator } from '../../src/auth/authenticate.ts';
import { Credentials } from '../../src/auth/credentials.ts';
import { SecretBox } from '../../src/auth/secret-box.ts';
import { UserStore } from '../../src/auth/user-store.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { MountStore } from '../../src/mounts/mount-store.ts';
import { MountedBackends } from '../../src/mounts/mounted-backends.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';

export const region = 'us-east-1';
export const root = { accessKeyId: 'ROOTKEY', secretAccessKey: 'root-secret' };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  readonly json: any;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** An admin port over real stores in memory; every mount's backend is one in memory. */
export class AdminNode {
  readonly readiness = new Readiness(['store']);
  readonly metrics = new Metrics();
  readonly backend = new MemoryBackend(systemClock, systemRandom);
  readonly server: AdminServer;
  users!: UserStore;
  mounts!: MountStore;
  port = 0;
  dataFolder = '';
  rootFolder = '';
  /** What opening the backend of a mount does. */
  openBackend: () => Promise<Backend> = async () => this.backend;

  constructor(settings: { metricsPublic?: boolean; host?: string } = {}) {
    this.server = new AdminServer(silentLog(), this.metrics, this.readiness, undefined, {
      host: settings.host ?? '127.0.0.1',
      port: 0,
      metricsPublic: settings.metricsPublic ?? false,
    });
  }

  async listen(): Promise<this> {
    this.port = (await this.server.listen()).port;
    return this;
  }

  /** Opens the stores and lets the signed routes in. */
  async open(): Promise<this> {
    this.dataFolder = await mkdtemp(join(tmpdir(), 'forebay-admin-'));
    this.rootFolder = await mkdtemp(join(tmpdir(), 'forebay-admin-root-'));
    const store = createMemoryStore(systemClock, systemRandom);
    const box = new SecretBox(systemRandom, Buffer.alloc(32, 1));
    const credentials = await Credentials.open(systemClock, store, box, root);
    this.users = new UserStore(systemClock, systemRandom, box, credentials);
    this.mounts = await MountStore.open(systemClock, systemRandom, store, box, { rootUser: 'root' });
    this.server.open({
      clock: systemClock,
      random: systemRandom,
      authenticator: new Authenticator(systemClock, credentials, { region, service: 'forebay' }),
      users: this.users,
      mounts: this.mounts,
      leaseMs: 30_000,
      backends: new MountedBackends(this.backend, () => this.openBackend()),
      tryBackend: () => this.openBackend(),
      ownFolders: { data: this.dataFolder, root: this.rootFolder, pages: [] },
      cluster: undefined,
      cached: async () => new Map(),
    });
    return this;
  }

  async close(): Promise<void> {
    await this.server.close(100);
    for (const folder of [this.dataFolder, this.rootFolder])
      if (folder) await rm(folder, { recursive: true });
  }

  /** Signs with an independent signer and sends. */
  async call(method: string, path: string, body?: unknown, key = root): Promise<Answer> {
    return this.send(
      this.sign({ method, path, body: body === undefined ? undefined : JSON.stringify(body) }, key),
    );
  }

  sign(call: Call, key = root, change: { host?: string; service?: string; bodyHash?: string } = {}): Call {
    const bodyHash = createHash('sha256')
      .update(call.body ?? '')
      .digest('hex');
    const signed = aws4.sign(
      {
        method: call.method,
        path: call.path,
        host: change.host ?? `127.0.0.1:${this.port}`,
        service: change.service ?? 'forebay',
        region,
        body: call.body,
        headers: {
          ...call.headers,
          ...(call.body === undefined ? {} : { 'Content-Type': 'application/json' }),
          'X-Amz-Content-Sha256': change.bodyHash ?? bodyHash,
        },
      },
      key,
    );
    return { ...call, headers: signed.headers as Record<string, string> };
  }

  send(call: Call, host = '127.0.0.1'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host, port: this.port, method: call.method, path: call.path, headers: call.headers };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.startsWith('application/json');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: isJson ? JSON.parse(text) : undefined,
          });
        });
      });
      request.on('error', reject);
      request.end(call.body);
    });
  }
}
