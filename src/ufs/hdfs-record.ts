import type {
  ChecksumAlgorithm,
  Checksums,
  NewObject,
  ObjectMeta,
  ObjectPart,
  Tag,
} from '../common/object-meta.ts';
import { UfsError } from './errors.ts';
import type { HdfsStatus } from './hdfs-client.ts';
import { keptTags } from './tags.ts';

/** Names of the attributes that hold what HDFS has no place for, without `user.`. */
export const recordName = 'forebay.record';
/** What was changed of it since the object was made. */
export const amendmentName = 'forebay.amended';

/** What is known of a version beyond its bytes. */
export interface HdfsRecord
  extends Pick<
    ObjectMeta,
    'etag' | 'headers' | 'userMetadata' | 'storageClass' | 'checksums' | 'checksumType' | 'parts'
  > {
  /** Of the file that it is true of. */
  readonly generation: string;
  readonly tags?: readonly Tag[];
  readonly uploadId?: string;
  /** As `ObjectMeta.stamp`. */
  readonly stamp?: string;
  /** Of a folder marker, whose directory has no bytes: when it was put. */
  readonly markerMs?: number;
}

/** Tags as they are now, of one version; they stand for those of the record. */
export interface HdfsAmendment {
  readonly generation: string;
  readonly tags?: readonly Tag[];
}

/** Name and value have so many bytes together at most (hdfs-default.xml, dfs.namenode.fs-limits.max-xattr-size). */
const maxValueBytes = 16_384 - 64;

/** Names the exact bytes of a file as long as nobody sets a modification time back: the inode, its time, its length. */
export function generationOf({ fileId, modificationTime, length }: HdfsStatus): string {
  // What stands before a NameNode may tell of no inodes.
  return `${fileId ?? 0}.${modificationTime}.${length}`;
}

/** The inode and the rest of a generation that `generationOf` made; undefined for another text. */
export function parseGeneration(
  generation: string,
): { fileId: number; modificationTime: number; length: number } | undefined {
  const [, fileId, modificationTime, length] = /^(\d+)\.(-?\d+)\.(\d+)$/.exec(generation) ?? [];
  if (length === undefined) return undefined;
  return { fileId: Number(fileId), modificationTime: Number(modificationTime), length: Number(length) };
}

/** The path of an inode wherever it lies (HDFS, "/.reserved/.inodes"). */
export function inodePath(fileId: number): string {
  return `/.reserved/.inodes/${fileId}`;
}

export function recordOf(
  generation: string,
  { headers, userMetadata, storageClass, tags }: NewObject,
  facts: Pick<
    HdfsRecord,
    'etag' | 'checksums' | 'checksumType' | 'parts' | 'uploadId' | 'stamp' | 'markerMs'
  >,
): HdfsRecord {
  return {
    generation,
    headers,
    userMetadata,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...keptTags(tags),
    ...facts,
  };
}

/**
 * A record as an attribute's value. Of what is too long, the checksums of parts are left out first, and then the parts. Throws `UfsError`:
 * refused, if the rest is too long too.
 */
export function formatRecord(record: HdfsRecord, context: { backend: string; key: string }): Buffer {
  const { parts, ...rest } = record;
  const attempts = parts ? [packParts(parts, true), packParts(parts, false), undefined] : [undefined];
  for (const packed of attempts) {
    const value = Buffer.from(JSON.stringify({ layout: 1, ...rest, ...(packed ? { parts: packed } : {}) }));
    if (value.length <= maxValueBytes) return value;
  }
  const message = `the metadata take more than the ${maxValueBytes} bytes that HDFS keeps beside a file`;
  throw new UfsError('refused', message, { ...context, code: 'MetadataTooLarge' });
}

/** Undefined for what is no record, which leaves a file with what can be seen of it. */
export function parseRecord(value: Buffer | undefined): HdfsRecord | undefined {
  const found = parse<Omit<HdfsRecord, 'parts'> & { readonly layout: number; readonly parts?: PackedParts }>(
    value,
  );
  if (found?.layout !== 1 || typeof found.etag !== 'string') return undefined;
  const { layout: _, parts, ...record } = found;
  return { ...record, ...(parts ? { parts: unpackParts(parts) } : {}) };
}

export function formatAmendment(amendment: HdfsAmendment, context: { backend: string; key: string }): Buffer {
  const value = Buffer.from(JSON.stringify(amendment));
  if (value.length <= maxValueBytes) return value;
  const message = `the tags take more than the ${maxValueBytes} bytes that HDFS keeps beside a file`;
  throw new UfsError('refused', message, { ...context, code: 'MetadataTooLarge' });
}

export function parseAmendment(value: Buffer | undefined): HdfsAmendment | undefined {
  const found = parse<HdfsAmendment>(value);
  return typeof found?.generation === 'string' ? found : undefined;
}

function parse<Value>(value: Buffer | undefined): Value | undefined {
  if (!value) return undefined;
  try {
    const found: unknown = JSON.parse(value.toString());
    return typeof found === 'object' && found !== null ? (found as Value) : undefined;
  } catch {
    return undefined;
  }
}

/** Runs of `[count, first number, size]`: parts mostly have one size, and numbers without gaps. */
interface PackedParts {
  readonly runs: readonly (readonly [count: number, firstNumber: number, sizeBytes: number])[];
  /** By algorithm, the values of all parts in order; of an algorithm that every part has. */
  readonly checksums?: Readonly<Partial<Record<ChecksumAlgorithm, readonly string[]>>>;
}

function packParts(parts: readonly ObjectPart[], withChecksums: boolean): PackedParts {
  const runs: [number, number, number][] = [];
  for (const { partNumber, sizeBytes } of parts) {
    const last = runs.at(-1);
    if (last && last[2] === sizeBytes && last[1] + last[0] === partNumber) last[0]++;
    else runs.push([1, partNumber, sizeBytes]);
  }
  if (!withChecksums) return { runs };
  const checksums: Partial<Record<ChecksumAlgorithm, string[]>> = {};
  for (const algorithm of Object.keys(parts[0]?.checksums ?? {}) as ChecksumAlgorithm[]) {
    const values = parts.map((part) => part.checksums?.[algorithm]);
    if (values.every((value) => value !== undefined)) checksums[algorithm] = values;
  }
  return { runs, checksums };
}

function unpackParts({ runs, checksums = {} }: PackedParts): ObjectPart[] {
  const parts: ObjectPart[] = [];
  for (const [count, first, sizeBytes] of runs) {
    for (let i = 0; i < count; i++) {
      const index = parts.length;
      const own = Object.fromEntries(
        Object.entries(checksums).map(([algorithm, values]) => [algorithm, values[index]]),
      ) as Checksums;
      const some = Object.keys(own).length > 0 ? { checksums: own } : {};
      parts.push({ partNumber: first + i, sizeBytes, ...some });
    }
  }
  return parts;
}
