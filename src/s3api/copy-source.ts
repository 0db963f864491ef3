import { invalidArgument, notImplemented, S3Error } from './errors.ts';
import type { AnswerHeaders, RequestHeaders } from './headers.ts';
import { parseBucketName, parseObjectKey, type VersionRef } from './names.ts';
import { decodePercent } from './percent.ts';
import { maxUploadBytes, parseVersionId } from './request.ts';
import type { CopiedFrom } from './service.ts';

const header = 'x-amz-copy-source';

/**
 * `x-amz-copy-source`: bucket and key, percent-encoded, with or without a slash before them, and perhaps `?versionId=`
 * (S3 API Reference, CopyObject). InvalidArgument, InvalidBucketName, KeyTooLongError.
 */
export function parseCopySource(headers: RequestHeaders): VersionRef {
  const value = headers[header] ?? '';
  const version = /\?versionId=([^&?]*)$/.exec(value);
  const versionId = version === null ? undefined : parseVersionId(decode(version[1] ?? ''));
  const path = decode(version === null ? value : value.slice(0, version.index)).replace(/^\//, '');
  // Access points are named by ARNs, which hold no bucket.
  if (path.startsWith('arn:')) throw notImplemented(header);
  const slash = path.indexOf('/');
  // S3 gives the header's name for its value here.
  if (path === '' || slash === 0) throw invalidArgument(header, header, 'Invalid copy source bucket name');
  if (slash < 0 || slash === path.length - 1) {
    throw invalidArgument(header, header, 'Invalid copy source object key');
  }
  const bucket = parseBucketName(path.slice(0, slash));
  return { bucket, key: parseObjectKey(path.slice(slash + 1)), versionId };
}

/** InvalidArgument: for what copies nothing, a source would be passed over. */
export function refuseCopySource(headers: RequestHeaders): void {
  const value = headers[header];
  if (value === undefined) return;
  const message = 'You can only specify a copy source header for copy requests.';
  throw invalidArgument(header, value, message);
}

/** The action that reading the source takes. */
export function copySourceAction({ versionId }: VersionRef): string {
  return versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
}

/** What the answer to a copy says of its source. */
export function copiedFromHeaders({ sourceVersionId }: CopiedFrom): AnswerHeaders {
  return sourceVersionId === undefined ? {} : { 'x-amz-copy-source-version-id': sourceVersionId };
}

/** Runs what reads the source: S3 has its own words where that is a delete marker. */
export async function readingSource<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    const isMarker = error instanceof S3Error && error.extra.ResourceType === 'DeleteMarker';
    if (!isMarker) throw error;
    throw new S3Error('InvalidRequest', {
      message: 'The source of a copy request may not specifically refer to a delete marker by version id.',
      cause: error,
    });
  }
}

function decode(raw: string): string {
  try {
    return decodePercent(raw);
  } catch (cause) {
    throw new S3Error('InvalidArgument', {
      message: 'The x-amz-copy-source header is not validly encoded',
      extra: { ArgumentName: header },
      cause,
    });
  }
}

/** InvalidRequest for more bytes than one copy may carry. */
export function checkCopySize(sizeBytes: number): void {
  if (sizeBytes <= maxUploadBytes) return;
  throw new S3Error('InvalidRequest', {
    message: `The specified copy source is larger than the maximum allowable size for a copy source: ${maxUploadBytes}`,
  });
}
