import type { BucketAccess } from '../common/access-control.ts';
import type { Freshness } from '../common/freshness.ts';
import type { Tag } from '../common/object-meta.ts';
import type { ProbedAbilities } from '../ufs/backend.ts';
import type { VersioningMode } from '../ufs/backend-versions.ts';

export type WriteMode = 'through' | 'back' | 'around';

/** One row of the mount table: a bucket, or a prefix inside one, and the backend that holds it. Immutable. */
export interface Mount {
  /** UUID; new at each add and at each change of URI, so that no cached page or metadata outlives what it came from. */
  readonly incarnation: string;
  readonly bucket: string;
  /** '' for the whole bucket; otherwise ends with `/`. */
  readonly prefix: string;
  /** Backend URI, without credentials. */
  readonly uri: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle: boolean;
  readonly accessKeyId?: string;
  /** AES-256-GCM, base64; opened only when the backend is built. */
  readonly sealedSecretAccessKey?: string;
  /** The same of a credentials file. */
  readonly sealedCredentials?: string;
  readonly anonymous?: boolean;
  /** As whom requests are made, of `hdfs:`. */
  readonly user?: string;
  readonly readOnly: boolean;
  readonly writeMode: WriteMode;
  /** On how many nodes a write has to be before it is acknowledged, in mode `back`; undefined: as the node is set. */
  readonly copies?: number;
  /** Whether writes were ever acknowledged before the storage had them: then something may be pending. */
  readonly wasBack?: true;
  /** Undefined: the default for the URI's scheme. */
  readonly freshness?: Freshness;
  /** Calls at once, and objects' bytes a second, from each node; undefined: no bound of the mount's own. */
  readonly maxRequests?: number;
  readonly maxBytesPerSecond?: number;
  /** What the storage was seen to do when the mount was added; absent where nothing was tried. */
  readonly abilities?: ProbedAbilities;
  readonly createdMs: number;
}

/**
 * How old metadata of a mount may be: what was chosen, or the default of its scheme, which is `always` for a file system, where
 * asking is cheap, and a lease for the rest.
 */
export function effectiveFreshness(mount: Pick<Mount, 'uri' | 'freshness'>, leaseMs: number): Freshness {
  if (mount.freshness) return mount.freshness;
  return mount.uri.startsWith('file:') ? { kind: 'always' } : { kind: 'lease', ms: leaseMs };
}

/** Names a mount's place at its storage: the same for every mount of it. */
export function placeNameOf({ endpoint, uri }: Pick<Mount, 'endpoint' | 'uri'>): string {
  return endpoint === undefined ? uri : `${uri} at ${endpoint}`;
}

export interface BucketRecord {
  readonly name: string;
  readonly owner: string;
  readonly createdMs: number;
  /** UUID; new when a bucket of the same name is created again. */
  readonly incarnation: string;
  /** `root`: its keys lie below the root mount unless a nested mount holds them; `mount`: made by `mount add BUCKET`. */
  readonly kind: 'root' | 'mount';
  readonly access?: BucketAccess;
  readonly tags?: readonly Tag[];
  /** Of a bucket of the root mount; absent while it was never set. */
  readonly versioning?: VersioningMode;
}

/** Where a key lies. */
export interface Location {
  /** The mount, or 'root'. */
  readonly mount: Mount | 'root';
  /** The key that the mount's backend knows it by. */
  readonly path: string;
}
