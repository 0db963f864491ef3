import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import aws4 from 'aws4';
import { AuditLog } from '../../src/admin/audit-log.ts';
import { ChangeAudit } from '../../src/admin/change-audit.ts';
import { MountReach } from '../../src/admin/mount-reach.ts';
import { NodeReporter } from '../../src/admin/node-reporter.ts';
import { NodeStatusTeller } from '../../src/admin/node-status.ts';
import { Readiness } from '../../src/admin/readiness.ts';
import type { AdminServices, Explain } from '../../src/admin/route.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { Authenticator } from '../../src/auth/authenticate.ts';
import { Credentials } from '../../src/auth/credentials.ts';
import { SecretBox } from '../../src/auth/secret-box.ts';
import { UserStore } from '../../src/auth/user-store.ts';
import { DynamicSettings } from '../../src/cli/dynamic-settings.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { nodePending } from '../../src/cli/write-back.ts';
import { systemClock } from '../../src/common/clock.ts';
import type { HoldingsQuestion } from '../../src/common/held-pages.ts';
import { silentLog } from '../../src/common/log.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom } from '../../src/common/random.ts';
import { ConfigStore } from '../../src/coord/config-store.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { AccessExplainer } from '../../src/gateway/access-explainer.ts';
import { MemberReports } from '../../src/gateway/member-reports.ts';
import { Namespace } from '../../src/gateway/namespace.ts';
import { ObjectExplainer } from '../../src/gateway/object-explainer.ts';
import { ObjectTeller } from '../../src/gateway/object-teller.ts';
import { Refusals } from '../../src/gateway/refusals.ts';
import { JobStore } from '../../src/jobs/job-store.ts';
import { Jobs } from '../../src/jobs/jobs.ts';
import { MountStore } from '../../src/mounts/mount-store.ts';
import { MountedBackends } from '../../src/mounts/mounted-backends.ts';
import { PolicyStore } from '../../src/mounts/policy-store.ts';
import { WriteBack } from '../../src/pending/write-back.ts';
import { SoleOwnership } from '../../src/ring/sole-ownership.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { NodeFileSystem } from '../../src/ufs/node-file-system.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { MetadataCache } from '../../src/worker/metadata-cache.ts';

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

function aloneOwnership(): SoleOwnership {
  const nowhere = { host: '', peerPort: 0, s3Url: '', adminUrl: '' };
  return new SoleOwnership({
    workerId: 'this-node',
    incarnation: '1',
    weight: 1,
    state: 'joined',
    ...nowhere,
  });
}

/** An admin port over real stores in memory; every mount's backend is one in memory. */
export class AdminNode {
  readonly readiness = new Readiness(['store']);
  readonly metrics = new Metrics();
  readonly backend = new MemoryBackend(systemClock, systemRandom);
  readonly server: AdminServer;
  users!: UserStore;
  mounts!: MountStore;
  policies!: PolicyStore;
  settings!: DynamicSettings;
  readonly store = createMemoryStore(systemClock, systemRandom);
  auditLog!: AuditLog;
  status!: NodeStatusTeller;
  readonly refusals = new Refusals(systemClock);
  writeBack!: WriteBack;
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

