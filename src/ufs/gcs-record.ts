import type {
  ChecksumAlgorithm,
  Checksums,
  ChecksumType,
  ContentHeaders,
  ObjectPart,
  Tag,
} from '../common/object-meta.ts';

/** The entry of an object's own metadata that holds the record. */
export const recordEntry = 'forebay';

/** Cloud Storage's limit on names and values of an object's own metadata together, bytes ("Object metadata", custom metadata). */
export const maxMetadataBytes = 8_192;

/**
 * What Cloud Storage has no place for and S3 tells of an object, kept in an entry of the object's own metadata. What depends on the
 * bytes counts only as long as their CRC32C is the one named here: others may write the object anew and leave the entry.
 */
export interface GcsRecord {
  /** Of the one attempt that wrote the object, so that a lost answer can be resolved; of a multipart upload its id. */
  readonly stamp: string;
  /** Base64. */
  readonly crc32c: string;
  /** Where it is not the MD5 of the bytes that Cloud Storage tells. */
  readonly etag?: string;
  readonly checksums?: Checksums;
  readonly checksumType?: ChecksumType;
  readonly parts?: readonly ObjectPart[];
  /** Headers that Cloud Storage does not keep; null for one that it makes up by itself. */
  readonly headers?: Readonly<Partial<Record<keyof ContentHeaders, string | null>>>;
  /** User metadata that would clash with this entry, or is empty. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly storageClass?: string;
  readonly tags?: readonly Tag[];
}

type Run = readonly [first: number, count: number, sizeBytes: number];
type CheckedPart = readonly [partNumber: number, sizeBytes: number, checksum: string];

/** As it is written: names are short, for the entry shares 8 KiB with the client's own. */
interface Written {
  readonly s: string;
  readonly c: string;
  readonly e?: string;
  readonly d?: Checksums;
  readonly t?: ChecksumType;
  readonly p?: readonly CheckedPart[];
  readonly r?: readonly Run[];
  readonly h?: GcsRecord['headers'];
  readonly m?: Readonly<Record<string, string>>;
  readonly k?: string;
  readonly g?: readonly (readonly [string, string])[];
}

/**
 * The record in at most `roomBytes` of UTF-8; undefined if it takes more. The parts' checksums, and then the parts, are left out before:
 * they are told where they are known, and the object is whole without them.
 */
export function formatRecord(record: GcsRecord, roomBytes: number): string | undefined {
  const { parts, ...rest } = record;
  const base: Written = {
    s: rest.stamp,
    c: rest.crc32c,
    e: rest.etag,
    d: rest.checksums,
    t: rest.checksumType,
    h: rest.headers,
    m: rest.metadata,
    k: rest.storageClass,
    g: rest.tags?.map(({ key, value }) => [key, value] as const),
  };
  const algorithm = Object.keys(rest.checksums ?? {})[0] as ChecksumAlgorithm | undefined;
  const checked = algorithm && parts?.length ? checkedParts(parts, algorithm) : undefined;
  const forms: Written[] = [
    ...(checked ? [{ ...base, p: checked }] : []),
    ...(parts?.length ? [{ ...base, r: runsOf(parts) }] : []),
    base,
  ];
  return forms.map((form) => JSON.stringify(form)).find((text) => Buffer.byteLength(text) <= roomBytes);
}

/** Undefined for what was not written by `formatRecord`. */
export function parseRecord(text: string | undefined): GcsRecord | undefined {
  if (text === undefined) return undefined;
  let written: Written;
  try {
    written = JSON.parse(text) as Written;
  } catch {
    // Somebody else's entry of this name.
    return undefined;
  }
  const { s: stamp, c: crc32c } = written ?? {};
  if (typeof stamp !== 'string' || typeof crc32c !== 'string') return undefined;
  const { e, d, t, p, r, h, m, k, g } = written;
  const algorithm = Object.keys(d ?? {})[0] as ChecksumAlgorithm | undefined;
  const parts = p && algorithm ? p.map(partOf(algorithm)) : r?.flatMap(partsOfRun);
  return {
    stamp,
    crc32c,
    ...(e === undefined ? {} : { etag: e }),
    ...(d === undefined ? {} : { checksums: d }),
    ...(t === undefined ? {} : { checksumType: t }),
    ...(parts === undefined ? {} : { parts }),
    ...(h === undefined ? {} : { headers: h }),
    ...(m === undefined ? {} : { metadata: m }),
    ...(k === undefined ? {} : { storageClass: k }),
    ...(g === undefined ? {} : { tags: g.map(([key, value]) => ({ key, value })) }),
  };
}

/** Undefined unless each part has the checksum. */
function checkedParts(parts: readonly ObjectPart[], algorithm: ChecksumAlgorithm): CheckedPart[] | undefined {
  const all = parts.map(({ partNumber, sizeBytes, checksums }) => {
    const value = checksums?.[algorithm];
    return value === undefined ? undefined : ([partNumber, sizeBytes, value] as const);
  });
  return all.every((part) => part !== undefined) ? all : undefined;
}

function partOf(algorithm: ChecksumAlgorithm) {
  return ([partNumber, sizeBytes, value]: CheckedPart): ObjectPart => ({
    partNumber,
    sizeBytes,
    checksums: { [algorithm]: value },
  });
}

/** Parts whose numbers follow each other and that have one size, as nearly all of an upload's have. */
function runsOf(parts: readonly ObjectPart[]): Run[] {
  const runs: [number, number, number][] = [];
  for (const { partNumber, sizeBytes } of parts) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === partNumber && last[2] === sizeBytes) last[1]++;
    else runs.push([partNumber, 1, sizeBytes]);
  }
  return runs;
}

function partsOfRun([first, count, sizeBytes]: Run): ObjectPart[] {
  return Array.from({ length: count }, (_, index) => ({ partNumber: first + index, sizeBytes }));
}
