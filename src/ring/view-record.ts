import type { Epoch, ViewMember } from './ownership.ts';
import { defaultVirtualNodes, type RingWorker } from './ring.ts';

/** What holds for the whole cluster, kept at `ring/settings`. */
export interface RingSettings {
  /** Where pages lie: on the members that are alive, or on the registered workers, alive or not. */
  readonly mode: 'dynamic' | 'static';
  readonly virtualNodes: number;
  /** How long a view lease lasts, milliseconds. Never changed in a cluster: nodes wait for each other's. */
  readonly leaseMs: number;
}

export const defaultRingSettings: RingSettings = Object.freeze({
  mode: 'dynamic',
  virtualNodes: defaultVirtualNodes,
  leaseMs: 2_000,
});

/** What a node writes of itself under its lease, at `members/<workerId>`. */
export interface MemberRecord extends Omit<ViewMember, 'state'> {
  readonly state: 'joined' | 'draining';
}

/** What tells a view from all others, also from one of the same number in a store that was restored. */
export interface ViewName extends Epoch {
  /** A UUID. */
  readonly id: string;
}

/** A view as it is stored, at `viewKey`; never changed. */
export interface ViewRecord extends ViewName {
  /** The id of the view before; empty for the first of all and after a restored store. */
  readonly previousId: string;
  readonly settings: RingSettings;
  /** In order of workerId. */
  readonly members: readonly ViewMember[];
  /** Where pages lie, if not on the members: the registered workers, or those of before while placement is frozen. */
  readonly placement?: readonly RingWorker[];
  readonly frozen: boolean;
}

/** How a view differs from the one before it, where only members do. */
export interface MemberChange {
  readonly changed: readonly ViewMember[];
  readonly gone: readonly string[];
}

/** Which view is the latest: the value of `ring/epoch`, moved by compare-and-set alone. */
export interface ViewPointer extends ViewName {
  readonly previousId: string;
  readonly memberCount: number;
  /** Who has the view before need not load this one. Left out where it would be long. */
  readonly change?: MemberChange;
}

export const pointerKey = 'ring/epoch';
export const settingsKey = 'ring/settings';
export const suspectsPrefix = 'ring/suspects/';
export const workersPrefix = 'ring/workers/';
export const membersPrefix = 'members/';
export const viewsPrefix = 'views/';

const epochDigits = 12;
const maxChangeBytes = 4 * 1024;

export function viewKey({ epoch, id }: Pick<ViewName, 'epoch' | 'id'>): string {
  return `${viewsPrefix}${String(epoch).padStart(epochDigits, '0')}/${id}`;
}

/** The epoch in a key that `viewKey` made; NaN for any other. */
export function epochOfKey(key: string): number {
  return Number(key.slice(viewsPrefix.length, viewsPrefix.length + epochDigits));
}

/** Negative if `a` is before `b`, 0 if they are one. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.generation - b.generation || a.epoch - b.epoch;
}

export function pointerTo(view: ViewRecord, before: ViewRecord | undefined): ViewPointer {
  const { generation, epoch, id, previousId, members } = view;
  const pointer = { generation, epoch, id, previousId, memberCount: members.length };
  const change = before && before.id === previousId ? changeBetween(before, view) : undefined;
  return change && JSON.stringify(change).length <= maxChangeBytes ? { ...pointer, change } : pointer;
}

/** Undefined where more than members changed. */
function changeBetween(before: ViewRecord, after: ViewRecord): MemberChange | undefined {
  const rest = ({ settings, placement, frozen }: ViewRecord) =>
    JSON.stringify([settings, placement ?? null, frozen]);
  if (rest(before) !== rest(after)) return undefined;
  const old = new Map(before.members.map((member) => [member.workerId, JSON.stringify(member)]));
  const changed = after.members.filter((member) => old.get(member.workerId) !== JSON.stringify(member));
  for (const { workerId } of after.members) old.delete(workerId);
  return { changed, gone: [...old.keys()] };
}

/** The view that a pointer names, out of the one before it; undefined if the pointer does not tell. */
export function viewAfter(before: ViewRecord | undefined, pointer: ViewPointer): ViewRecord | undefined {
  const { change, memberCount, ...name } = pointer;
  if (!change || !before || before.id !== pointer.previousId) return undefined;
  const gone = new Set([...change.gone, ...change.changed.map(({ workerId }) => workerId)]);
  const members = inOrder([
    ...before.members.filter(({ workerId }) => !gone.has(workerId)),
    ...change.changed,
  ]);
  return members.length === memberCount ? { ...before, ...name, members } : undefined;
}

export function inOrder<T extends { readonly workerId: string }>(workers: readonly T[]): T[] {
  return workers.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
}
