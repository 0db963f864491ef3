import {
  type _Object,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm, ChecksumType } from '../common/object-meta.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListEntry, ListOptions, ListPage, ListUploadsOptions, ListUploadsPage } from './backend.ts';
import { UfsError } from './errors.ts';
import { commonPrefixOf } from './grouping.ts';
import type { S3Connection } from './s3-connection.ts';
import { noS3Answer } from './s3-errors.ts';
import { listGrouped } from './s3-grouped-list.ts';
import { emptyEtag, namedStorageClass, plainEtag } from './s3-headers.ts';
import { ListProgress } from './s3-list-progress.ts';
import type { S3Place } from './s3-place.ts';

/** S3 gives so many entries a request at most (S3 API Reference, ListObjectsV2). */
const maxEntries = 1_000;

type UploadsEntry = ListUploadsPage['entries'][number];

/** Lists of objects and of open uploads. */
export class S3Lister {
  readonly #connection: S3Connection;
  readonly #place: S3Place;
  /** The storage was seen to refuse another delimiter than a slash, and to list without one. */
  #takesSlashOnly = false;

  constructor(connection: S3Connection, place: S3Place) {
    this.#connection = connection;
    this.#place = place;
  }

  /** Groups keys by itself where the storage does not take the delimiter: some take none but a slash. */
  async list(options: ListOptions): Promise<ListPage> {
    const { delimiter = '/' } = options;
    if (delimiter === '/') return this.#list(options);
    const grouped = () =>
      listGrouped(options, (after) =>
        this.#list({ ...options, delimiter: undefined, after, limit: maxEntries }),
      );
    if (this.#takesSlashOnly) return grouped();
    try {
      return await this.#list(options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const page = await grouped();
      this.#takesSlashOnly = true;
      return page;
    }
  }

  async #list(options: ListOptions): Promise<ListPage> {
    const { prefix, delimiter, after, limit } = options;
    // What comes first is what `after` folds into; some servers give it again, others pass it by.
    const folded = after?.startsWith(prefix) ? commonPrefixOf(after, prefix, delimiter) : undefined;
    const isAfter = (key: string) =>
      after === undefined ||
      (compareUtf8(key, after) > 0 && (folded === undefined || !key.startsWith(folded)));
    const entries: ListEntry[] = [];
    let token: string | undefined;
    const progress = new ListProgress(this.#place.uri, 'ListObjectsV2', prefix);
    // Asking for one more tells whether another follows, also of a server whose IsTruncated is not to be relied on.
    const wanted = Math.min(limit + 1, maxEntries);
    for (;;) {
      const output = await this.#listPage(options, folded ?? after, token, wanted);
      const found = this.#entriesOf(output);
      entries.push(...found.filter((entry) => isAfter(entry.key)));
      if (entries.length > limit) return { entries: entries.slice(0, limit), truncated: true };
      if (!output.IsTruncated) return { entries, truncated: false };
      token = progress.next(output.NextContinuationToken, found.length, found.at(-1)?.key);
      if (entries.length === limit && wanted <= limit) return { entries, truncated: true };
    }
  }

  async #listPage(
    { prefix, delimiter, signal }: ListOptions,
    after: string | undefined,
    token: string | undefined,
    wanted: number,
  ): Promise<ListObjectsV2CommandOutput> {
    const { output } = await this.#connection.read(
      () =>
        new ListObjectsV2Command({
          Bucket: this.#place.bucket,
          Prefix: this.#place.pathOf(prefix),
          Delimiter: delimiter,
          MaxKeys: wanted,
          EncodingType: 'url',
          ...(token === undefined ? {} : { ContinuationToken: token }),
          ...(after === undefined ? {} : { StartAfter: this.#place.pathOf(after) }),
        }),
      { operation: 'ListObjectsV2', key: prefix, signal },
    );
    this.#checkAnswer('ListObjectsV2', output.IsTruncated);
    return output;
  }

  /** Objects and common prefixes of one answer, in order. */
  #entriesOf(output: ListObjectsV2CommandOutput): ListEntry[] {
    const decode = this.#decoder(output.EncodingType);
    const entries: ListEntry[] = [];
    for (const object of output.Contents ?? []) {
      const key = this.#place.keyOf(decode(object.Key));
      if (key !== undefined) entries.push(this.#listed(key, object));
    }
    for (const { Prefix } of output.CommonPrefixes ?? []) {
      const key = this.#place.keyOf(decode(Prefix));
      if (key !== undefined) entries.push({ kind: 'prefix', key });
    }
    return entries.sort((a, b) => compareUtf8(a.key, b.key));
  }

  #listed(key: string, object: _Object): ListEntry {
    const { LastModified: modified, Size: sizeBytes = 0 } = object;
    const etag = object.ETag ?? (sizeBytes === 0 ? emptyEtag : undefined);
    if (etag === undefined) throw this.#error('the backend lists an object without ETag', key);
    const storageClass = namedStorageClass(object.StorageClass);
    const algorithms = object.ChecksumAlgorithm as ChecksumAlgorithm[] | undefined;
    return {
      kind: 'object',
      key,
      sizeBytes,
      etag: plainEtag(etag),
      // Lists may tell milliseconds; HEAD tells whole seconds, and both are to say the same.
      lastModifiedMs: Math.floor((modified?.getTime() ?? 0) / 1000) * 1000,
      ...(storageClass === undefined ? {} : { storageClass }),
      ...(algorithms?.length ? { checksumAlgorithms: algorithms } : {}),
      ...(object.ChecksumType === undefined ? {} : { checksumType: object.ChecksumType as ChecksumType }),
    };
  }

