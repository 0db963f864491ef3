import type { AdminServer } from '../admin/server.ts';
import type { Log } from '../common/log.ts';
import type { RequestPipeline } from '../gateway/handle-request.ts';
import type { Namespace } from '../gateway/namespace.ts';
import type { DiskPageStore } from '../worker/disk-page-store.ts';
import type { PageReader } from '../worker/page-reader.ts';
import type { DynamicSettings } from './dynamic-settings.ts';

/** The parts of every thread that a setting can be changed of. */
export interface TunedThread {
  readonly log: Log;
  readonly namespace: Namespace;
  readonly pipeline: RequestPipeline;
}

/** And those of the store thread. */
export interface TunedNode extends TunedThread {
  readonly admin: AdminServer;
  readonly reader: PageReader;
  readonly disk: DiskPageStore | undefined;
}

/** Has the parts of a thread go by the settings as they are now, and from now on. Returns what ends it. */
export function tuneThread(settings: DynamicSettings, { log, namespace, pipeline }: TunedThread): () => void {
  const ownLevel = log.level;
  return settings.follow(() => {
    log.level = settings.shared('log.level') ?? ownLevel;
    namespace.tune({ leaseMs: settings.get('freshness.lease') });
    pipeline.tune({ maxInFlight: settings.get('limits.requests') });
  });
}

/** The same of the store thread. */
export function tuneNode(settings: DynamicSettings, parts: TunedNode): () => void {
  const { admin, reader, disk } = parts;
  const endThread = tuneThread(settings, parts);
  const endOthers = settings.follow(() => {
    admin.tune({ metricsPublic: settings.get('metrics.public') });
    disk?.tune({ scrubBytesPerSecond: settings.get('cache.scrub') });
    reader.tune({
      maxFillBytes: settings.get('limits.fillMemory'),
      maxFills: settings.get('limits.fills'),
      maxQueuedFills: settings.get('limits.queuedFills'),
      readAheadPages: settings.get('cache.readAhead'),
    });
  });
  return () => {
    endThread();
    endOthers();
  };
}
