import type { ByteRange } from '../common/byte-range.ts';
import { S3Error } from './errors.ts';

const single = /^bytes=(\d*)-(\d*)$/i;

/** What a Range header asks for before the object's length is known: from `start` to before `end`, or the last bytes. */
export type AskedRange = { readonly start: number; readonly end: number } | { readonly lastBytes: number };

/** Undefined for the whole: without the header, and for what S3 ignores (see `parseRange`). `end` may be infinite. */
export function askedRange(header: string | undefined): AskedRange | undefined {
  const match = header === undefined ? null : single.exec(header.trim());
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? undefined : { lastBytes: Number(last) };
  const start = Number(first);
  const lastByte = last === '' ? Number.POSITIVE_INFINITY : Number(last);
  // Not told by the end: beside the largest numbers one more makes no difference.
  return lastByte < start ? undefined : { start, end: lastByte + 1 };
}

/**
 * The part of an object that a Range header asks for, or undefined for the whole: without the header, and for what S3 ignores,
 * which is another unit, a malformed range and more than one range (RFC 9110, 14.2; S3 API Reference, GetObject).
 * InvalidRange if no byte of it exists. Any range of an empty object is such a one.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const asked = askedRange(header);
  if (header === undefined || asked === undefined) return undefined;
  if ('lastBytes' in asked) {
    const { lastBytes } = asked;
    if (lastBytes === 0 || sizeBytes === 0) throw unsatisfiable(header, sizeBytes);
    return { start: Math.max(0, sizeBytes - lastBytes), end: sizeBytes };
  }
  if (asked.start >= sizeBytes) throw unsatisfiable(header, sizeBytes);
  return { start: asked.start, end: Math.min(asked.end, sizeBytes) };
}

function unsatisfiable(header: string, sizeBytes: number): S3Error {
  return new S3Error('InvalidRange', {
    extra: { RangeRequested: header, ActualObjectSize: String(sizeBytes) },
    headers: { 'content-range': `bytes */${sizeBytes}` },
  });
}

/** The Content-Range header of a range that is not empty (RFC 9110, 14.4). */
export function contentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.start}-${range.end - 1}/${sizeBytes}`;
}

/**
 * `x-amz-copy-source-range`: `bytes=first-last` and nothing else, wholly within the source
 * (S3 API Reference, UploadPartCopy). InvalidArgument; InvalidRequest if it begins behind the source's end.
 */
export function parseCopySourceRange(header: string, sizeBytes: number): ByteRange {
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const extra = { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header };
  if (match === null || Number(match[2]) < Number(match[1])) {
    throw new S3Error('InvalidArgument', {
      message:
        'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      extra,
    });
  }
  const range = { start: Number(match[1]), end: Number(match[2]) + 1 };
  if (range.start >= sizeBytes) {
    throw new S3Error('InvalidRequest', {
      message: 'The specified copy range is invalid for the source object size',
    });
  }
  if (range.end > sizeBytes) {
    throw new S3Error('InvalidArgument', {
      message: `Range specified is not valid for source object of size: ${sizeBytes}`,
      extra,
    });
  }
  return range;
}
