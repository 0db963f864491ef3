import type { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { PageStore } from '../worker/page-store.ts';

/** How long a removed mount's backend stays open for the requests that still use it. */
const mountGraceMs = 60_000;

/** A mount that is gone gives up its backend and its pages. Returns what ends the following. */
export function followMounts(mounts: MountStore, backends: MountedBackends, pages: PageStore): () => void {
  let before = mounts.table.mounts;
  return mounts.onChange((table) => {
    backends.retain(table.mounts, mountGraceMs);
    const kept = new Set(table.mounts.map((mount) => mount.incarnation));
    for (const mount of before) {
      if (!kept.has(mount.incarnation)) void pages.removeIncarnation(mount.incarnation);
    }
    before = table.mounts;
  });
}
