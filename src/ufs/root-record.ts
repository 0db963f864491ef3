import { crc32 } from '@node-rs/crc32';
import type { ObjectMeta, ObjectPart, Tag } from '../common/object-meta.ts';
import { type FileSystem, FileSystemError, isErrno, type OpenFile } from './file-system.ts';
import { tagCountOf } from './tags.ts';

/**
 * A record file: one line about the object; then, of an object made of parts, a line that lists them; then the body, if it is inline.
 * A line is the CRC-32 of its JSON in eight hexadecimal digits, a space, and the JSON; an inline body's CRC-32 is in the first line.
 * The commit of any change is the rename of a record file into place.
 */
export interface RootRecord {
  /** Raised when an older program could not read the record rightly. */
  readonly layout: typeof recordLayout;
  readonly current: StoredVersion;
}

/** A version's metadata as stored; `generation` is new for each version, for ever. */
export interface StoredVersion extends Omit<ObjectMeta, 'parts' | 'generationSettled' | 'tagCount'> {
  /** In the record itself; in a file beside it; or in the directory of the upload `uploadId`. */
  readonly body: 'inline' | 'file' | 'parts';
  readonly uploadId?: string;
  /** Of a null version that was written where versions are kept: its place among them (`version-ids.ts`). */
  readonly order?: number;
  /** It stands for the absence of the object, and has no body. */
  readonly deleteMarker?: true;
  readonly tags?: readonly Tag[];
  /** Length of the line that lists the parts, newline included. */
  readonly partsLineBytes?: number;
  /** Of an inline body. */
  readonly bodyCrc32?: number;
}

/** A part of a multipart object; `file` is its name in the upload's directory. */
export interface StoredPart extends ObjectPart {
  readonly file: string;
}

/** Bodies up to this size lie in the record. */
export const inlineLimitBytes = 64 * 1024;

const recordLayout = 2;
/** Nearly every record's first line fits, with an inline body of a few hundred bytes. */
const firstReadBytes = 4096;
/** 10,000 parts with every checksum take less than 3 MiB. */
const lineLimitBytes = 8 * 1024 * 1024;

/** The pieces of a record file, one behind the other. */
export function encodeRecord(
  version: StoredVersion,
  parts: readonly StoredPart[] | undefined,
  inlineBody: Buffer | undefined,
): Buffer[] {
  const partsLine = parts && encodeLine(parts.map(rowOf));
  const current = {
    ...version,
    ...(partsLine ? { partsLineBytes: partsLine.length } : {}),
    ...(inlineBody ? { bodyCrc32: crc32(inlineBody) } : {}),
  };
  const record: RootRecord = { layout: recordLayout, current };
  return [encodeLine(record), ...(partsLine ? [partsLine] : []), ...(inlineBody ? [inlineBody] : [])];
}

export interface LoadedRecord {
  readonly current: StoredVersion;
  /** Only if asked for, and of an object made of parts. */
  readonly parts?: readonly StoredPart[];
  /** Only if asked for, and inline. */
  readonly inlineBody?: Buffer;
}

/** What lies in a record's place is no whole record; nothing is known of the version that it was of. */
export class DamagedRecordError extends FileSystemError {
  override name = 'DamagedRecordError';
  readonly path: string;

  constructor(path: string, cause?: unknown) {
    super('EIO', `the record ${path} is damaged`, { cause });
    this.path = path;
  }
}

/**
 * Undefined where there is no record, also for want of the folder that it would be in. Reads no more of the file than is asked for, and gives nothing whose checksum does not hold.
 * Rejects with `DamagedRecordError`, also where something that is no file lies in the record's place.
 */
export async function loadRecord(
  fs: FileSystem,
  path: string,
  want: { readonly parts?: boolean; readonly inlineBody?: boolean } = {},
): Promise<LoadedRecord | undefined> {
  let file: OpenFile;
  try {
    file = await fs.openForReading(path, 'read');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw damageOrElse(error, path);
  }
  try {
    return await readRecord(file, path, want);
  } catch (error) {
    throw damageOrElse(error, path);
  } finally {
    await file.close();
  }
}

