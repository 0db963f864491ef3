import { endianness } from 'node:os';
import { crc32 } from '@node-rs/crc32';
import type { Queue } from '../admission.ts';
import type { PageHash } from './page-hash.ts';
import { markerBytes } from './record-format.ts';

/**
 * A region's file begins with 64 bytes: 'FBREGION' · version · number · marker (8 bytes) · queue · zeros · CRC-32 of all before.
 * Records follow, one behind the other. Numbers are little-endian u32.
 */
export interface RegionHeader {
  readonly region: number;
  readonly marker: Buffer;
  readonly queue: Queue;
}

export const regionHeaderBytes = 64;
const regionMagic = Buffer.from('FBREGION');
const regionVersion = 1;

export function encodeRegionHeader({ region, marker, queue }: RegionHeader): Buffer {
  const header = Buffer.alloc(regionHeaderBytes);
  regionMagic.copy(header);
  header.writeUInt32LE(regionVersion, 8);
  header.writeUInt32LE(region, 12);
  marker.copy(header, 16);
  header.writeUInt32LE(queue === 'main' ? 1 : 0, 24);
  header.writeUInt32LE(crc32(header.subarray(0, -4)), regionHeaderBytes - 4);
  return header;
}

/** The header of that region; undefined if this is not one, or not whole and unharmed. */
export function decodeRegionHeader(header: Buffer, region: number): RegionHeader | undefined {
  if (header.length < regionHeaderBytes || !header.subarray(0, 8).equals(regionMagic)) return undefined;
  if (crc32(header.subarray(0, regionHeaderBytes - 4)) !== header.readUInt32LE(regionHeaderBytes - 4))
    return undefined;
  if (header.readUInt32LE(8) !== regionVersion || header.readUInt32LE(12) !== region) return undefined;
  const marker = Buffer.from(header.subarray(16, 16 + markerBytes));
  return { region, marker, queue: header.readUInt32LE(24) === 1 ? 'main' : 'small' };
}

/** What an index says of one record. */
export interface IndexRow {
  readonly hash: PageHash;
  readonly path32: number;
  readonly incarnation: string;
  readonly folder: string;
  readonly offset: number;
  readonly headerBytes: number;
  readonly pageBytes: number;
  readonly filledSeconds: number;
}

const indexMagic = Buffer.from('FBINDEX2');
const indexHeadBytes = 32 + 4;
export const indexRowBytes = 40;

/** Bytes of an index besides its rows, if the folders named in it take so many characters. */
export function indexOverheadBytes(folderBytes: number): number {
  return indexHeadBytes + 4 + folderBytes;
}

/**
 * The index of a region that is not written to any more, in a file beside it: it only saves reading the region's headers at the next
 * start. Numbers are little-endian u32:
 *
 *     'FBINDEX2' · number · marker (8 bytes) · bytes of the region's file · rows · length of the folders
 *     rows of 40 bytes: hash (16) · path's hash · folder's place in the list · offset · page length · header length / 8 · filled (s)
 *     folders, each with its incarnation (JSON, UTF-8) · CRC-32 of all before
 *
 * It is made row by row, since a region of small pages has tens of thousands.
 */
export class RegionIndexRows {
  private readonly bytes: Buffer;
  private readonly places = new Map<string, number>();
  private readonly names: string[] = [];
  private count = 0;

  constructor(mostRows: number) {
    this.bytes = Buffer.allocUnsafeSlow(mostRows * indexRowBytes);
  }

  add(row: IndexRow): void {
    const { bytes } = this;
    let at = this.count++ * indexRowBytes;
    for (let i = 0; i < 4; i++) at = bytes.writeInt32LE(row.hash[i] as number, at);
    at = bytes.writeInt32LE(row.path32, at);
    at = bytes.writeUInt32LE(this.placeOf(folderText(row)), at);
    at = bytes.writeUInt32LE(row.offset, at);
    at = bytes.writeUInt32LE(row.pageBytes, at);
    at = bytes.writeUInt32LE(row.headerBytes / 8, at);
    bytes.writeUInt32LE(row.filledSeconds, at);
  }

  /** The index of the region with this header, whose file is so long. */
  encode({ region, marker }: Pick<RegionHeader, 'region' | 'marker'>, fileBytes: number): Buffer {
    const names = Buffer.from(`[${this.names.join(',')}]`);
    const start = Buffer.alloc(indexHeadBytes);
    indexMagic.copy(start);
    start.writeUInt32LE(region, 8);
    marker.copy(start, 12);
    start.writeUInt32LE(fileBytes, 20);
    start.writeUInt32LE(this.count, 24);
    start.writeUInt32LE(names.length, 28);
    const rows = this.bytes.subarray(0, this.count * indexRowBytes);
    const out = Buffer.concat([start, rows, names, Buffer.alloc(4)]);
    out.writeUInt32LE(crc32(out.subarray(0, -4)), out.length - 4);
    return out;
  }

  private placeOf(text: string): number {
    const known = this.places.get(text);
    if (known !== undefined) return known;
    const place = this.names.push(text) - 1;
    this.places.set(text, place);
    return place;
  }
}

/** How an index names a folder. */
export function folderText({ incarnation, folder }: Pick<IndexRow, 'incarnation' | 'folder'>): string {
  return JSON.stringify([incarnation, folder]);
}

/** An index as it was read. */
export interface ReadIndex {
  readonly rowCount: number;
  row(number: number): IndexRow;
}

/** The index of the region with this header and of this length; undefined if it is not whole, unharmed and of just that file. */
export function decodeRegionIndex(
  bytes: Buffer,
  header: RegionHeader,
  fileBytes: number,
): ReadIndex | undefined {
  if (bytes.length < indexHeadBytes + 4 || !bytes.subarray(0, 8).equals(indexMagic)) return undefined;
  if (crc32(bytes.subarray(0, -4)) !== bytes.readUInt32LE(bytes.length - 4)) return undefined;
  const { region, marker } = header;
  const isOfFile =
    bytes.readUInt32LE(8) === region &&
    bytes.subarray(12, 12 + markerBytes).equals(marker) &&
    bytes.readUInt32LE(20) === fileBytes;
  const rowCount = bytes.readUInt32LE(24);
  const nameBytes = bytes.readUInt32LE(28);
  const namesAt = indexHeadBytes + rowCount * indexRowBytes;
  if (!isOfFile || namesAt + nameBytes + 4 !== bytes.length) return undefined;
  const folders = JSON.parse(bytes.toString('utf8', namesAt, namesAt + nameBytes)) as [string, string][];
  const words = wordsOf(bytes.subarray(indexHeadBytes, namesAt));
  return { rowCount, row: (number) => rowAt(words, (number * indexRowBytes) / 4, folders) };
}

function rowAt(words: Int32Array, at: number, folders: readonly [string, string][]): IndexRow {
  const word = (index: number) => words[at + index] as number;
  const [incarnation, folder] = folders[word(5)] ?? ['', ''];
  return {
    hash: [word(0), word(1), word(2), word(3)],
    path32: word(4),
    incarnation,
    folder,
    offset: word(6) >>> 0,
    pageBytes: word(7),
    headerBytes: word(8) * 8,
    filledSeconds: word(9) >>> 0,
  };
}

/** The rows as words, which are in the order of bytes that the machine has. */
function wordsOf(bytes: Buffer): Int32Array {
  const copy = Buffer.from(Uint8Array.prototype.slice.call(bytes).buffer);
  if (endianness() === 'BE') copy.swap32();
  return new Int32Array(copy.buffer, copy.byteOffset, copy.length / 4);
}
