import type { ChecksumAlgorithm, Checksums, ObjectMeta, UploadBody } from '../common/object-meta.ts';
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

/** The checksums to keep of a body that has been read: those the client sent and the one that was asked for. */
export function keptChecksums(body: UploadBody, algorithm: ChecksumAlgorithm | undefined): Checksums {
  const sent = body.sentChecksums();
  if (!algorithm || sent[algorithm] !== undefined) return sent;
  return { ...sent, [algorithm]: body.digest(algorithm).toString('base64') };
}

export function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  for (const _ in record) return false;
  return true;
}
