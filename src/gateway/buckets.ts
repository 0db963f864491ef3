import type { BucketAccess } from '../common/access-control.ts';
import type { Tag } from '../common/object-meta.ts';
import type { BucketRecord } from '../mounts/mount.ts';
import { S3Error } from '../s3api/errors.ts';
import type { BucketName } from '../s3api/names.ts';
import type { BucketInfo, Identity } from '../s3api/service.ts';
import type { VersioningMode } from '../ufs/backend-versions.ts';
import { mapBounded } from '../ufs/bounded.ts';
import { UfsError } from '../ufs/errors.ts';
import type { PageStore } from '../worker/page-store.ts';
import type { BucketGate } from './bucket-gate.ts';
import { toS3Error } from './error-map.ts';
import type { Namespace } from './namespace.ts';
import { holdsKeysOf } from './unknown-buckets.ts';
import { listVersionsMerged } from './version-merge.ts';

/** The buckets' records in the coordination store. */
export interface BucketRecords {
  get(name: string): BucketRecord | undefined;
  list(): readonly BucketRecord[];
  /** False if a record of this name exists already. */
  create(record: Pick<BucketRecord, 'name' | 'owner' | 'kind' | 'access'>): Promise<boolean>;
  /** As `BucketStore.change`. */
  change(
    bucket: Pick<BucketRecord, 'name' | 'incarnation'>,
    change: (present: BucketRecord) => BucketRecord,
  ): Promise<boolean>;
  /** Puts what `change` makes of the present record in its place. False if it is not this incarnation any more. */
  change(record: BucketRecord, change: (present: BucketRecord) => BucketRecord): Promise<boolean>;
  /** False if it is not this incarnation any more. */
  delete(record: BucketRecord): Promise<boolean>;
}

/** Makes, shows and deletes buckets. */
export class Buckets {
  readonly #records: BucketRecords;
  readonly #namespace: Namespace;
  readonly #gate: BucketGate;
  readonly #pages: Pick<PageStore, 'removeIncarnation'>;

  constructor(
    records: BucketRecords,
    namespace: Namespace,
    gate: BucketGate,
    pages: Pick<PageStore, 'removeIncarnation'>,
  ) {
    this.#records = records;
    this.#namespace = namespace;
    this.#gate = gate;
    this.#pages = pages;
  }

  async ownedBy(caller: Identity): Promise<readonly BucketInfo[]> {
    return this.#records
      .list()
      .filter((record) => record.owner === caller.userName)
      .map(toInfo);
  }

