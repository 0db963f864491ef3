import type { ListPartsPage, UploadInfo } from '../../ufs/backend.ts';
import type { ChangeHead, StampPair } from '../records.ts';

/** What nodes ask each other about pending writes, as JSON, with the operation `pending`. */
export interface Asked {
  readonly op: 'pending';
  /** When it was sent, ms by the sender's monotonic clock. */
  readonly sentMs: number;
}

/** To make an empty copy. */
export interface OpenCopy extends Asked {
  readonly ask: 'open';
  readonly setId: string;
  readonly copyId: string;
}

/** Whether a copy lies on the node, whatever it is; without `copyId` any copy of the set. */
export interface AskHas extends Asked {
  readonly ask: 'has';
  readonly setId: string;
  readonly copyId?: string;
}

/** To a copy. A message with a lower number than one that came before is past. */
interface ToCopy extends Asked {
  readonly copyId: string;
  /** Of the record that the keeper goes by: two numbers, of which the first counts more. */
  readonly number: readonly [generation: number, count: number];
}

/**
 * To have changes, in order, and to let others go. The bodies of changes follow in one message, one behind the other; where `streamed` is
 * set there is one change, whose body follows as such, and behind it a message with its CRC-32 (`BodyEnd`).
 */
export interface ChangeCopy extends ToCopy {
  readonly ask: 'change';
  readonly changes: readonly { readonly head: ChangeHead; readonly bytes: number }[];
  /** These changes, and earlier ones of their keys. */
  readonly released: readonly KeyStamp[];
  readonly streamed?: true;
}

export interface KeyStamp {
  readonly chain: string;
  readonly key: string;
  readonly stamp: StampPair;
  /** A change that went to the storage without being pending: only it is let go. */
  readonly through?: true;
}

export interface BodyEnd {
  readonly crc32: number;
}

/** To a keeper, of all sets that it keeps: the keys that something is pending for or on its way, behind `after`. */
export interface AskKeys extends Asked {
  readonly ask: 'keys';
  readonly after?: PendingKey;
}

export type PendingKey = readonly [chain: string, key: string, setId: string];

export interface KeysAnswer {
  readonly sets: readonly string[];
  /** In order, each of a set but once. */
  readonly keys: readonly PendingKey[];
  readonly isLast: boolean;
}

/** The latest change of a key, when those on their way are through. */
export interface AskNewest extends Asked {
  readonly ask: 'newest';
  readonly chain: string;
  readonly key: string;
}

export interface NewestAnswer {
  readonly sets: readonly string[];
  readonly found?: { readonly head: ChangeHead; readonly setId: string };
  /** Something may be on its way to the storage without being pending. */
  readonly isUnsettled?: boolean;
}

/** The latest change of each key under a prefix, as far as it is listed, behind `after` in UTF-8 byte order. */
export interface AskUnder extends Asked {
  readonly ask: 'under';
  readonly chain: string;
  readonly prefix: string;
  readonly after?: string;
}

export interface UnderAnswer {
  readonly sets: readonly string[];
  readonly heads: readonly ChangeHead[];
  readonly isLast: boolean;
}

/** Bytes of a change that is pending: the answer's body. */
export interface AskBytes extends Asked {
  readonly ask: 'bytes';
  readonly setId: string;
  readonly chain: string;
  readonly key: string;
  readonly stamp: StampPair;
  readonly start: number;
  readonly end: number;
}

/** To bring to the storage what is pending of a key, or under a prefix, as long as the one who asks waits. */
export interface AskFlush extends Asked {
  readonly ask: 'flush';
  readonly chain: string;
  readonly key?: string;
  readonly prefix?: string;
}

/** Whether the node looks for what is pending wherever it reads from a mount, and knows of its write mode. */
export interface AskKnows extends Asked {
  readonly ask: 'knows';
  readonly incarnation: string;
  readonly writeMode?: string;
}

/** How much is pending in the sets that the node keeps. */
export interface AskUsage extends Asked {
  readonly ask: 'usage';
}

export interface UsageAnswer {
  readonly sets: readonly string[];
  readonly places: readonly PlaceUsage[];
}

export interface PlaceUsage {
  readonly name: string;
  readonly entries: number;
  readonly bytes: number;
  readonly oldestMs?: number;
}

/**
 * To the keeper in whose set an upload's parts lie: to tell of its parts, to bring them to the storage and tell the id of the storage's own upload,
 * or to give it up.
 */
export interface AskUpload extends Asked {
  readonly ask: 'upload';
  readonly chain: string;
  readonly key: string;
  readonly uploadId: string;
  readonly act: 'parts' | 'move' | 'abort';
  readonly page?: { readonly afterPartNumber?: number; readonly limit: number };
}

export interface UploadAnswer {
  readonly sets: readonly string[];
  /** Absent where no such upload lies. */
  readonly found?: { readonly movedTo?: string; readonly parts?: ListPartsPage };
}

/** The uploads of a place whose parts lie with the keeper, by id, behind `after`. */
export interface AskUploads extends Asked {
  readonly ask: 'uploads';
  readonly chain: string;
  readonly after?: string;
}

export interface UploadsAnswer {
  readonly sets: readonly string[];
  readonly uploads: readonly UploadUnderWay[];
  readonly isLast: boolean;
}

/** An upload as clients know it, and the storage's own that its parts went to, if they did. */
export interface UploadUnderWay {
  readonly info: UploadInfo;
  readonly movedTo?: string;
}

/** That what is pending under a prefix be forgotten, and is lost. */
export interface AskDiscard extends Asked {
  readonly ask: 'discard';
  readonly chain: string;
}

export type SetQuestion =
  | OpenCopy
  | AskHas
  | ChangeCopy
  | AskKeys
  | AskNewest
  | AskUnder
  | AskBytes
  | AskFlush
  | AskKnows
  | AskUsage
  | AskUpload
  | AskUploads
  | AskDiscard;

/** `refused`: it may not, or cannot, answer this now; why, for the log. `isFenced`: another node keeps the set. */
export type SetAnswer<T> = { readonly ok: T } | { readonly refused: string; readonly isFenced?: boolean };

export function encode(message: unknown): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** What a peer wrote, which has proved that it is one of this cluster's nodes. Throws SyntaxError where it is no JSON. */
export function decode<T>(message: Buffer): T {
  return JSON.parse(message.toString('utf8')) as T;
}

/** Bodies that go along in one message, together at most. */
export const batchBytes = 1024 * 1024;
/** What is said in one message, together at most, unless it is one thing: so much less than peers take as that may be. */
const saidBytes = 1_500_000;

/** How many of these go into one message, the first ones; one at least. */
export function countFitting(all: Iterable<unknown>): number {
  let count = 0;
  let bytes = 0;
  for (const one of all) {
    bytes += Buffer.byteLength(JSON.stringify(one)) + 1;
    if (count > 0 && bytes > saidBytes) break;
    count++;
  }
  return count;
}

/** What there is to be said of a change to who lists. */
export function listedHead({ meta, tags: _, upload: __, ...head }: ChangeHead): ChangeHead {
  if (!meta) return head;
  const { parts: ___, ...about } = meta;
  return { ...head, meta: { ...about, headers: {}, userMetadata: {} } };
}
