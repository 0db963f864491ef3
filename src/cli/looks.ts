import { join } from 'node:path';
import { AuditLog } from '../admin/audit-log.ts';
import { ChangeAudit } from '../admin/change-audit.ts';
import { MountReach } from '../admin/mount-reach.ts';
import { NodeReporter } from '../admin/node-reporter.ts';
import { type CacheUsage, type NodeParts, NodeStatusTeller } from '../admin/node-status.ts';
import type { AdminServices, Explain } from '../admin/route.ts';
import type { CredentialSource } from '../auth/authenticate.ts';
import type { Clock } from '../common/clock.ts';
import type { Holdings, HoldingsQuestion } from '../common/held-pages.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { AccessExplainer } from '../gateway/access-explainer.ts';
import { MemberReports } from '../gateway/member-reports.ts';
import type { Namespace } from '../gateway/namespace.ts';
import { ObjectExplainer } from '../gateway/object-explainer.ts';
import { ObjectTeller, type PendingChanges } from '../gateway/object-teller.ts';
import type { Refusals } from '../gateway/refusals.ts';
import { defaultSegmentBytes, type Routing } from '../gateway/routing/routing.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { PolicyStore } from '../mounts/policy-store.ts';
import { PeerError } from '../peers/errors.ts';
import { Departures } from '../ring/departures.ts';
import type { Ownership } from '../ring/ownership.ts';
import { type FileSystem, FileSystemError } from '../ufs/file-system.ts';
import type { DiskPageStore } from '../worker/disk-page-store.ts';
import type { MemoryPageStore } from '../worker/memory-page-store.ts';
import type { MetadataCache } from '../worker/metadata-cache.ts';
import type { PageStore } from '../worker/page-store.ts';
import { readVersion } from './commands/version.ts';
import { CommandError } from './errors.ts';
import type { Settings } from './settings-table.ts';

/** What operators look at a node and its cluster through. */
export type Looks = Pick<
  AdminServices,
  'audit' | 'departures' | 'explain' | 'reports' | 'version' | 'workerId'
> & {
  close(): Promise<void>;
};

/** The parts of a node that it tells of. */
export type LookedAt = Pick<NodeParts, 'cluster' | 'metrics' | 'mounts' | 'readiness'> & {
  readonly pending: NodeParts['pending'] & PendingChanges;
  readonly fs: FileSystem;
  readonly dataFolder: string;
  readonly ownership: Ownership;
  readonly routing: Routing | undefined;
  readonly backends: MountedBackends;
  readonly policies: PolicyStore;
  readonly cache: () => CacheUsage;
  readonly namespace: Namespace;
  readonly objects: MetadataCache;
  readonly pages: PageStore;
  readonly refusals: Refusals;
  readonly credentials: CredentialSource;
  readonly holdings: (question: HoldingsQuestion) => Promise<Holdings>;
};

/** Opens the audit log, and has this node tell others of itself. Rejects with `CommandError` where the log cannot be had. */
export async function openLooks(
  settings: Settings,
  clock: Clock,
  random: Random,
  log: Log,
  parts: LookedAt,
): Promise<Looks> {
  const { fs, dataFolder, ownership, routing, backends, mounts, refusals } = parts;
  const { workerId } = ownership;
  const version = await readVersion();
  const file = await openAuditLog(settings, join(dataFolder, 'audit'), fs);
  const audit = new ChangeAudit(clock, random, log, file, workerId);
  const reach = new MountReach(clock, backends, () => mounts.table.mounts);
  const status = new NodeStatusTeller(clock, { ...parts, workerId, version, audit, reach });
  const object = objectTellerOf(settings, parts);
  const reporter = new NodeReporter({
    audit: (question) => audit.read(question),
    status: (question) => status.tell(question),
    object: (question) => object.tell(question),
    refusal: async ({ requestId }: { requestId: string }) => refusals.find(requestId),
    holdings: parts.holdings,
  });
  routing?.reportWith(reporter);
  const reports = new MemberReports(ownership, reporter, async (member, kind, about, timeoutMs) => {
    if (routing) return routing.report(member, kind, about, timeoutMs);
    throw new PeerError('unreachable', 'this node belongs to no cluster');
  });
  const departures = new Departures(clock, ownership);
  const close = async () => {
    status.close();
    await file.close();
  };
  const explain = explainOf(settings, clock, parts, reports);
  return { workerId, version, audit, reports, explain, departures: () => departures.recent, close };
}

function objectTellerOf(settings: Settings, parts: LookedAt): ObjectTeller {
  const { namespace, mounts, ownership, objects, pages, pending } = parts;
  const about = { pageSizeBytes: settings['page.size'] };
  return new ObjectTeller(namespace, () => mounts.table, ownership, objects, pages, pending, about);
}

function explainOf(
  settings: Settings,
  clock: Clock,
  { namespace, mounts, policies, ownership, credentials, cluster }: LookedAt,
  reports: MemberReports,
): Explain {
  const objects = new ObjectExplainer(clock, namespace, () => mounts.table, policies, ownership, reports, {
    segmentBytes: defaultSegmentBytes,
    isCluster: cluster !== undefined,
  });
  const access = new AccessExplainer(clock, credentials, mounts.buckets, namespace, {
    region: settings.region,
    isSecure: settings['tls.cert'] !== undefined,
  });
  return {
    object: (bucket, key, asksStorage) => objects.explain(bucket, key, asksStorage),
    access: (asked) => access.explain(asked),
  };
}

/** What the caches of a node hold at the moment. */
export function cacheUsageOf(
  memory: MemoryPageStore,
  disk: DiskPageStore | undefined,
  objects: { readonly usage: { readonly entries: number } },
): CacheUsage {
  return {
    memory: { usedBytes: memory.usage.bytes, capacityBytes: memory.usage.capacityBytes },
    disk: disk && { usedBytes: disk.usage.bytes, capacityBytes: disk.usage.capacityBytes },
    foldersDown: (disk?.passedBy ?? []).map(({ path, message }) => ({ path, message })),
    objects: objects.usage.entries,
  };
}

async function openAuditLog(settings: Settings, folder: string, fs: FileSystem): Promise<AuditLog> {
  try {
    return await AuditLog.open(fs, { folder, capacityBytes: settings['audit.size'] });
  } catch (error) {
    if (!(error instanceof FileSystemError)) throw error;
    throw new CommandError(`the audit log in ${folder} cannot be opened: ${error.message}`);
  }
}
