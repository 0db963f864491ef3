import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Mount } from '../mounts/mount.ts';
import { mountName } from '../mounts/mount-spec.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import { MountedBackends } from '../mounts/mounted-backends.ts';
import { placeAmong } from '../ring/place-among.ts';
import type { Backend } from '../ufs/backend.ts';
import { limitedBackend } from '../ufs/limited.ts';
import { MeteredBackend } from '../ufs/metered.ts';
import { type BackendDependencies, openBackend } from '../ufs/open-backend.ts';
import { type ClusterPart, writerIn } from './cluster.ts';

/** The storages of all mounts, counted and limited; `withPendingOver` puts what is pending over one of them. */
export function openBackends(
  clock: Clock,
  root: Backend,
  parts: BackendDependencies,
  metrics: Metrics,
  mounts: MountStore,
  cluster: ClusterPart,
  withPendingOver: (mount: Mount, backend: Backend) => Backend,
): MountedBackends {
  const node = () => placeAmong(cluster.ownership);
  const metered = (backend: Backend, mount: string) => new MeteredBackend(metrics, backend, mount);
  return new MountedBackends(metered(root, 'root'), async (mount) => {
    const backend = await openStorage(parts, mounts, cluster, mount);
    const limited = limitedBackend(clock, backend, mount, node);
    return withPendingOver(mount, metered(limited, mountName(mount)));
  });
}

/** The storage of a mount by itself. */
export function openStorage(
  parts: BackendDependencies,
  mounts: MountStore,
  cluster: ClusterPart,
  mount: Mount,
): Promise<Backend> {
  const secrets = {
    writer: writerIn(cluster, mount.incarnation),
    secretAccessKey: mounts.secretOf(mount),
    credentials: mounts.credentialsOf(mount),
  };
  return openBackend(parts, { ...mount, ...secrets });
}
