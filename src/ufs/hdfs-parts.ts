import {
  type ChecksumAlgorithm,
  type Checksums,
  checksumAlgorithms,
  type UploadBody,
} from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { UploadedPart, UploadInfo } from './backend.ts';
import { UfsError } from './errors.ts';
import { type For, type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import type { HdfsStaging } from './hdfs-staging.ts';
import { answeredPart, needPartChecksum, partChecksums } from './part-checksums.ts';

/** A part, and the name of its file in the upload's folder. */
export interface HdfsPart extends UploadedPart {
  readonly name: string;
  readonly fileId: number;
}

/**
 * The parts of uploads: a file each, whose name tells what is known of it, so that one look at the folder tells of all parts. Of several
 * with one number the newest counts.
 */
export class HdfsParts {
  readonly #random: Random;
  readonly #client: HdfsClient;
  readonly #place: HdfsPlace;
  readonly #staging: HdfsStaging;

  constructor(random: Random, client: HdfsClient, place: HdfsPlace, staging: HdfsStaging) {
    this.#random = random;
    this.#client = client;
    this.#place = place;
    this.#staging = staging;
  }

  folder(uploadId: string): string {
    return `${this.#place.own}/uploads/${uploadId}`;
  }

  /** Stores a part. Kinds: upload-mismatch, no-such-upload, and those of a put. */
  async put(
    upload: UploadInfo,
    partNumber: number,
    body: UploadBody,
    signal: AbortSignal | undefined,
  ): Promise<UploadedPart> {
    const { key, uploadId } = upload;
    const algorithm = needPartChecksum(upload, body, this.#place.uri);
    body.need('MD5');
    const { path, status } = await this.#staging.write(body, { key, signal });
    const etag = body.digest('MD5').toString('hex');
    const name = nameOf(partNumber, this.#random, etag, partChecksums(body, algorithm));
    try {
      await this.#client.rename(path, `${this.folder(uploadId)}/${name}`, 'NONE', { key, signal });
    } catch (error) {
      this.#staging.removeLater(path);
      throw this.#meaning(error, key);
    }
    return answeredPart(upload, shown(partOf({ ...status, pathSuffix: name }) as HdfsPart), body);
  }

  /** The parts that count, by number, those after `afterPartNumber`. */
  async stored(uploadId: string, afterPartNumber: number, about: For): Promise<Map<number, HdfsPart>> {
    const folder = this.folder(uploadId);
    const parts = new Map<number, HdfsPart>();
    let after = afterPartNumber > 0 ? `p${padded(afterPartNumber)}~` : undefined;
    for (;;) {
      const { entries, hasMore } = await this.#client.list(folder, after, about);
      for (const entry of entries) {
        const part = partOf(entry);
        if (part && isNewer(part, parts.get(part.partNumber))) parts.set(part.partNumber, part);
      }
      after = entries.at(-1)?.pathSuffix;
      if (!hasMore || after === undefined) return parts;
    }
  }

  /** A part that is not used comes too late: its upload has ended. */
  #meaning(error: unknown, key: string): unknown {
    if (isAbsent(error)) {
      return new UfsError('no-such-upload', 'there is no such upload', {
        backend: this.#place.uri,
        key,
        cause: error,
      });
    }
    if (!(error instanceof UfsError) || !error.unresolved) return error;
    const { kind, message, backend, code, cause } = error;
    return new UfsError(kind, message, { backend, key, code, retryable: kind === 'unavailable', cause });
  }
}

/** A part without what is only of use here. */
export function shown({ name: _, fileId: __, ...part }: HdfsPart): UploadedPart {
  return part;
}

function isNewer(part: HdfsPart, other: HdfsPart | undefined): boolean {
  if (!other || part.lastModifiedMs !== other.lastModifiedMs) {
    return !other || part.lastModifiedMs > other.lastModifiedMs;
  }
  return part.fileId > other.fileId;
}

/** `pNNNNN.attempt.md5.ALGORITHM-value…`, the values in base64 as URLs and names of files have it. */
function nameOf(partNumber: number, random: Random, etag: string, checksums: Checksums): string {
  const values = Object.entries(checksums).map(
    ([algorithm, value]) => `.${algorithm}-${Buffer.from(value, 'base64').toString('base64url')}`,
  );
  return `p${padded(partNumber)}.${random.uuid().slice(0, 8)}.${etag}${values.join('')}`;
}

function partOf({
  pathSuffix: name,
  length,
  modificationTime,
  fileId,
  type,
}: HdfsStatus): HdfsPart | undefined {
  const [, number, etag, rest = ''] =
    /^p(\d{5})\.[0-9a-f]{8}\.([0-9a-f]{32})((?:\.[A-Z0-9]+-[\w-]+)*)$/.exec(name) ?? [];
  if (etag === undefined || type !== 'FILE') return undefined;
  const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const one of rest.split('.').slice(1)) {
    const dash = one.indexOf('-');
    const algorithm = checksumAlgorithms.find((known) => known === one.slice(0, dash));
    if (algorithm) checksums[algorithm] = Buffer.from(one.slice(dash + 1), 'base64url').toString('base64');
  }
  return {
    partNumber: Number(number),
    sizeBytes: length,
    etag,
    lastModifiedMs: modificationTime,
    checksums,
    name,
    fileId,
  };
}

/** In byte order as in order of number: S3 has parts 1 to 10,000. */
function padded(partNumber: number): string {
  return String(partNumber).padStart(5, '0');
}
