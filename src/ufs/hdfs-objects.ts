import { createHash } from 'node:crypto';
import type { ObjectMeta, Tag } from '../common/object-meta.ts';
import { UfsError } from './errors.ts';
import { type For, type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import {
  amendmentName,
  generationOf,
  type HdfsRecord,
  inodePath,
  parseAmendment,
  parseRecord,
  recordName,
} from './hdfs-record.ts';
import { tagCountOf } from './tags.ts';

/** What is there now under a key. */
export interface HdfsObject {
  readonly meta: ObjectMeta;
  readonly status: HdfsStatus;
  readonly tags: readonly Tag[];
  readonly record: HdfsRecord | undefined;
}

/** Attempts to see a file and its attributes as they belong together. */
const attemptCount = 5;
/** What was there is taken to be there for so long, so that not every absence costs another question. */
const rootSeenForMs = 1_000;

/** Finds objects: files with what their attributes tell, and directories that were put as folder markers. */
export class HdfsObjects {
  readonly #client: HdfsClient;
  readonly #place: HdfsPlace;
  #rootSeenMs = Number.NEGATIVE_INFINITY;

  constructor(client: HdfsClient, place: HdfsPlace) {
    this.#client = client;
    this.#place = place;
  }

  /** Undefined where there is none. Rejects with `unavailable` where the whole directory of the mount is not there. */
  async find(key: string, signal?: AbortSignal): Promise<HdfsObject | undefined> {
    const parsed = this.#place.parse(key);
    if (!parsed) return undefined;
    const path = this.#place.path(parsed.segments);
    const wanted = parsed.isFolder ? 'DIRECTORY' : 'FILE';
    for (let attempt = 1; ; attempt++) {
      const found = await this.#look(path, wanted, { key, signal });
      if (found === 'none') {
        await this.requireRoot(signal);
        return undefined;
      }
      if (found) return found;
      if (attempt === attemptCount) {
        const message = 'the object changes faster than it can be looked at';
        throw new UfsError('conflict', message, { backend: this.#place.uri, key });
      }
    }
  }

  /** A file that a listing told of, with its attributes; undefined if it is gone. */
  async ofListed(path: string, status: HdfsStatus, about: For): Promise<HdfsObject | undefined> {
    const attributes = await this.#client.attributes(steadyPath(path, status), about).catch(absent);
    const found = attributes && this.describe(status, attributes);
    return found === 'none' ? undefined : found;
  }

  /** Undefined where it moved between two questions. */
  async #look(
    path: string,
    wanted: HdfsStatus['type'],
    about: For,
  ): Promise<HdfsObject | 'none' | undefined> {
    // Asked for together, which takes half the time.
    const [status, asked] = await Promise.all([
      this.#client.find(path, about),
      this.#client.attributes(path, about).catch((error: unknown) => ({ error })),
    ]);
    // Where there is nothing it does not matter why there are no attributes: below a file it is said that they may not be seen.
    if (status?.type !== wanted) return 'none';
    const attributes = 'error' in asked ? absent(asked.error) : asked;
    const found = attributes && this.describe(status, attributes);
    // A record of this very version belongs to it. Otherwise the attributes may be another's that was there a moment earlier or later.
    if (found && (found === 'none' || found.record)) return found;
    const own = await this.#client.attributes(steadyPath(path, status), about).catch(absent);
    return own && this.describe(status, own);
  }

  /** What a file, or a directory, stands for with these attributes; `none` for a directory that was not put. */
  describe(status: HdfsStatus, attributes: ReadonlyMap<string, Buffer>): HdfsObject | 'none' {
    const record = parseRecord(attributes.get(recordName));
    if (status.type === 'DIRECTORY')
      return record?.markerMs === undefined ? 'none' : markerOf(status, record, attributes);
    const generation = generationOf(status);
    // What was appended to, or copied with its attributes, is another file, and its record knows nothing of its bytes.
    const own = record?.generation === generation ? record : undefined;
    const { tags } = amended(record, generation, attributes);
    const meta: ObjectMeta = {
      headers: record?.headers ?? {},
      userMetadata: record?.userMetadata ?? {},
      ...(record?.storageClass === undefined ? {} : { storageClass: record.storageClass }),
      ...(own ? bytesOf(own) : { etag: etagOf(generation) }),
      ...tagCountOf(tags),
      sizeBytes: status.length,
      lastModifiedMs: status.modificationTime,
      generation,
      // A file's bytes change by being cut and appended to only, and each of these takes the NameNode more than the millisecond of its clock.
      generationSettled: true,
    };
    return { meta, status, tags: tags ?? [], record: own };
  }

  /** Rejects with `unavailable` if the reason why something is missing is that the whole directory of the mount is. */
  async requireRoot(signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#client.connection.clock.monotonicMs();
    if (nowMs - this.#rootSeenMs < rootSeenForMs) return;
    const path = this.#place.path([]);
    if ((await this.#client.find(path, { signal }))?.type === 'DIRECTORY') {
      this.#rootSeenMs = nowMs;
      return;
    }
    throw new UfsError('unavailable', `there is no directory ${path}`, { backend: this.#place.uri });
  }
}

/** The path of the inode, which stays where the file is renamed or replaced; the path where the storage tells of no inodes. */
function steadyPath(path: string, { fileId }: HdfsStatus): string {
  return fileId > 0 ? inodePath(fileId) : path;
}

function markerOf(
  status: HdfsStatus,
  record: HdfsRecord,
  attributes: ReadonlyMap<string, Buffer>,
): HdfsObject {
  const { tags } = amended(record, record.generation, attributes);
  const meta: ObjectMeta = {
    headers: record.headers,
    userMetadata: record.userMetadata,
    ...(record.storageClass === undefined ? {} : { storageClass: record.storageClass }),
    ...bytesOf(record),
    ...tagCountOf(tags),
    sizeBytes: 0,
    lastModifiedMs: record.markerMs as number,
    generation: record.generation,
    generationSettled: true,
  };
  return { meta, status, tags: tags ?? [], record };
}

function amended(
  record: HdfsRecord | undefined,
  generation: string,
  attributes: ReadonlyMap<string, Buffer>,
): Pick<HdfsRecord, 'tags'> {
  const amendment = parseAmendment(attributes.get(amendmentName));
  if (amendment?.generation === generation) return amendment;
  return { tags: record?.tags };
}

function bytesOf({ etag, checksums, checksumType, parts, stamp }: HdfsRecord) {
  return {
    etag,
    ...(stamp === undefined ? {} : { stamp }),
    ...(checksums === undefined ? {} : { checksums, checksumType }),
    ...(parts === undefined ? {} : { parts }),
  };
}

/** The ETag of a file that was found: no client takes it for the MD5 of the bytes. */
function etagOf(generation: string): string {
  return `${createHash('sha256').update(generation).digest('hex').slice(0, 32)}-0`;
}

function absent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
}
