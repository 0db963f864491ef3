import type { ObjectMeta, ObjectPart } from '../common/object-meta.ts';
import { type FileSystem, FileSystemError, isErrno, type OpenFile } from './file-system.ts';

/**
 * A record file: one line of JSON; then, of an object made of parts, a line of JSON that lists them; then the body, if it is inline.
 * The commit of any change is the rename of a record file into place.
 */
export interface RootRecord {
  /** Raised when an older program could not read the record rightly. */
  readonly layout: 1;
  readonly current: StoredVersion;
}

/** A version's metadata as stored; `generation` is new for each version, for ever. */
export interface StoredVersion extends Omit<ObjectMeta, 'parts' | 'generationSettled'> {
  /** In the record itself; in a file beside it; or in the directory of the upload `uploadId`. */
  readonly body: 'inline' | 'file' | 'parts';
  readonly uploadId?: string;
  /** Length of the line that lists the parts, newline included. */
  readonly partsLineBytes?: number;
}

/** A part of a multipart object; `file` is its name in the upload's directory. */
export interface StoredPart extends ObjectPart {
  readonly file: string;
}

/** Bodies up to this size lie in the record. */
export const inlineLimitBytes = 64 * 1024;

/** Nearly every record's first line fits, with an inline body of a few hundred bytes. */
const firstReadBytes = 4096;
/** 10,000 parts with every checksum take less than 3 MiB. */
const lineLimitBytes = 8 * 1024 * 1024;

export function encodeRecord(current: StoredVersion, parts: readonly StoredPart[] | undefined): Buffer {
  if (!parts) return Buffer.from(`${JSON.stringify({ layout: 1, current })}\n`);
  const rows = parts.map(({ partNumber, sizeBytes, file, checksums }) => [
    partNumber,
    sizeBytes,
    file,
    ...(checksums ? [checksums] : []),
  ]);
  const partsLine = Buffer.from(`${JSON.stringify(rows)}\n`);
  const record: RootRecord = { layout: 1, current: { ...current, partsLineBytes: partsLine.length } };
  return Buffer.concat([Buffer.from(`${JSON.stringify(record)}\n`), partsLine]);
}

export interface LoadedRecord {
  readonly current: StoredVersion;
  /** Only if asked for, and of an object made of parts. */
  readonly parts?: readonly StoredPart[];
  /** Only if asked for, and inline. */
  readonly inlineBody?: Buffer;
}

/** Undefined where there is no record. Reads no more of the file than is asked for. */
export async function loadRecord(
  fs: FileSystem,
  path: string,
  want: { readonly parts?: boolean; readonly inlineBody?: boolean } = {},
): Promise<LoadedRecord | undefined> {
  let file: OpenFile;
  try {
    file = await fs.openForReading(path, 'read');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const firstSize = want.inlineBody ? inlineLimitBytes + firstReadBytes : firstReadBytes;
    const bytes = Buffer.allocUnsafeSlow(firstSize);
    let found: Buffer = bytes.subarray(0, await file.read(bytes, 0));
    let lineEnd = found.indexOf(0x0a);
    while (lineEnd < 0) {
      if (found.length < firstSize || found.length > lineLimitBytes) throw damaged(path);
      found = await readMore(file, found, found.length * 2);
      lineEnd = found.indexOf(0x0a);
    }
    const { current } = parse(found.subarray(0, lineEnd), path) as RootRecord;
    const bodyStart = lineEnd + 1 + (current.partsLineBytes ?? 0);
    if (want.inlineBody && current.body === 'inline') {
      const end = bodyStart + current.sizeBytes;
      if (found.length < end) found = await readMore(file, found, end);
      if (found.length < end) throw damaged(path);
      return { current, inlineBody: found.subarray(bodyStart, end) };
    }
    if (want.parts && current.partsLineBytes !== undefined) {
      if (found.length < bodyStart) found = await readMore(file, found, bodyStart);
      return { current, parts: parseParts(found.subarray(lineEnd + 1, bodyStart), path) };
    }
    return { current };
  } finally {
    await file.close();
  }
}

/** What the layers above see of a stored version. */
export function metaOf({ current, parts }: LoadedRecord): ObjectMeta {
  const { body: _body, uploadId: _uploadId, partsLineBytes: _bytes, ...meta } = current;
  if (!parts) return { ...meta, generationSettled: true };
  return { ...meta, generationSettled: true, parts: parts.map(({ file: _file, ...part }) => part) };
}

async function readMore(file: OpenFile, found: Buffer, sizeBytes: number): Promise<Buffer> {
  const rest = Buffer.allocUnsafeSlow(sizeBytes - found.length);
  const count = await file.read(rest, found.length);
  return Buffer.concat([found, rest.subarray(0, count)]);
}

function parseParts(line: Buffer, path: string): StoredPart[] {
  const rows = parse(line, path) as [number, number, string, ObjectPart['checksums']?][];
  return rows.map(([partNumber, sizeBytes, file, checksums]) => ({
    partNumber,
    sizeBytes,
    file,
    ...(checksums ? { checksums } : {}),
  }));
}

function parse(line: Buffer, path: string): unknown {
  try {
    return JSON.parse(line.toString());
  } catch (error) {
    throw damaged(path, error);
  }
}

function damaged(path: string, cause?: unknown): FileSystemError {
  return new FileSystemError('EIO', `the record ${path} is damaged`, { cause });
}
