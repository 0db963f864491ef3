import { nothing } from '../common/nothing.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Backend, CompletePart, WriteCondition } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import type { Journal } from './journal.ts';
import type { PendingEntry } from './pending-entry.ts';
import type { CompletedUpload } from './records.ts';

/**
 * Brings a change that came in parts to its storage in the same parts, so that it has the ETag that was acknowledged. Nothing but the Complete can
 * take effect; before it goes out, `check` may throw, for the parts take their time. Of what fails nothing is left at the storage, as far as it hears
 * of it.
 */
export async function sendParts(
  journal: Journal,
  inner: Backend,
  entry: PendingEntry,
  upload: CompletedUpload,
  stamp: string,
  condition: WriteCondition,
  check: () => void,
): Promise<ObjectMeta> {
  const { change, key } = entry;
  const { checksumAlgorithm, checksumType } = upload;
  const { headers, userMetadata, storageClass, access } = change.meta as NonNullable<typeof change.meta>;
  const about = { headers, userMetadata, storageClass, access, tags: change.tags };
  const { uploadId } = await harmless(
    inner.createUpload(key, { ...about, checksumAlgorithm, checksumType, stamp }),
  );
  try {
    const parts: CompletePart[] = [];
    let start = 0;
    for (const { partNumber, sizeBytes, etag, checksums } of upload.parts) {
      const end = start + sizeBytes;
      const bytes = sizeBytes === 0 ? nothing() : journal.read(entry, { start, end }, check);
      start = end;
      const body = new PlainBody(bytes, sizeBytes);
      if (checksumAlgorithm) body.need(checksumAlgorithm);
      const sent = await harmless(inner.putPart(key, uploadId, partNumber, body));
      if (sent.etag !== etag) {
        const message = `the storage says of part ${partNumber} that its ETag is ${sent.etag}, and not ${etag}`;
        throw new UfsError('io', message, { backend: inner.uri, key });
      }
      const value = checksumAlgorithm && checksums[checksumAlgorithm];
      parts.push({ partNumber, etag, checksums: value ? { [checksumAlgorithm]: value } : {} });
    }
    check();
    return await inner.completeUpload(key, uploadId, parts, { condition });
  } catch (error) {
    // Where the Complete is still on its way this is the end of it.
    await inner.abortUpload(key, uploadId).catch(() => undefined);
    throw error;
  }
}

/** What became of this call is of no consequence for any object. */
async function harmless<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof UfsError) || !error.unresolved) throw error;
    const { kind, message, backend, key, retryable, cause } = error;
    throw new UfsError(kind, message, { backend, key, retryable, cause });
  }
}
