import type { ChecksumAlgorithm, ChecksumType, ObjectMeta, Tag } from '../common/object-meta.ts';
import type { UploadedPart, WriteCondition } from '../ufs/backend.ts';

/** Epoch and sequence of a change; the origin is the journal's. */
export type StampPair = readonly [epoch: number, sequence: number];

/** A change that was acknowledged, or is about to be. Its inline body is the record's. */
export interface ChangeHead {
  /** `through`: the storage's own to decide, so that nothing but this is recorded of it, as long as it may be on its way. */
  readonly type: 'put' | 'delete' | 'through';
  /** Names the place at a storage that the keys belong to. */
  readonly chain: string;
  readonly key: string;
  readonly stamp: StampPair;
  readonly atMs: number;
  /** Of a put. The generation is not in it. */
  readonly meta?: Omit<ObjectMeta, 'generation' | 'generationSettled'>;
  readonly tags?: readonly Tag[];
  /** Name of the file that holds the body; otherwise the record does, unless it came in parts. */
  readonly file?: string;
  /** Of a put that came in parts, whose bytes lie in a file each, or all in `file`. */
  readonly upload?: CompletedUpload;
  /** Written again since its segment goes, and its bytes could not be read any more. */
  readonly damaged?: true;
  /** Written again since its segment goes: what was recorded of attempts. */
  readonly sent?: SentCondition;
}

/** A part of an upload, and the name of the file that holds its bytes. */
export interface HeldPart extends UploadedPart {
  readonly file: string;
}

/** A part of an object; without a file of its own where one file holds the whole. */
export type CompletedPart = UploadedPart & Partial<Pick<HeldPart, 'file'>>;

export interface CompletedUpload {
  readonly id: string;
  /** As its creator said. */
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
  /** Those that the object is made of, in order. */
  readonly parts: readonly CompletedPart[];
}

/** Names of the files that hold a change's bytes. */
export function filesOf({ file, upload }: Pick<ChangeHead, 'file' | 'upload'>): readonly string[] {
  return file === undefined ? (upload?.parts ?? []).flatMap((part) => part.file ?? []) : [file];
}

/** What an attempt replaces: nothing is said where it may replace anything. */
export type SentCondition = WriteCondition | 'anything';

/** An attempt to persist a change goes out. */
export interface SentHead {
  readonly type: 'sent';
  readonly stamp: StampPair;
  readonly condition: SentCondition;
}

/** Nothing is left to be done about a change, and about the earlier ones of its key. */
export interface DoneHead {
  readonly type: 'done';
  readonly stamp: StampPair;
}

/** A change that was never sent, whose place a later one took. Nothing is said of the earlier ones of its key. */
export interface OverHead {
  readonly type: 'over';
  readonly stamp: StampPair;
}

/** A segment of which nothing is needed any more. */
export interface DropHead {
  readonly type: 'drop';
  readonly segment: number;
}

/** The first record of each segment. */
export interface BeginHead {
  readonly type: 'begin';
  readonly origin: string;
  readonly epoch: number;
  /** The segments before that are still needed. Of each the first so many records count: no fewer are taken for whole, and no more are heard. */
  readonly earlier: readonly (readonly [segment: number, count: number])[];
  /** Records that cannot be read, whose loss an operator has accepted. */
  readonly accepted: readonly LostRecord[];
}

export type LostRecord = readonly [segment: number, number: number];

/** Says nothing but what is durable before it. */
export interface MarkHead {
  readonly type: 'mark';
}

export type RecordHead = ChangeHead | SentHead | DoneHead | OverHead | DropHead | BeginHead | MarkHead;
