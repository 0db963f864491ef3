import type { ObjectOutcome } from './counts.ts';
import type { JobSpec, Part } from './job-record.ts';

/** How an object is worked on. */
export interface Work {
  /** Nothing is changed; it is only looked what would be. */
  readonly isPlan: boolean;
  /** What of each object; absent: all. */
  readonly parts?: readonly Part[];
  /** Told of bytes that were fetched; nothing more is asked for before it resolves. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface JobObject {
  readonly key: string;
  /** Of the parts that are meant; 0 where it is not known yet. */
  readonly sizeBytes: number;
}

export interface ObjectList {
  readonly objects: readonly JobObject[];
  readonly goesOn: boolean;
  /** How far it was looked, where that is behind the last of the objects. */
  readonly through?: string;
}

/** What there is room for in the caches of all nodes together. */
export interface Room {
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly nodes: number;
}

/** What jobs do with objects: of whichever node owns them. Everything rejects with `UfsError`, `WorkerError`, `PeerError` or `S3Error`. */
export interface JobObjects {
  /** Objects whose keys begin with the job's prefix and come after `after`, in UTF-8 byte order, as the storage has them now. */
  list(
    job: Pick<JobSpec, 'bucket' | 'prefix' | 'parts'>,
    after: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<ObjectList>;
  /** Has all pages of the present version kept. Undefined if the object is gone. */
  load(bucket: string, key: string, work: Work): Promise<ObjectOutcome | undefined>;
  /** As `load`, but the storage is asked which version is present, and each page that is here is read and checked. */
  verify(bucket: string, key: string, work: Work): Promise<ObjectOutcome | undefined>;
  /** Forgets its pages and metadata on all nodes; a write that is pending is left alone. */
  free(bucket: string, key: string, work: Work): Promise<ObjectOutcome>;
  /** Objects below the job's prefix that this node, and no other, knows something of; in order, as `list`. */
  known(job: Pick<JobSpec, 'bucket' | 'prefix'>, after: string | undefined, limit: number): ObjectList;
  /** Asks the storage whether the object is what it is known as. Undefined if it is gone. */
  sync(bucket: string, key: string, work: Work): Promise<ObjectOutcome | undefined>;
  /** Where pages lie on this node's disks, by names that are taken for keys. */
  regions(after: string | undefined, limit: number): ObjectList;
  /** Reads what lies in one of them, and gives up what is not as it was written. */
  scrub(bucket: string, region: string, work: Work): Promise<ObjectOutcome>;
  /** The nodes that are alive. */
  workers(): readonly string[];
  room(signal: AbortSignal): Promise<Room>;
}
