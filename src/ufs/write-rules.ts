import {
  type ChecksumAlgorithm,
  checksumAlgorithms,
  type ObjectMeta,
  type UploadBody,
} from '../common/object-meta.ts';
import type { WriteCondition } from './backend.ts';
import { UfsError } from './errors.ts';

/** Rejects with `precondition-failed` unless `condition` holds for what is there now. */
export function checkCondition(
  condition: WriteCondition | undefined,
  present: Pick<ObjectMeta, 'etag'> | undefined,
  backend: string,
  key: string,
): void {
  if (!condition) return;
  if ('ifNoneMatch' in condition) {
    if (present) throw new UfsError('precondition-failed', 'the object exists', { backend, key });
    return;
  }
  // S3 answers NoSuchKey for If-Match on a key that is not there (conditional writes, S3 User Guide).
  if (!present) throw new UfsError('not-found', 'there is no object to match', { backend, key });
  if (condition.ifMatch !== '*' && condition.ifMatch !== present.etag) {
    throw new UfsError('precondition-failed', 'the object has another ETag', { backend, key });
  }
}

/** Rejects with `cancelled` if the caller has given up. */
export function checkSignal(signal: AbortSignal | undefined, backend: string, key?: string): void {
  if (signal?.aborted) {
    throw new UfsError('cancelled', 'the call was cancelled', { backend, key, cause: signal.reason });
  }
}

/**
 * A modification time that does not go back when an object is overwritten, unless the clock was set back by more than a
 * minute, since a wrong time is not to stay for ever.
 */
export function nextModifiedMs(nowMs: number, previousMs: number | undefined): number {
  if (previousMs === undefined || previousMs < nowMs || previousMs - nowMs > 60_000) return nowMs;
  return previousMs;
}

/** The checksum of an object that comes without one (S3 User Guide, "Checking object integrity"). */
export const defaultChecksumAlgorithm: ChecksumAlgorithm = 'CRC64NVME';

/** Asks, before a body is read, for the one checksum that is kept of it: the client's, or else the default one. */
export function needChecksum(body: UploadBody): ChecksumAlgorithm {
  const algorithm = body.announcedChecksum?.algorithm ?? defaultChecksumAlgorithm;
  body.need(algorithm);
  return algorithm;
}

/** What is kept of a body that was read, whose checksum was asked for. */
export function fullChecksum(
  body: UploadBody,
  algorithm: ChecksumAlgorithm,
): Required<Pick<ObjectMeta, 'checksums' | 'checksumType'>> {
  return {
    checksums: { [algorithm]: body.digest(algorithm).toString('base64') },
    checksumType: 'FULL_OBJECT',
  };
}

/** The checksum that a copy has: the one that is asked for, or one like its source's. */
export function copyChecksum(
  source: Pick<ObjectMeta, 'checksums'>,
  asked: ChecksumAlgorithm | undefined,
): ChecksumAlgorithm {
  return asked ?? checksumAlgorithms.find((name) => source.checksums?.[name]) ?? defaultChecksumAlgorithm;
}

export function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  for (const _ in record) return false;
  return true;
}
