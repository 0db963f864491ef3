import { type Clock, systemClock } from '../common/clock.ts';
import { type Freshness, freshnessUnder } from '../common/freshness.ts';
import { noPolicies, notBeforeSeconds, type Policies, type PolicyInForce } from '../common/policy.ts';
import { type BucketRecord, effectiveFreshness, type Location } from '../mounts/mount.ts';
import type { MountedRange, MountTable } from '../mounts/mount-table.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import { S3Error } from '../s3api/errors.ts';
import type { Backend } from '../ufs/backend.ts';
import type { VersioningMode } from '../ufs/backend-versions.ts';
import { UfsError } from '../ufs/errors.ts';
import type { UploadSource } from './upload-merge.ts';

/** The buckets as they are now. */
export interface BucketLookup {
  get(name: string): BucketRecord | undefined;
}

/** Where an object lies and under which rules. */
export interface Place {
  readonly bucket: BucketRecord;
  readonly key: string;
  /** As in `MetadataTarget`. */
  objectHash?: number;
  readonly backend: Backend;
  /** The mount's name in metrics and messages: `root`, or its bucket and prefix. */
  readonly mount: string;
  readonly incarnation: string;
  readonly path: string;
  readonly freshness: Freshness;
  /** As in `MetadataTarget`, and those below. */
  readonly mountFreshness: Freshness | undefined;
  readonly policy: PolicyInForce | undefined;
  readonly notBeforeSeconds: number | undefined;
  readonly readOnly: boolean;
  readonly isRoot: boolean;
  /** Whether what is written through it stays here to be read. */
  readonly keepsWrites: boolean;
  /** What changes are told of versions; undefined where their bucket keeps none, or its storage is set by its own operator. */
  readonly versioning: VersioningMode | undefined;
}

export interface NamespaceSettings {
  readonly rootUri: string;
  /** How old metadata may be where a mount does not say otherwise. */
  readonly leaseMs: number;
}

/** Turns buckets and keys into backends and their keys. */
export class Namespace {
  readonly #buckets: BucketLookup;
  readonly #table: () => MountTable;
  readonly #backends: MountedBackends;
  #settings: NamespaceSettings;
  readonly #policies: Pick<Policies, 'of'>;
  readonly #clock: Clock;

  constructor(
    buckets: BucketLookup,
    table: () => MountTable,
    backends: MountedBackends,
    settings: NamespaceSettings,
    policies: Pick<Policies, 'of'> = noPolicies,
    clock: Clock = systemClock,
  ) {
    this.#buckets = buckets;
    this.#table = table;
    this.#backends = backends;
    this.#settings = settings;
    this.#policies = policies;
    this.#clock = clock;
  }

  tune({ leaseMs }: Pick<NamespaceSettings, 'leaseMs'>): void {
    this.#settings = { ...this.#settings, leaseMs };
  }

  /** What holds every bucket's keys that no mount holds, under the bucket's name and a `/`. */
  get root(): Backend {
    return this.#backends.root;
  }

  /** NoSuchBucket. */
  bucket(name: string): BucketRecord {
    const record = this.#buckets.get(name);
    if (!record) throw new S3Error('NoSuchBucket', { extra: { BucketName: name } });
    return record;
  }

  /** At once if the backend is open already. NoSuchBucket. */
  locate(bucketName: string, key: string): Place | Promise<Place> {
    const bucket = this.bucket(bucketName);
    const location = this.#table().resolve(bucketName, key);
    const backend = this.#backends.get(location.mount);
    if (backend instanceof Promise)
      return backend.then((opened) => this.#place(bucket, key, location, opened));
    return this.#place(bucket, key, location, backend);
  }

  /** As `locate`, for a change. Rejects with kind `read-only` where the mount allows none. */
  async locateForWrite(bucketName: string, key: string): Promise<Place> {
    const place = await this.locate(bucketName, key);
    if (place.readOnly)
      throw new UfsError('read-only', 'the mount is read-only', { backend: place.backend.uri, key });
    return place;
  }

  /** NoSuchBucket if the place's bucket is gone meanwhile, OperationAborted if the key lies elsewhere now, or its versions are kept otherwise. */
  checkStill(place: Place, bucketName: string, key: string): void {
    const bucket = this.bucket(bucketName);
    if (bucket.incarnation !== place.bucket.incarnation) {
      throw new S3Error('NoSuchBucket', { extra: { BucketName: bucketName } });
    }
    if (bucket.versioning !== place.bucket.versioning) throw new S3Error('OperationAborted');
    const { mount } = this.#table().resolve(bucketName, key);
    const incarnation = mount === 'root' ? bucket.incarnation : mount.incarnation;
    if (incarnation !== place.incarnation) throw new S3Error('OperationAborted');
  }

  /** The parts of a bucket's keys under a prefix, by what is kept of their objects. NoSuchBucket. */
  parts(bucketName: string, keyPrefix: string): readonly (MountedRange & { readonly incarnation: string })[] {
    const bucket = this.bucket(bucketName);
    const ranges = this.#table().rangesFor(bucketName, keyPrefix);
    return ranges.map((range) => ({
      ...range,
      incarnation: range.mount === 'root' ? bucket.incarnation : range.mount.incarnation,
    }));
  }

  /** The backends that hold a bucket's keys under a prefix, with what nested mounts hide of each. NoSuchBucket. */
  async sources(bucketName: string, keyPrefix: string): Promise<readonly UploadSource[]> {
    this.bucket(bucketName);
    const ranges = this.#table().rangesFor(bucketName, keyPrefix);
    return Promise.all(
      ranges.map(async (range) => ({ ...range, backend: await this.#backends.get(range.mount) })),
    );
  }

  #place(bucket: BucketRecord, key: string, location: Location, backend: Backend): Place {
    const { mount, path } = location;
    if (mount === 'root') {
      const own = this.#freshnessOf({ uri: this.#settings.rootUri });
      const { incarnation } = bucket;
      const policy = this.#policies.of(incarnation, path);
      return {
        bucket,
        key,
        objectHash: undefined,
        backend,
        mount: 'root',
        incarnation,
        path,
        freshness: freshnessUnder(own, policy),
        mountFreshness: policy && own,
        policy,
        notBeforeSeconds: policy && notBeforeSeconds(policy, this.#clock.nowMs()),
        readOnly: false,
        isRoot: true,
        // Where nobody else writes, its storage is this node's own.
        keepsWrites: !backend.capabilities.exclusive,
        versioning: bucket.versioning,
      };
    }
    const own = this.#freshnessOf(mount);
    const { incarnation } = mount;
    const policy = this.#policies.of(incarnation, path);
    return {
      bucket,
      key,
      objectHash: undefined,
      backend,
      mount: mount.prefix === '' ? mount.bucket : `${mount.bucket}/${mount.prefix}`,
      incarnation,
      path,
      freshness: freshnessUnder(own, policy),
      mountFreshness: policy && own,
      policy,
      notBeforeSeconds: policy && notBeforeSeconds(policy, this.#clock.nowMs()),
      readOnly: mount.readOnly,
      isRoot: false,
      keepsWrites: mount.writeMode === 'through' && !backend.capabilities.exclusive,
      versioning: undefined,
    };
  }

  #freshnessOf(mount: Parameters<typeof effectiveFreshness>[0]): Freshness {
    return effectiveFreshness(mount, this.#settings.leaseMs);
  }
}
