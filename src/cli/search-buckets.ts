import type { Log } from '../common/log.ts';
import { warnOfUnknownBuckets } from '../gateway/unknown-buckets.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { Opened } from './opened.ts';

/** In the background, since it may take a while over a slow root mount. */
export function searchForUnknownBuckets(
  mounts: MountStore,
  backends: MountedBackends,
  log: Log,
  opened: Opened,
): void {
  const ended = new AbortController();
  const isKnown = (name: string) => mounts.buckets.get(name) !== undefined;
  opened.add(warnOfUnknownBuckets(log, backends.root, isKnown, ended.signal), async (search) => {
    ended.abort();
    await search;
  });
}
