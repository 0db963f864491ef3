import { invalidArgument, notImplemented, S3Error } from './errors.ts';
import type { RequestHeaders } from './headers.ts';
import { type ObjectRef, parseBucketName, parseObjectKey } from './names.ts';
import { decodePercent } from './percent.ts';
import { maxUploadBytes, refuseOtherVersions } from './request.ts';

const header = 'x-amz-copy-source';

/**
 * `x-amz-copy-source`: bucket and key, percent-encoded, with or without a slash before them, and perhaps `?versionId=`
 * (S3 API Reference, CopyObject). InvalidArgument, InvalidBucketName, KeyTooLongError, NoSuchVersion.
 */
export function parseCopySource(headers: RequestHeaders): ObjectRef {
  const value = headers[header] ?? '';
  const version = /\?versionId=([^&?]*)$/.exec(value);
  if (version !== null) refuseOtherVersions(decode(version[1] ?? ''));
  const path = decode(version === null ? value : value.slice(0, version.index)).replace(/^\//, '');
  // Access points are named by ARNs, which hold no bucket.
  if (path.startsWith('arn:')) throw notImplemented(header);
  const slash = path.indexOf('/');
  if (slash < 1 || slash === path.length - 1) {
    // S3 gives the header's name for its value here.
    throw invalidArgument(header, header, 'Invalid copy source object key');
  }
  return { bucket: parseBucketName(path.slice(0, slash)), key: parseObjectKey(path.slice(slash + 1)) };
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
