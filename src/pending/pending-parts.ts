import type { ObjectPartsOptions, ObjectPartsPage, PartPlace } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { objectParts, pageParts } from '../ufs/multipart-rules.ts';
import type { CompletedUpload } from './records.ts';

/** As `Backend.findPart`, of an object that came in parts and is pending. */
export function placeOfPart(
  { parts, checksumAlgorithm }: CompletedUpload,
  number: number,
  about: { readonly backend: string; readonly key: string },
): PartPlace {
  const part = parts[number - 1];
  if (!part) throw new UfsError('invalid-part', `there are ${parts.length} parts`, about);
  const start = parts.slice(0, number - 1).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const value = checksumAlgorithm && part.checksums[checksumAlgorithm];
  return {
    range: { start, end: start + part.sizeBytes },
    count: parts.length,
    ...(value ? { checksums: { [checksumAlgorithm]: value } } : {}),
  };
}

/** As `Backend.listObjectParts`, of such an object. */
export function pageOfParts(
  { parts, checksumAlgorithm }: CompletedUpload,
  options: ObjectPartsOptions,
): ObjectPartsPage {
  const shown = objectParts(
    parts.map((part) => ({ ...part, checksums: checksumAlgorithm ? part.checksums : {} })),
  );
  return pageParts(shown, options);
}
