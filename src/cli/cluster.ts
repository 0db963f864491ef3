import type { ReadinessPart } from '../admin/readiness.ts';
import type { Clock } from '../common/clock.ts';
import type { Log } from '../common/log.ts';
import type { Random } from '../common/random.ts';
import { ClusterMember, type MemberAddress } from '../ring/cluster-member.ts';
import { WorkerIdInUseError } from '../ring/membership.ts';
import type { Ownership } from '../ring/ownership.ts';
import { takeOver } from '../ring/predecessors.ts';
import { SoleOwnership } from '../ring/sole-ownership.ts';
import type { Writer } from '../ufs/backend-fence.ts';
import type { Coordination } from './coordination.ts';
import { CommandError } from './errors.ts';
import type { Patience } from './patience.ts';
import type { Settings } from './settings-table.ts';

/** How long a node that ends waits for the others to have what it owned: the rest of its time is for requests under way. */
const drainMs = 1_500;

/** What a node is among others, or by itself. */
export interface ClusterPart {
  readonly ownership: Ownership;
  /** Undefined outside a cluster. */
  readonly member: ClusterMember | undefined;
  readiness(): ReadinessPart;
  /** Resolves when the node is a member. Rejects with `CommandError`, or the signal's reason. */
  join(address: MemberAddress, signal: AbortSignal): Promise<void>;
  /** Hands over what the node owns, as far as that can be done in short time. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Follows the cluster, if the node belongs to one: it becomes a member when it joins. Rejects with `CoordError`. */
export async function openCluster(
  settings: Settings,
  clock: Clock,
  random: Random,
  log: Log,
  { store, local, localFile, isShared }: Coordination,
  workerId: string,
  patience: Patience,
): Promise<ClusterPart> {
  const incarnation = random.uuid();
  const identity = { workerId, incarnation, weight: settings['ring.weight'] / 100 };
  if (!isShared) return alone(identity);
  const self = { ...identity, predecessors: await takeOver(local, localFile, incarnation) };
  const member = await patience.until('etcd', () =>
    ClusterMember.open(clock, random, log, store, local, self, { settlingMs: settings['backend.settling'] }),
  );
  return {
    ownership: member.ownership,
    member,
    readiness: () => ({ reasonNotReady: member.reasonNotReady(), details: { ring: describe(member) } }),
    join: async (address, signal) => {
      try {
        await member.join(address, signal);
      } catch (error) {
        throw error instanceof WorkerIdInUseError ? new CommandError(error.message) : error;
      }
    },
    drain: async () => {
      // Who drained it before has given balancers their time.
      const leaveMs = member.standing.isDraining ? 0 : settings['timeout.leave'];
      await Promise.all([member.drain(drainMs), clock.sleep(leaveMs)]);
    },
    close: () => member.close(),
  };
}

/** By which name others of the cluster know this node's changes in the storage of a mount, or of the root mount; undefined outside a cluster. */
export function writerIn({ member, ownership }: ClusterPart, mount: string | 'root'): Writer | undefined {
  return member && { id: ownership.incarnation, group: mount === 'root' ? '00000000' : mount.slice(0, 8) };
}

/** The host that other nodes reach this one at. Throws `CommandError` where none is known. */
export function advertisedHost(settings: Settings): string {
  const host = settings['advertise.host'] ?? settings.host;
  if (host !== '0.0.0.0' && host !== '::') return host;
  throw new CommandError(
    `the node listens on every address (${host}): set FOREBAY_ADVERTISE_HOST to the one that the other nodes of the cluster reach it at`,
  );
}

function alone(self: {
  readonly workerId: string;
  readonly incarnation: string;
  readonly weight: number;
}): ClusterPart {
  const nowhere = { host: '', peerPort: 0, s3Url: '', adminUrl: '' };
  return {
    ownership: new SoleOwnership({ ...self, ...nowhere, state: 'joined' }),
    member: undefined,
    readiness: () => ({ details: {} }),
    join: async () => {},
    drain: async () => {},
    close: async () => {},
  };
}

function describe(member: ClusterMember): Readonly<Record<string, unknown>> {
  const { view, hasLease } = member.standing;
  return { epoch: view?.epoch ?? 0, members: view?.members.length ?? 0, hasLease };
}
