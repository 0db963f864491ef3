import type { Clock } from '../common/clock.ts';
import { formatFreshness, mountName } from '../mounts/mount-spec.ts';
import type { MountTable } from '../mounts/mount-table.ts';
import { explainPolicy, type PolicyExplanation } from '../mounts/policy-explanation.ts';
import type { PolicyTable } from '../mounts/policy-table.ts';
import type { Ownership, ViewMember } from '../ring/ownership.ts';
import { hashObject } from '../ring/ring.ts';
import { UfsError } from '../ufs/errors.ts';
import type { MemberReports } from './member-reports.ts';
import type { Namespace, Place } from './namespace.ts';
import { type ObjectTold, type Version, versionOf } from './object-teller.ts';

/** What a node told of the object; or why it did not. */
export interface NodeTold {
  readonly workerId: string;
  readonly silence?: string;
  readonly told?: ObjectTold;
}

/** Where an object lies, who is responsible for it, and what is known and held of it. */
export interface ObjectExplanation {
  readonly bucket: string;
  readonly key: string;
  /** As `mount list` has it; absent where the root mount holds it. */
  readonly mount?: string;
  /** Where its storage has it. */
  readonly storage: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly writeMode: string;
  readonly freshness: string;
  /** Nobody else changes that storage, so nothing is ever asked again. */
  readonly isExclusive: boolean;
  /** What holds for its pages, by the policies that the node which was asked goes by. */
  readonly policy: PolicyExplanation;
  readonly nowMs: number;
  /** The view that owners are told by; absent outside a cluster. */
  readonly view?: { readonly generation: number; readonly epoch: number };
  /** Who answers for it; undefined where the cluster has nobody who may. */
  readonly owner?: string;
  /** Of each segment, who keeps its pages: the first ones, where the size is known. */
  readonly placement: readonly { readonly segment: number; readonly workerId?: string }[];
  readonly segmentBytes: number;
  /** What the pages are counted of: what the storage has now if it was asked, or else what its owner knows. */
  readonly version?: Version;
  /** What the storage says at this moment, where it was asked. */
  readonly storageSays?: { readonly version?: Version; readonly fault?: string };
  readonly nodes: readonly NodeTold[];
}

const maxSegments = 64;
/** For the storage to answer. */
const headMs = 5_000;
/** For all nodes to answer, each of two times. */
const askMs = 4_000;

/** Puts together what all nodes know of an object. */
export class ObjectExplainer {
  readonly #clock: Clock;
  readonly #namespace: Namespace;
  readonly #table: () => MountTable;
  readonly #policies: { readonly table: PolicyTable };
  readonly #ownership: Ownership;
  readonly #reports: MemberReports;
  readonly #settings: { readonly segmentBytes: number; readonly isCluster: boolean };

  constructor(
    clock: Clock,
    namespace: Namespace,
    table: () => MountTable,
    policies: { readonly table: PolicyTable },
    ownership: Ownership,
    reports: MemberReports,
    settings: { readonly segmentBytes: number; readonly isCluster: boolean },
  ) {
    this.#clock = clock;
    this.#namespace = namespace;
    this.#table = table;
    this.#policies = policies;
    this.#ownership = ownership;
    this.#reports = reports;
    this.#settings = settings;
  }

  /** `asksStorage`: whether the storage is asked what it has now; nothing is kept of its answer. NoSuchBucket. */
  async explain(bucket: string, key: string, asksStorage: boolean): Promise<ObjectExplanation> {
    const place = await this.#namespace.locate(bucket, key);
    const hash = hashObject(place.incarnation, place.path);
    const view = this.#ownership.view();
    const owner = view.metadataOwnerOf(hash);
    const [storageSays, first] = await Promise.all([
      asksStorage ? this.#ask(place) : undefined,
      this.#tellers(bucket, key, undefined),
    ]);
    const version = storageSays?.version ?? knownTo(owner, first);
    // Who knows nothing of it does not know either which of its pages to look for.
    const nodes = version ? await this.#tellers(bucket, key, version) : first;
    const { mount } = this.#table().resolve(bucket, key);
    const { isCluster, segmentBytes } = this.#settings;
    return {
      bucket,
      key,
      mount: mount === 'root' ? undefined : mountName(mount),
      storage: place.backend.uri,
      path: place.path,
      readOnly: place.readOnly,
      writeMode: mount === 'root' ? 'through' : mount.writeMode,
      freshness: formatFreshness(place.freshness),
      isExclusive: place.backend.capabilities.exclusive,
      policy: this.#policyOf(place, version),
      nowMs: this.#clock.nowMs(),
      view: isCluster ? { generation: view.generation, epoch: view.epoch } : undefined,
      owner,
      placement: this.#placementOf(hash, version),
      segmentBytes,
      version,
      storageSays,
      nodes,
    };
  }

  async #tellers(bucket: string, key: string, version: Version | undefined): Promise<readonly NodeTold[]> {
    const reports = await this.#reports.ask('object', { bucket, key, version }, askMs);
    return reports.map(
      ({ member, told, silence }: { member: ViewMember; told?: unknown; silence?: string }) => ({
        workerId: member.workerId,
        silence,
        told: told as ObjectTold | undefined,
      }),
    );
  }

  #policyOf(place: Place, version: Version | undefined): PolicyExplanation {
    const { bucket, key, backend, freshness, mountFreshness } = place;
    const own = backend.capabilities.exclusive ? undefined : (mountFreshness ?? freshness);
    return explainPolicy(this.#policies.table, bucket.name, key, own, version?.sizeBytes);
  }

  async #ask({ backend, path }: Place): Promise<ObjectExplanation['storageSays']> {
    try {
      return { version: versionOf(await backend.head(path, { signal: AbortSignal.timeout(headMs) })) };
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      return error.kind === 'not-found' ? {} : { fault: error.message };
    }
  }

  #placementOf(hash: number, version: Version | undefined): ObjectExplanation['placement'] {
    const view = this.#ownership.view();
    const count = Math.ceil((version?.sizeBytes ?? 1) / this.#settings.segmentBytes);
    return Array.from({ length: Math.min(Math.max(count, 1), maxSegments) }, (_, segment) => ({
      segment,
      workerId: view.placementOwnerOf(hash, segment),
    }));
  }
}

/** What the owner knows; else what was last found by any node. */
function knownTo(owner: string | undefined, nodes: readonly NodeTold[]): Version | undefined {
  const byOwner = nodes.find(({ workerId }) => workerId === owner)?.told?.known;
  if (byOwner) return byOwner.version;
  const others = nodes.flatMap(({ told }) => told?.known ?? []);
  return others.sort((a, b) => b.validatedMs - a.validatedMs)[0]?.version;
}
