import type { Authenticator } from '../auth/authenticate.ts';
import type { UserStore } from '../auth/user-store.ts';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Mount } from '../mounts/mount.ts';
import type { MountSpec } from '../mounts/mount-spec.ts';
import type { MountStore } from '../mounts/mount-store.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import type { PolicyStore } from '../mounts/policy-store.ts';
import type { ClusterMember } from '../ring/cluster-member.ts';
import type { Departure } from '../ring/departures.ts';
import type { ViewMember } from '../ring/ownership.ts';
import type { Backend, ProbedAbilities } from '../ufs/backend.ts';
import type { ChangeAudit } from './change-audit.ts';
import type { AdminCode } from './failure-codes.ts';
import type { ReportKind } from './node-reporter.ts';
import type { OwnFolders } from './own-folders-guard.ts';
import type { PendingWrites } from './pending-writes.ts';

/** What a node told of itself, as JSON; or why it did not. */
export interface NodeReport {
  readonly member: ViewMember;
  readonly told?: unknown;
  readonly silence?: string;
}

/** A node that did not tell, and why. */
export interface SilentNode {
  readonly workerId: string;
  readonly silence: string;
}

/** Those that did not tell. */
export function silentOf(reports: readonly NodeReport[]): readonly SilentNode[] {
  return reports.flatMap(({ member: { workerId }, silence }) =>
    silence === undefined ? [] : [{ workerId, silence }],
  );
}

/** Asks nodes what they have to tell. */
export interface Reports {
  /** In order of workerId, each member of the cluster once. Whoever has not told within `withinMs` is silent. */
  ask(kind: ReportKind, about: unknown, withinMs: number): Promise<readonly NodeReport[]>;
}

/** Tells why. What it gives is as the answers' schemas say. */
export interface Explain {
  /** Rejects with NoSuchBucket. */
  object(bucket: string, key: string, asksStorage: boolean): Promise<object>;
  /** Rejects with InvalidRequest where there is no such action, or it takes a key. */
  access(asked: {
    readonly accessKeyId: string | undefined;
    readonly action: string;
    readonly bucket: string;
    readonly key: string | undefined;
    readonly from: string | undefined;
  }): Promise<{ readonly rule: string }>;
}

/** A setting that can be changed while nodes run, as this node goes by it. */
export interface SharedSetting {
  readonly key: string;
  readonly value: string;
  /** Whether it was set for all nodes. */
  readonly from: 'cluster' | 'node';
}

/** Settings that can be changed while nodes run. What makes no sense is refused with `AdminError`. */
export interface ClusterSettings {
  list(): readonly SharedSetting[];
  set(key: string, value: string): Promise<void>;
  unset(key: string): Promise<void>;
}

/** What the admin routes work with; there once the node's store is open. */
export interface AdminServices {
  /** Of this package. */
  readonly version: string;
  readonly workerId: string;
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
  /** Opens the backend of a mount once more, with nothing before it; the caller closes it. Rejects as `tryBackend`. */
  readonly openStorage: (mount: Mount) => Promise<Backend>;
  /** This node's part in its cluster, if it belongs to one. */
  readonly cluster: ClusterMember | undefined;
  /** Writes that were acknowledged before their storage had them. */
  readonly pending: PendingWrites;
  readonly policies: PolicyStore;
  readonly clusterSettings: ClusterSettings;
  /** Where changes are written down. */
  readonly audit: ChangeAudit;
  /** Asks all members of the cluster, this node among them. */
  readonly reports: Reports;
  /** Why things are as they are. */
  readonly explain: Explain;
  /** Members that went without handing over, within the last hour. */
  readonly departures: () => readonly Departure[];
  readonly jobs: Jobs;
  /** No mount may show what lies in them. */
  readonly ownFolders: OwnFolders;
}

/** Parameters and body, as the route's schemas let them through. */
export interface AdminRequest {
  readonly parameters: Readonly<Record<string, string>>;
  /** What stands behind the `?`. */
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
}

export interface AdminResponse {
  readonly status: number;
  readonly body: unknown;
}

/**
 * What a change is about, as it is now: plain data, bounded, without secrets; undefined where there is nothing. It is asked for before and
 * after the change, and what it throws counts as undefined.
 */
export type Look = (services: AdminServices, request: AdminRequest) => unknown;

/** JSON Schema, as much of it as the routes use. */
export type Schema = Readonly<Record<string, unknown>>;

export type AdminMethod = 'GET' | 'POST' | 'DELETE';

/** One row of the route table. Every route of it is signed and for administrators. */
export interface AdminRoute {
  /** The label of metrics and logs. */
  readonly name: string;
  readonly method: AdminMethod;
  /** `:name` stands for one parameter, percent-encoded. */
  readonly path: string;
  /** One line for the API's documentation. */
  readonly summary: string;
  /** An object's, whose values are texts. */
  readonly query?: Schema;
  /** A value that is a secret is marked `writeOnly`: it is never logged. */
  readonly body?: Schema;
  /** Where all went well; 200 by default. */
  readonly status?: 201;
  /** Of the answer where all went well. What it does not name is not sent. */
  readonly answer: Schema;
  /** Codes of failures of its own, beside those that every route may have. */
  readonly fails?: readonly AdminCode[];
  /** What it changes, for the audit log; `nothing` of a route that only tells something. */
  readonly changes: Look | 'nothing';
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
export const number: Schema = { type: 'number' };
export const integer: Schema = { type: 'integer' };
export const nothing: Schema = object({}, []);
/** `SilentNode`. */
export const silentNode = object({ workerId: text, silence: text }, ['workerId', 'silence']);

export function shortText(maxLength: number): Schema {
  return { type: 'string', minLength: 1, maxLength };
}

/** Of a body: what is never shown again. */
export function secretText(maxLength: number): Schema {
  return { ...shortText(maxLength), writeOnly: true };
}
