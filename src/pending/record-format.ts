import { crc32c } from '@node-rs/crc32';
import { markerBytes } from './segment-names.ts';

/**
 * A segment is a file of records, which is only ever appended to, by the process that made it. A record is
 *
 *     frame · body · the same frame once more
 *     frame: marker (8 bytes, chance) · copy (0 or 1) · record number · records known to be durable · length of head · length of body ·
 *            CRC-32C of the body · CRC-32C of all this behind the marker and the head · head as JSON
 *
 * Numbers are little-endian u32, record numbers count from 0 without gaps. Since the frame is there twice, damage of one place never hides
 * what was recorded: at most its body is lost, and it is known whose. A body never holds the marker, which nobody outside is told.
 */
const fixedBytes = markerBytes + 28;

/** A record as it is to be written. */
export interface NewRecord {
  readonly head: object;
  readonly body?: Buffer;
}

/** A record as it was found; the body is read apart. */
export interface FoundRecord {
  readonly number: number;
  readonly head: unknown;
  readonly body: BodyPlace;
  /** Its body is as it was written. */
  readonly isWhole: boolean;
}

/** Where in its segment a body lies. */
export interface BodyPlace {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc32c: number;
}

export interface FoundRecords {
  /** By number, as far as they are readable. */
  readonly records: ReadonlyMap<number, FoundRecord>;
  /** One more than the greatest number that was found. */
  readonly end: number;
  /** The first so many were durable for sure when something behind them was written. */
  readonly durable: number;
}

export interface EncodedRecord {
  readonly pieces: readonly Buffer[];
  readonly sizeBytes: number;
  readonly body: BodyPlace;
}

/** A record's bytes, for the place `offset` of its segment. */
export function encodeRecord(
  marker: Buffer,
  { head, body }: NewRecord,
  place: { readonly number: number; readonly durable: number; readonly offset: number },
): EncodedRecord {
  const json = JSON.stringify(head);
  const jsonBytes = Buffer.byteLength(json);
  const frameBytes = fixedBytes + jsonBytes;
  const bodyBytes = body?.length ?? 0;
  const bodyCrc = body ? crc32c(body) : 0;
  const frames = Buffer.allocUnsafe(2 * frameBytes);
  frames.write(json, fixedBytes);
  frames.copy(frames, frameBytes + fixedBytes, fixedBytes, frameBytes);
  for (const copy of [0, 1]) {
    const frame = frames.subarray(copy * frameBytes, (copy + 1) * frameBytes);
    marker.copy(frame);
    let at = markerBytes;
    for (const value of [copy, place.number, place.durable, jsonBytes, bodyBytes, bodyCrc]) {
      at = frame.writeUInt32LE(value, at);
    }
    frame.writeUInt32LE(checksumOf(frame), at);
  }
  const [first, second] = [frames.subarray(0, frameBytes), frames.subarray(frameBytes)];
  return {
    pieces: body && bodyBytes > 0 ? [first, body, second] : [frames],
    sizeBytes: frames.length + bodyBytes,
    body: { offset: place.offset + frameBytes, sizeBytes: bodyBytes, crc32c: bodyCrc },
  };
}

/** Every record of a segment of which one frame at least is whole. */
export function findRecords(bytes: Buffer, marker: Buffer): FoundRecords {
  const records = new Map<number, FoundRecord>();
  let end = 0;
  let durable = 0;
  let at = bytes.indexOf(marker);
  while (at >= 0) {
    const frame = frameAt(bytes, at);
    if (frame) {
      const { number } = frame.record;
      if (!records.has(number)) records.set(number, frame.record);
      end = Math.max(end, number + 1);
      durable = Math.max(durable, frame.durable);
    }
    at = bytes.indexOf(marker, at + (frame ? frame.sizeBytes : 1));
  }
  return { records, end, durable };
}

/** Whether bytes are the body that was written. */
export function isBody(bytes: Buffer, { sizeBytes, crc32c: expected }: BodyPlace): boolean {
  return bytes.length === sizeBytes && (sizeBytes === 0 || crc32c(bytes) === expected);
}

function frameAt(bytes: Buffer, at: number) {
  if (at + fixedBytes > bytes.length) return undefined;
  const field = (index: number) => bytes.readUInt32LE(at + markerBytes + 4 * index);
  const [copy, number, durable, headBytes, bodyBytes, bodyCrc] = [0, 1, 2, 3, 4, 5].map(field) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const sizeBytes = fixedBytes + headBytes;
  if (at + sizeBytes > bytes.length) return undefined;
  const frame = bytes.subarray(at, at + sizeBytes);
  if (frame.readUInt32LE(fixedBytes - 4) !== checksumOf(frame)) return undefined;
  const head: unknown = JSON.parse(frame.toString('utf8', fixedBytes));
  const offset = copy === 0 ? at + sizeBytes : at - bodyBytes;
  const body = { offset, sizeBytes: bodyBytes, crc32c: bodyCrc };
  const isWhole = offset >= 0 && isBody(bytes.subarray(offset, offset + bodyBytes), body);
  return { record: { number, head, body, isWhole }, durable, sizeBytes };
}

/** Of a frame, all but its marker and this checksum itself. */
function checksumOf(frame: Buffer): number {
  const fields = crc32c(frame.subarray(markerBytes, fixedBytes - 4));
  return crc32c(frame.subarray(fixedBytes), fields);
}