  /** Uploads come in the backend's own order for one key: S3 itself orders them by time, others by id. */
  async listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    try {
      return await this.#listUploads(options);
    } catch (error) {
      const { delimiter = '/' } = options;
      if (delimiter === '/' || !isRefusal(error)) throw error;
      const details = { backend: this.#place.uri, cause: error };
      throw new UfsError('not-implemented', 'the storage does not take this delimiter', details);
    }
  }

  async #listUploads(options: ListUploadsOptions): Promise<ListUploadsPage> {
    const { limit } = options;
    const entries: UploadsEntry[] = [];
    let { keyMarker, uploadIdMarker } = options;
    const begin = keyMarker && markOf(keyMarker, uploadIdMarker);
    const progress = new ListProgress(this.#place.uri, 'ListMultipartUploads', options.prefix, begin);
    for (;;) {
      const wanted = Math.min(limit + 1 - entries.length, maxEntries);
      const output = await this.#uploadsPage(options, keyMarker, uploadIdMarker, wanted);
      const decode = this.#decoder(output.EncodingType);
      const found = this.#uploadsOf(output, decode);
      entries.push(...found);
      if (entries.length > limit) return { entries: entries.slice(0, limit), truncated: true };
      if (!output.IsTruncated) return { entries, truncated: false };
      if (entries.length === limit) return { entries, truncated: true };
      const next = output.NextKeyMarker && this.#place.keyOf(decode(output.NextKeyMarker));
      uploadIdMarker = output.NextUploadIdMarker || undefined;
      progress.next(next && markOf(next, uploadIdMarker), found.length);
      keyMarker = next;
    }
  }

  async #uploadsPage(
    { prefix, delimiter, signal }: ListUploadsOptions,
    keyMarker: string | undefined,
    uploadIdMarker: string | undefined,
    wanted: number,
  ): Promise<ListMultipartUploadsCommandOutput> {
    const { output } = await this.#connection.read(
      () =>
        new ListMultipartUploadsCommand({
          Bucket: this.#place.bucket,
          Prefix: this.#place.pathOf(prefix),
          Delimiter: delimiter,
          MaxUploads: wanted,
          EncodingType: 'url',
          ...(keyMarker === undefined ? {} : { KeyMarker: this.#place.pathOf(keyMarker) }),
          ...(uploadIdMarker === undefined ? {} : { UploadIdMarker: uploadIdMarker }),
        }),
      { operation: 'ListMultipartUploads', key: prefix, signal },
    );
    this.#checkAnswer('ListMultipartUploads', output.IsTruncated ?? output.Bucket);
    return output;
  }

  #uploadsOf(
    output: ListMultipartUploadsCommandOutput,
    decode: (text: string | undefined) => string,
  ): UploadsEntry[] {
    const entries: { readonly order: string; readonly entry: UploadsEntry }[] = [];
    for (const upload of output.Uploads ?? []) {
      const key = this.#place.keyOf(decode(upload.Key));
      if (key === undefined) continue;
      const storageClass = namedStorageClass(upload.StorageClass);
      const info = {
        key,
        uploadId: upload.UploadId ?? '',
        initiatedMs: upload.Initiated?.getTime() ?? 0,
        // S3 does not tell what else was said when the upload was created.
        headers: {},
        userMetadata: {},
        ...(storageClass === undefined ? {} : { storageClass }),
        ...(upload.ChecksumAlgorithm
          ? { checksumAlgorithm: upload.ChecksumAlgorithm as ChecksumAlgorithm }
          : {}),
        ...(upload.ChecksumType ? { checksumType: upload.ChecksumType as ChecksumType } : {}),
      };
      entries.push({ order: key, entry: { kind: 'upload', upload: info } });
    }
    for (const { Prefix } of output.CommonPrefixes ?? []) {
      const key = this.#place.keyOf(decode(Prefix));
      if (key !== undefined) entries.push({ order: key, entry: { kind: 'prefix', key } });
    }
    return entries.sort((a, b) => compareUtf8(a.order, b.order)).map(({ entry }) => entry);
  }

  /** Keys are asked for percent-encoded, since XML cannot hold every character; not every server does it. */
  #decoder(encoding: string | undefined): (text: string | undefined) => string {
    if (encoding !== 'url') return (text = '') => text;
    return (text = '') => {
      try {
        return decodeURIComponent(text.replaceAll('+', ' '));
      } catch (cause) {
        throw this.#error('the backend lists a key that is not percent-encoded', text, cause);
      }
    };
  }

  #checkAnswer(operation: string, sign: unknown): void {
    if (sign === undefined) throw noS3Answer(operation, 'IsTruncated', this.#place.uri);
  }

  #error(message: string, key: string, cause?: unknown): UfsError {
    return new UfsError('io', message, { backend: this.#place.uri, key, cause });
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof UfsError && (error.kind === 'refused' || error.kind === 'not-implemented');
}

/** One text for both markers of a list of uploads. */
function markOf(keyMarker: string, uploadIdMarker: string | undefined): string {
  return `${keyMarker}\n${uploadIdMarker ?? ''}`;
}
