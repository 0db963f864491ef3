import type { UfsErrorKind, UploadFault } from './errors.ts';

const operations: ReadonlySet<string> = new Set(['UploadPart', 'CompleteMultipartUpload']);

/** What S3 says of a request for an upload that is the client's to mend, and holds nothing of the mount's own. */
const plainWords: readonly RegExp[] = [
  /^The upload was created using /,
  /^The provided 'x-amz-mp-object-size' header value \d+ does not match /,
  /^Checksum Type mismatch occurred, expected checksum Type: \w+, actual checksum Type: \w+$/,
  /^The \w+ you specified (?:for part \d+ )?did not match /,
];

/**
 * What is wrong with a call for a multipart upload, as far as the storage's error says so: the SDK gives the error's elements as
 * properties. Undefined where nothing is to be added.
 */
export function uploadFault(
  kind: UfsErrorKind,
  error: unknown,
  { operation }: { readonly operation: string },
): { readonly kind: UfsErrorKind; readonly fault: UploadFault } | undefined {
  if (!operations.has(operation) || typeof error !== 'object' || error === null) return undefined;
  const told = error as Readonly<Record<string, unknown>>;
  const partNumber = numberOf(told.PartNumber);
  const etag = typeof told.ETag === 'string' ? told.ETag : undefined;
  if (kind === 'invalid-part' && partNumber !== undefined && etag !== undefined) {
    return { kind, fault: { what: 'part', partNumber, etag } };
  }
  const sizeBytes = numberOf(told.ProposedSize);
  const leastBytes = numberOf(told.MinSizeAllowed);
  const isSized = sizeBytes !== undefined && leastBytes !== undefined;
  if (kind === 'part-too-small' && partNumber !== undefined && etag !== undefined && isSized) {
    return { kind, fault: { what: 'part-too-small', partNumber, etag, sizeBytes, leastBytes } };
  }
  const words = typeof told.message === 'string' ? told.message : '';
  if ((kind !== 'refused' && kind !== 'bad-digest') || !plainWords.some((one) => one.test(words)))
    return undefined;
  return { kind: kind === 'refused' ? 'upload-mismatch' : kind, fault: { what: 'as-told', words } };
}

function numberOf(value: unknown): number | undefined {
  const text = String(value ?? '');
  return /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}