  async info(bucket: BucketName): Promise<BucketInfo> {
    return toInfo(this.#namespace.bucket(bucket));
  }

  /**
   * A name under which the root mount still holds something, though no bucket of that name is known, is given to admins only: the
   * one whose record was lost may have been anybody's.
   */
  async create(caller: Identity, bucket: BucketName, access?: BucketAccess): Promise<void> {
    try {
      await this.#create(caller, bucket, access);
    } catch (error) {
      throw toS3Error(error);
    }
  }

  /** NoSuchBucket. What `change` throws is passed on. */
  async changeAccess(
    bucket: BucketName,
    change: (present: BucketAccess, bucket: BucketInfo) => BucketAccess,
  ): Promise<void> {
    try {
      const found = this.#namespace.bucket(bucket);
      const isThere = await this.#records.change(found, (record) => ({
        ...record,
        access: change(record.access ?? {}, toInfo(record)),
      }));
      if (!isThere) throw new S3Error('NoSuchBucket', { extra: { BucketName: bucket } });
    } catch (error) {
      throw toS3Error(error);
    }
  }

  /** Replaces all tags. */
  async putTags(bucket: BucketName, tags: readonly Tag[]): Promise<void> {
    try {
      const record = this.#namespace.bucket(bucket);
      const kept = tags.length === 0 ? undefined : tags;
      const done = await this.#records.change(record, (present) => ({ ...present, tags: kept }));
      if (!done) throw new S3Error('NoSuchBucket', { extra: { BucketName: bucket } });
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async delete(bucket: BucketName): Promise<void> {
    try {
      await this.#gate.deleteAlone(bucket, () => this.#deleteEmpty(bucket));
    } catch (error) {
      throw toS3Error(error);
    }
  }

  /** Of a mount's bucket, what its storage was set to. */
  async versioning(bucket: BucketName): Promise<VersioningMode | undefined> {
    try {
      const record = this.#namespace.bucket(bucket);
      if (record.kind === 'root') return record.versioning;
      const { backend } = await this.#namespace.locate(bucket, '');
      return await backend.versions?.mode?.();
    } catch (error) {
      throw toS3Error(error);
    }
  }

  /** Alone, so that no write begins under one rule and ends under the other. */
  async setVersioning(bucket: BucketName, versioning: VersioningMode): Promise<void> {
    try {
      await this.#gate.deleteAlone(bucket, () => this.#setVersioning(bucket, versioning));
    } catch (error) {
      throw toS3Error(error);
    }
  }

  async #setVersioning(bucket: BucketName, versioning: VersioningMode): Promise<void> {
    const record = this.#namespace.bucket(bucket);
    const { backend } = await this.#namespace.locate(bucket, '');
    if (record.kind === 'mount' || !backend.capabilities.versioning) {
      throw new S3Error('NotImplemented', {
        message: 'Whether this bucket keeps versions is set at the storage behind it.',
      });
    }
    const isSet = await this.#records.change(record, (present) => ({ ...present, versioning }));
    if (!isSet) throw new S3Error('OperationAborted');
  }

  async #create(caller: Identity, bucket: BucketName, access: BucketAccess | undefined): Promise<void> {
    const isTaken = this.#records.get(bucket) !== undefined;
    if (!isTaken && caller.policy !== 'admin' && (await holdsKeysOf(this.#namespace.root, bucket))) {
      throw new S3Error('BucketAlreadyExists', {
        message:
          'Objects are kept under this name whose bucket is not known any more. An admin takes them back by creating the bucket.',
        extra: { BucketName: bucket },
      });
    }
    const record = { name: bucket, owner: caller.userName, kind: 'root', access } as const;
    if (await this.#records.create(record)) return;
    const owner = this.#records.get(bucket)?.owner;
    throw new S3Error(owner === caller.userName ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', {
      extra: { BucketName: bucket },
    });
  }

  async #deleteEmpty(bucket: BucketName): Promise<void> {
    const record = this.#namespace.bucket(bucket);
    const sources = await this.#namespace.sources(bucket, '');
    if (record.kind === 'mount' || sources.length > 1) {
      throw new S3Error('AccessDenied', {
        message: 'This bucket holds a mount. An operator removes it with: forebay mount remove',
      });
    }
    // Older versions and delete markers count too.
    const { items } = await listVersionsMerged(sources, { prefix: '', limit: 1 });
    if (items.length > 0) throw notEmpty(record);
    await this.#abortUploads(bucket);
    if (!(await this.#records.delete(record))) throw new S3Error('OperationAborted');
    await this.#pages.removeIncarnation(record.incarnation);
  }

  /** S3 lets a bucket with unfinished uploads go; their parts go with it. */
  async #abortUploads(bucket: BucketName): Promise<void> {
    const backend = (await this.#namespace.locate(bucket, '')).backend;
    for (;;) {
      const page = await backend.listUploads({ prefix: `${bucket}/`, limit: 100 });
      await mapBounded(page.entries, 16, async (entry) => {
        if (entry.kind !== 'upload') return;
        await backend.abortUpload(entry.upload.key, entry.upload.uploadId).catch(ignoreEnded);
      });
      if (!page.truncated) return;
    }
  }
}

/** S3 adds what is to be done where versions are kept, since lists of objects may show none. */
function notEmpty({ name, versioning }: BucketRecord): S3Error {
  const message = 'The bucket you tried to delete is not empty. You must delete all versions in the bucket.';
  return new S3Error('BucketNotEmpty', {
    ...(versioning === undefined ? {} : { message }),
    extra: { BucketName: name },
  });
}

/** Its client aborted it at the same moment, or nothing was done with it for too long. */
function ignoreEnded(error: unknown): void {
  if (!(error instanceof UfsError) || error.kind !== 'no-such-upload') throw error;
}

function toInfo({ name, owner, createdMs, tags, access }: BucketRecord): BucketInfo {
  return { name: name as BucketName, owner, createdMs, tags, access };
}