  /** Opens the stores and lets the signed routes in. `more`: what this node has beside, made over its store. */
  async open(more: (node: this) => Promise<Partial<AdminServices>> = async () => ({})): Promise<this> {
    this.dataFolder = await mkdtemp(join(tmpdir(), 'forebay-admin-'));
    this.rootFolder = await mkdtemp(join(tmpdir(), 'forebay-admin-root-'));
    this.auditLog = await AuditLog.open(new NodeFileSystem(), {
      folder: join(this.dataFolder, 'audit'),
      capacityBytes: 1024 * 1024,
    });
    this.writeBack = await openWriteBack(join(this.dataFolder, 'pending'));
    const { store } = this;
    const audit = new ChangeAudit(systemClock, systemRandom, silentLog(), this.auditLog, 'this-node');
    const box = new SecretBox(systemRandom, Buffer.alloc(32, 1));
    const credentials = await Credentials.open(systemClock, store, box, root);
    this.users = new UserStore(systemClock, systemRandom, box, credentials);
    this.mounts = await MountStore.open(systemClock, systemRandom, store, box, { rootUser: 'root' });
    this.policies = await PolicyStore.open(systemClock, store, this.mounts);
    this.settings = new DynamicSettings(ownSettings(), await ConfigStore.open(systemClock, store));
    const others = await more(this);
    const backends = new MountedBackends(this.backend, () => this.openBackend());
    this.status = new NodeStatusTeller(systemClock, {
      workerId: 'this-node',
      version: '1.2.3',
      metrics: this.metrics,
      readiness: this.readiness,
      cluster: others.cluster,
      cache: () => ({ memory: { usedBytes: 1, capacityBytes: 2 }, foldersDown: [], objects: 3 }),
      mounts: this.mounts,
      pending: this.writeBack,
      audit,
      reach: new MountReach(systemClock, backends, () => this.mounts.table.mounts),
    });
    const ownership = aloneOwnership();
    const namespace = new Namespace(this.mounts.buckets, () => this.mounts.table, backends, {
      rootUri: 'memory:',
      leaseMs: 30_000,
    });
    const table = () => this.mounts.table;
    const objects = new MetadataCache(systemClock, this.metrics, { capacityBytes: 1_000_000 });
    const pages = new MemoryPageStore(this.metrics, { capacityBytes: 1_000_000, maxPageBytes: 65_536 });
    const settings = { pageSizeBytes: 65_536 };
    const teller = new ObjectTeller(namespace, table, ownership, objects, pages, this.writeBack, settings);
    const reporter = new NodeReporter({
      audit: (question) => audit.read(question),
      status: (question) => this.status.tell(question),
      object: (question) => teller.tell(question),
      refusal: async ({ requestId }: { requestId: string }) => this.refusals.find(requestId),
      holdings: async ({ targets }: HoldingsQuestion) => ({
        held: targets.map(() => ({ pages: 3, bytes: 3000 })),
        usedBytes: 3000,
        capacityBytes: 10 * 1024 ** 3,
        objects: 3,
        goesBy: this.policies.digest,
      }),
    });
    const reports = new MemberReports(ownership, reporter, async () => {
      throw new Error('there is no other node');
    });
    const explainer = new ObjectExplainer(systemClock, namespace, table, this.policies, ownership, reports, {
      segmentBytes: 1_000_000,
      isCluster: false,
    });
    const access = new AccessExplainer(systemClock, credentials, this.mounts.buckets, namespace, {
      region,
      isSecure: false,
    });
    const explain: Explain = {
      object: (...asked) => explainer.explain(...asked),
      access: (asked) => access.explain(asked),
    };
    this.server.open({
      workerId: 'this-node',
      departures: () => [],
      version: '1.2.3',
      clock: systemClock,
      random: systemRandom,
      authenticator: new Authenticator(systemClock, credentials, { region, service: 'forebay' }),
      users: this.users,
      mounts: this.mounts,
      policies: this.policies,
      clusterSettings: this.settings,
      leaseMs: 30_000,
      backends,
      tryBackend: () => this.openBackend(),
      openStorage: () => this.openBackend(),
      ownFolders: { data: this.dataFolder, root: this.rootFolder, pages: [] },
      cluster: undefined,
      audit,
      reports,
      explain,
      jobs: new Jobs(systemClock, await JobStore.open(systemClock, systemRandom, store)),
      pending: nodePending(this.writeBack),
      ...others,
    });
    return this;
  }

  async close(): Promise<void> {
    await this.server.close(100);
    this.status?.close();
    await this.auditLog?.close();
    await this.writeBack?.close();
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

function openWriteBack(path: string): Promise<WriteBack> {
  const settings = {
    path,
    capacityBytes: 1e9,
    whenFull: 'through',
    hasCopies: () => true,
    barrierMs: 1_000,
    settleMs: 1_000,
    overwrites: false,
    concurrency: 1,
    delayMs: 0,
    retryMs: [100, 1_000],
    minPartSizeBytes: 0,
    maxUploadIdleMs: 0,
  } as const;
  const fs = new NodeFileSystem();
  return WriteBack.open(fs, systemClock, systemRandom, silentLog(), settings, { attempted: () => {} });
}

function ownSettings() {
  return resolveSettings({ flags: new Map(), environment: {} }).settings;
}
