import type { Freshness } from '../common/freshness.ts';
import type { BucketRecord, Location, Mount } from '../mounts/mount.ts';
import type { MountedBackends } from '../mounts/mounted-backends.ts';
import { S3Error } from '../s3api/errors.ts';
import type { Backend } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import type { UploadSource } from './upload-merge.ts';

/** The mount table as it is now. */
export interface MountLookup {
  resolve(bucket: string, key: string): Location;
  /** Every mount whose bucket this is, the one over the whole bucket included. */
  mountsOf(bucket: string): readonly Mount[];
}

/** The buckets as they are now. */
export interface BucketLookup {
  get(name: string): BucketRecord | undefined;
}

/** Where an object lies and under which rules. */
export interface Place {
  readonly bucket: BucketRecord;
  readonly backend: Backend;
  /** The mount's name in metrics and messages: `root`, or its bucket and prefix. */
  readonly mount: string;
  readonly incarnation: string;
  readonly path: string;
  readonly freshness: Freshness;
  readonly readOnly: boolean;
}

/** Turns buckets and keys into backends and their keys. */
export class Namespace {
  readonly #buckets: BucketLookup;
  readonly #table: () => MountLookup;
  readonly #backends: MountedBackends;
  readonly #settings: { readonly rootUri: string; readonly leaseMs: number };

  constructor(
    buckets: BucketLookup,
    table: () => MountLookup,
    backends: MountedBackends,
    settings: { readonly rootUri: string; readonly leaseMs: number },
  ) {
    this.#buckets = buckets;
    this.#table = table;
    this.#backends = backends;
    this.#settings = settings;
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
    if (backend instanceof Promise) return backend.then((opened) => this.#place(bucket, location, opened));
    return this.#place(bucket, location, backend);
  }

  /** As `locate`, for a change. Rejects with kind `read-only` where the mount allows none. */
  async locateForWrite(bucketName: string, key: string): Promise<Place> {
    const place = await this.locate(bucketName, key);
    if (place.readOnly)
      throw new UfsError('read-only', 'the mount is read-only', { backend: place.backend.uri, key });
    return place;
  }

  /** The backends that hold a bucket's keys, with what nested mounts hide of each. NoSuchBucket. */
  async sources(bucketName: string): Promise<readonly UploadSource[]> {
    const bucket = this.bucket(bucketName);
    const mounts = this.#table().mountsOf(bucketName);
    const prefixes = mounts.map((mount) => mount.prefix);
    const hiddenIn = (prefix: string) =>
      prefixes.filter((other) => other.length > prefix.length && other.startsWith(prefix));
    const sources: UploadSource[] = [];
    if (bucket.kind === 'root') {
      const backend = await this.#backends.get('root');
      sources.push({ backend, bucketPrefix: '', pathPrefix: `${bucketName}/`, hidden: hiddenIn('') });
    }
    for (const mount of mounts) {
      const backend = await this.#backends.get(mount);
      sources.push({ backend, bucketPrefix: mount.prefix, pathPrefix: '', hidden: hiddenIn(mount.prefix) });
    }
    return sources;
  }

  #place(bucket: BucketRecord, location: Location, backend: Backend): Place {
    const { mount, path } = location;
    if (mount === 'root') {
      const freshness = this.#freshness(undefined, this.#settings.rootUri);
      return {
        bucket,
        backend,
        mount: 'root',
        incarnation: bucket.incarnation,
        path,
        freshness,
        readOnly: false,
      };
    }
    return {
      bucket,
      backend,
      mount: mount.prefix === '' ? mount.bucket : `${mount.bucket}/${mount.prefix}`,
      incarnation: mount.incarnation,
      path,
      freshness: this.#freshness(mount.freshness, mount.uri),
      readOnly: mount.readOnly,
    };
  }

  #freshness(chosen: Freshness | undefined, uri: string): Freshness {
    if (chosen) return chosen;
    return uri.startsWith('file:') ? { kind: 'always' } : { kind: 'lease', ms: this.#settings.leaseMs };
  }
}
