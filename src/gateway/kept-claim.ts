import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { ReadTarget } from '../worker/reader.ts';

/** In the place of a handed-over request's facts: this one is no client's. */
export const keepMark = 'keep';

/** What a thread reads of a version, told to the one that keeps it. */
export interface KeptClaim {
  readonly bucket: string;
  readonly key: string;
  /** Where the object lies, as the reading thread has it: it may lie elsewhere by now. */
  readonly incarnation: string;
  readonly path: string;
  readonly meta: ObjectMeta;
  readonly range: ByteRange;
}

/** One line; undefined of what the store thread could not find by its name. */
export function encodeClaim(
  { bucket, key, incarnation, path, meta, versionId }: ReadTarget,
  range: ByteRange,
): string | undefined {
  if (bucket === undefined || key === undefined || versionId !== undefined) return undefined;
  const claim: KeptClaim = { bucket: bucket.name, key, incarnation, path, meta, range };
  return JSON.stringify(claim);
}

export function decodeClaim(line: string): KeptClaim {
  return JSON.parse(line) as KeptClaim;
}
