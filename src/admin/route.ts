import type { Authenticator } from '../auth/authenticate.ts';
import type { UserStore } from '../auth/user-store.ts';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { MountSpec } from '../mounts/mount-spec.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { WriteBack } from '../pending/write-back.ts';
import type { ClusterMember } from '../ring/cluster-member.ts';
import type { Backend, ProbedAbilities } from '../ufs/backend.ts';
import type { OwnFolders } from './own-folders-guard.ts';

/** Bytes of pages, and objects whose metadata is known. */
export interface Cached {
  readonly bytes: number;
  readonly keys: number;
}

/** What the admin routes work with; there once the node's store is open. */
export interface AdminServices {
  readonly clock: Clock;
  readonly random: Random;
  /** Checks signatures for the service `forebay`. */
  readonly authenticator: Authenticator;
  readonly users: UserStore;
  readonly mounts: MountStore;
  readonly backends: Pick<MountedBackends, 'get'>;
  /** The lease of mounts that were given no freshness, milliseconds. */
  readonly leaseMs: number;
  /** Opens the backend of a mount that is not there yet; the caller closes it. Rejects with `UfsError`. */
  readonly tryBackend: (spec: MountSpec & { readonly abilities?: ProbedAbilities }) => Promise<Backend>;
  /** This node's part in its cluster, if it belongs to one. */
  readonly cluster: ClusterMember | undefined;
  /** What each member of the cluster caches, by workerId; those that do not answer in time are left out. */
  readonly cached: (signal: AbortSignal) => Promise<ReadonlyMap<string, Cached>>;
  /** This node's pending writes; absent in a cluster. */
  readonly writeBack?: WriteBack;
  /** No mount may show what lies in them. */
  readonly ownFolders: OwnFolders;
}

/** Parameters and body, as the route's schemas let them through. */
export interface AdminRequest {
  readonly parameters: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface AdminResponse {
  readonly status: number;
  readonly body: unknown;
}

/** JSON Schema, as much of it as the routes use. */
export type Schema = Readonly<Record<string, unknown>>;

/** One row of the route table. Every route of it is signed and for administrators. */
export interface AdminRoute {
  /** The label of metrics and logs. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:name` stands for one parameter, percent-encoded. */
  readonly path: string;
  /** One line for the API's documentation. */
  readonly summary: string;
  readonly body?: Schema;
  /** Of the answer where all went well. What it does not name is not sent. */
  readonly answer: Schema;
  readonly handler: (services: AdminServices, request: AdminRequest) => Promise<AdminResponse>;
}

export function object(properties: Readonly<Record<string, Schema>>, required: readonly string[]): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

export const text: Schema = { type: 'string' };
export const flag: Schema = { type: 'boolean' };
export const nothing: Schema = object({}, []);

export function shortText(maxLength: number): Schema {
  return { type: 'string', minLength: 1, maxLength };
}
