import { placeNameOf } from '../mounts/mount.ts';
import { mountName } from '../mounts/mount-spec.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { PlacePending } from './pending-writes.ts';
import { integer, object, text } from './route.ts';

/** What a storage does not have yet. */
export interface PendingPlace {
  readonly place: string;
  readonly mount?: string;
  readonly entries: number;
  readonly bytes: number;
  readonly oldestSeconds?: number;
  readonly failing: number;
  readonly lastError?: string;
}

/** As it is described for the API. */
export const pendingPlace = object(
  {
    place: text,
    mount: text,
    entries: integer,
    bytes: integer,
    oldestSeconds: integer,
    failing: integer,
    lastError: text,
  } satisfies Record<keyof PendingPlace, object>,
  ['place', 'entries', 'bytes', 'failing'],
);

/** Of each storage, how much is pending for it. */
export function pendingPlaces(
  places: readonly PlacePending[],
  mounts: MountStore,
  nowMs: number,
): PendingPlace[] {
  return places.map(({ name, entries, bytes, oldestMs, failing, lastError }) => {
    const mount = mounts.table.mounts.find((one) => placeNameOf(one) === name);
    return {
      place: name,
      mount: mount && mountName(mount),
      entries,
      bytes,
      oldestSeconds: oldestMs === undefined ? undefined : Math.round((nowMs - oldestMs) / 1_000),
      failing: failing ?? 0,
      lastError,
    };
  });
}
