import {
  type DeleteMarkerEntry,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
} from '@aws-sdk/client-s3';
import type { ChecksumAlgorithm, ChecksumType } from '../common/object-meta.ts';
import { compareUtf8 } from '../common/utf8-order.ts';
import type { ListedPrefix } from './backend.ts';
import type { ListedVersion, ListVersionsOptions, ListVersionsPage } from './backend-versions.ts';
import { UfsError } from './errors.ts';
import type { S3Connection } from './s3-connection.ts';
import { noS3Answer } from './s3-errors.ts';
import { namedStorageClass, plainEtag } from './s3-headers.ts';
import { ListProgress } from './s3-list-progress.ts';
import type { S3Place } from './s3-place.ts';
import { collectAnswer } from './s3-wire.ts';

/** S3 gives so many entries a request at most (S3 API Reference, ListObjectVersions). */
const maxEntries = 1_000;

interface Answered {
  readonly output: ListObjectVersionsCommandOutput;
  /** The answer's text. */
  readonly text: string;
}

/** Lists of versions, in the order in which the backend gives them: within a key nothing else tells it. */
export class S3VersionLister {
  readonly #connection: S3Connection;
  readonly #place: S3Place;

  constructor(connection: S3Connection, place: S3Place) {
    this.#connection = connection;
    this.#place = place;
  }

  async list(options: ListVersionsOptions): Promise<ListVersionsPage> {
    const { limit, prefix } = options;
    const entries: (ListedVersion | ListedPrefix)[] = [];
    let { keyMarker, versionIdMarker } = options;
    const begin = keyMarker && `${keyMarker}\n${versionIdMarker ?? ''}`;
    const progress = new ListProgress(this.#place.uri, 'ListObjectVersions', prefix, begin);
    for (;;) {
      const wanted = Math.min(limit + 1 - entries.length, maxEntries);
      const answered = await this.#page(options, keyMarker, versionIdMarker, wanted);
      const { output } = answered;
      const found = this.#entriesOf(answered);
      entries.push(...found);
      if (entries.length > limit) return { entries: entries.slice(0, limit), truncated: true };
      if (!output.IsTruncated) return { entries, truncated: false };
      const next = output.NextKeyMarker && this.#keyOf(output, output.NextKeyMarker);
      versionIdMarker = output.NextVersionIdMarker || undefined;
      progress.next(next && `${next}\n${versionIdMarker ?? ''}`, found.length);
      keyMarker = next;
    }
  }

  async #page(
    { prefix, delimiter, signal }: ListVersionsOptions,
    keyMarker: string | undefined,
    versionIdMarker: string | undefined,
    wanted: number,
  ): Promise<Answered> {
    let text = '';
    const { output } = await this.#connection.read(
      () => {
        const command = new ListObjectVersionsCommand({
          Bucket: this.#place.bucket,
          Prefix: this.#place.pathOf(prefix),
          Delimiter: delimiter,
          MaxKeys: wanted,
          EncodingType: 'url',
          ...(keyMarker === undefined ? {} : { KeyMarker: this.#place.pathOf(keyMarker) }),
          ...(versionIdMarker === undefined ? {} : { VersionIdMarker: versionIdMarker }),
        });
        collectAnswer(command, (bytes) => {
          text = bytes.toString();
        });
        return command;
      },
      { operation: 'ListObjectVersions', key: prefix, signal },
    );
    if (output.IsTruncated === undefined)
      throw noS3Answer('ListObjectVersions', 'IsTruncated', this.#place.uri);
    return { output, text };
  }

  #entriesOf({ output, text }: Answered): (ListedVersion | ListedPrefix)[] {
    const versions = (output.Versions ?? []).values();
    const markers = (output.DeleteMarkers ?? []).values();
    const found: { readonly order: string; readonly entry: ListedVersion | ListedPrefix }[] = [];
    for (const [, kind] of text.matchAll(/<(?:[\w-]+:)?(Version|DeleteMarker)>/g)) {
      const next = kind === 'Version' ? versions.next().value : markers.next().value;
      const key = next && this.#keyOf(output, next.Key);
      if (key !== undefined) found.push({ order: key, entry: listed(key, next as ObjectVersion, kind) });
    }
    for (const { Prefix } of output.CommonPrefixes ?? []) {
      const key = this.#keyOf(output, Prefix);
      if (key !== undefined) found.push({ order: key, entry: { kind: 'prefix', key } });
    }
    // Sorting leaves the versions of a key in the order in which they came.
    return found.sort((a, b) => compareUtf8(a.order, b.order)).map(({ entry }) => entry);
  }

  #keyOf({ EncodingType }: ListObjectVersionsCommandOutput, text = ''): string | undefined {
    if (EncodingType !== 'url') return this.#place.keyOf(text);
    try {
      return this.#place.keyOf(decodeURIComponent(text.replaceAll('+', ' ')));
    } catch (cause) {
      const message = 'the backend lists a key that is not percent-encoded';
      throw new UfsError('io', message, { backend: this.#place.uri, key: text, cause });
    }
  }
}

function listed(
  key: string,
  version: ObjectVersion & DeleteMarkerEntry,
  kind: string | undefined,
): ListedVersion {
  const storageClass = namedStorageClass(version.StorageClass);
  const algorithms = version.ChecksumAlgorithm as ChecksumAlgorithm[] | undefined;
  return {
    kind: 'version',
    key,
    versionId: version.VersionId ?? 'null',
    isLatest: version.IsLatest ?? false,
    deleteMarker: kind === 'DeleteMarker',
    sizeBytes: version.Size ?? 0,
    etag: plainEtag(version.ETag ?? ''),
    // HEAD tells whole seconds, and both are to say the same.
    lastModifiedMs: Math.floor((version.LastModified?.getTime() ?? 0) / 1000) * 1000,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(algorithms?.length ? { checksumAlgorithms: algorithms } : {}),
    ...(version.ChecksumType === undefined ? {} : { checksumType: version.ChecksumType as ChecksumType }),
  };
}