async function readRecord(
  file: OpenFile,
  path: string,
  want: { readonly parts?: boolean; readonly inlineBody?: boolean },
): Promise<LoadedRecord> {
  let wantedBytes = want.inlineBody ? inlineLimitBytes + firstReadBytes : firstReadBytes;
  let found = await readMore(file, Buffer.alloc(0), wantedBytes);
  let lineEnd = found.indexOf(0x0a);
  while (lineEnd < 0) {
    // A file that ends before its first line does, or never ends it.
    if (found.length < wantedBytes || wantedBytes > lineLimitBytes) throw new DamagedRecordError(path);
    wantedBytes *= 2;
    found = await readMore(file, found, wantedBytes);
    lineEnd = found.indexOf(0x0a);
  }
  const { layout, current } = decodeLine(found.subarray(0, lineEnd), path) as RootRecord;
  if (layout !== recordLayout) throw new DamagedRecordError(path);
  const bodyStart = lineEnd + 1 + (current.partsLineBytes ?? 0);
  if (want.inlineBody && current.body === 'inline') {
    const end = bodyStart + current.sizeBytes;
    found = await readMore(file, found, end);
    const inlineBody = found.subarray(bodyStart, end);
    if (found.length < end || crc32(inlineBody) !== current.bodyCrc32) throw new DamagedRecordError(path);
    return { current, inlineBody };
  }
  if (want.parts && current.partsLineBytes !== undefined) {
    found = await readMore(file, found, bodyStart);
    // Without its newline.
    const rows = decodeLine(found.subarray(lineEnd + 1, bodyStart - 1), path) as PartRow[];
    return { current, parts: rows.map(partOf) };
  }
  return { current };
}

/** What the layers above see of a stored version. */
export function metaOf({ current, parts }: LoadedRecord): ObjectMeta {
  const {
    body: _body,
    uploadId: _uploadId,
    order: _order,
    partsLineBytes: _bytes,
    bodyCrc32: _crc32,
    tags,
    ...kept
  } = current;
  const meta = { ...kept, ...tagCountOf(tags), generationSettled: true };
  if (!parts) return meta;
  return { ...meta, parts: parts.map(({ file: _file, ...part }) => part) };
}

/** A delete marker, but for its time. */
export function markerOf(generation: string): Omit<StoredVersion, 'lastModifiedMs'> {
  return {
    deleteMarker: true,
    body: 'inline',
    generation,
    sizeBytes: 0,
    etag: '',
    headers: {},
    userMetadata: {},
  };
}

/** Of a large file, its first `sizeBytes`; fewer only where the file ends. */
async function readMore(file: OpenFile, found: Buffer, sizeBytes: number): Promise<Buffer> {
  if (found.length >= sizeBytes) return found;
  const rest = Buffer.allocUnsafeSlow(sizeBytes - found.length);
  const more = rest.subarray(0, await file.read(rest, found.length));
  return found.length === 0 ? more : Buffer.concat([found, more]);
}

/** A part in the list of parts: names would be repeated 10,000 times. */
type PartRow = readonly [partNumber: number, sizeBytes: number, file: string, ObjectPart['checksums']?];

function rowOf({ partNumber, sizeBytes, file, checksums }: StoredPart): PartRow {
  return checksums ? [partNumber, sizeBytes, file, checksums] : [partNumber, sizeBytes, file];
}

function partOf([partNumber, sizeBytes, file, checksums]: PartRow): StoredPart {
  return { partNumber, sizeBytes, file, ...(checksums ? { checksums } : {}) };
}

function encodeLine(value: unknown): Buffer {
  const json = JSON.stringify(value);
  return Buffer.from(`${checksumOf(Buffer.from(json))} ${json}\n`);
}

/** `line` is without its newline. */
function decodeLine(line: Buffer, path: string): unknown {
  const json = line.subarray(9);
  const isWhole = line[8] === 0x20 && line.toString('latin1', 0, 8) === checksumOf(json);
  if (!isWhole) throw new DamagedRecordError(path);
  return JSON.parse(json.toString());
}

function checksumOf(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

/** A directory, a device or an unreadable sector is damage; that the process has no file descriptor or right left is not. */
function damageOrElse(error: unknown, path: string): unknown {
  if (error instanceof DamagedRecordError) return error;
  const isDamage = isErrno(error, 'EIO', 'EISDIR', 'ELOOP', 'ENXIO', 'ESPIPE', 'EINVAL');
  return isDamage ? new DamagedRecordError(path, error) : error;
}
