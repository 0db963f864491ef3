import { join } from 'node:path';
import { type FileSystem, type OpenFile, removeQuietly } from '../ufs/file-system.ts';
import { type BodyPlace, type FoundRecords, findRecords } from './record-format.ts';
import type { BeginHead, ChangeHead, LostRecord, RecordHead, SentCondition, StampPair } from './records.ts';
import { parseSegmentName } from './segment-names.ts';
import type { SealedSegment } from './segment-writer.ts';

/** A change about which something is left to be done. */
export interface RecoveredChange {
  readonly change: ChangeHead;
  readonly segment: number;
  readonly body: BodyPlace;
  /** False where its record's body was damaged. */
  readonly isWhole: boolean;
  /** What an attempt of it may have replaced, or may still. */
  readonly sent?: SentCondition;
}

export interface Recovered {
  /** Absent where nothing was ever written. */
  readonly origin?: string;
  /** The greatest of all so far. */
  readonly epoch: number;
  readonly nextNumber: number;
  /** Kept open for what is read from them. */
  readonly segments: readonly SealedSegment[];
  /** In order of acknowledgement. */
  readonly changes: readonly RecoveredChange[];
  /** What may still be on its way to its storage, and is nobody's to bring there. */
  readonly throughs: readonly RecoveredChange[];
  /** Changes that are over, and whose records lie behind all that says so: it may be forgotten before they are. */
  readonly outlasting: readonly StampPair[];
  /** Records that were durable and cannot be read; number -1 is a whole segment. */
  readonly lost: readonly LostRecord[];
  readonly accepted: readonly LostRecord[];
}

interface Segment {
  readonly number: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly found: FoundRecords;
  readonly file: OpenFile;
}

/** Larger than any segment. */
const maxSegmentBytes = 2 ** 31 - 1;

/**
 * Reads what the segments in a directory say. What the power cut off behind the last sync does not count; what was durable and cannot be
 * read is told as lost. Removes segments that do not count. Rejects with `FileSystemError`.
 */
export async function recover(fs: FileSystem, directory: string): Promise<Recovered> {
  const segments = await readSegments(fs, directory);
  const base = segments.findLast(({ found }) => beginOf(found) !== undefined);
  const begin = base && (beginOf(base.found) as BeginHead);
  const counts = countsOf(segments, base, begin);
  const heads = headsOf(segments, counts);
  const dropped = new Set(heads.flatMap(({ head }) => (head.type === 'drop' ? [head.segment] : [])));
  const kept: SealedSegment[] = [];
  for (const { number, name, file, sizeBytes } of segments) {
    const count = dropped.has(number) ? undefined : counts.get(number);
    if (count !== undefined) {
      // It may have been read from memory that the disk does not have yet, and is going to be acted on.
      await file.sync();
      kept.push({ number, name, count, sizeBytes, file });
      continue;
    }
    await file.close();
    await removeQuietly(fs, join(directory, name));
  }
  await fs.syncDirectory(directory);
  const accepted = begin?.accepted ?? [];
  const lost = lostOf(segments, counts, dropped).filter(
    ([segment, number]) => !accepted.some((one) => one[0] === segment && one[1] === number),
  );
  return {
    ...(begin ? { origin: begin.origin } : {}),
    epoch: Math.max(0, ...segments.map(({ found }) => beginOf(found)?.epoch ?? 0)),
    nextNumber: Math.max(0, ...segments.map(({ number }) => number)) + 1,
    segments: kept,
    ...changesOf(heads.filter(({ segment }) => !dropped.has(segment))),
    lost,
    accepted,
  };
}

async function readSegments(fs: FileSystem, directory: string): Promise<Segment[]> {
  const names = (await fs.readDirectory(directory))
    .flatMap((name) => ({ name, ...parseSegmentName(name) }))
    .filter(({ marker }) => marker !== undefined)
    .sort((a, b) => (a.number as number) - (b.number as number));
  const segments: Segment[] = [];
  for (const { name, number, marker } of names) {
    const file = await fs.openForReading(join(directory, name), 'read');
    const { sizeBytes } = await file.status();
    const bytes = Buffer.allocUnsafeSlow(Math.min(sizeBytes, maxSegmentBytes));
    const count = await file.read(bytes, 0);
    const found = findRecords(bytes.subarray(0, count), marker as Buffer);
    segments.push({ number: number as number, name, sizeBytes, found, file });
  }
  return segments;
}

function beginOf({ records }: FoundRecords): BeginHead | undefined {
  const head = records.get(0)?.head as RecordHead | undefined;
  return head?.type === 'begin' ? head : undefined;
}

/** How many records of each segment count. A segment that is not in it does not count. */
function countsOf(
  segments: readonly Segment[],
  base: Segment | undefined,
  begin: BeginHead | undefined,
): Map<number, number> {
  const counts = new Map<number, number>(begin?.earlier ?? []);
  for (const { number, found } of segments) {
    if (base && number < base.number) continue;
    // Without its first record a segment that something was durable of is damaged; any other was never begun.
    if (number === base?.number || found.durable > 0) counts.set(number, countOf(found));
  }
  return counts;
}

/** Up to the first that the power cut off. */
function countOf({ records, end, durable }: FoundRecords): number {
  let count = durable;
  while (count < end && records.get(count)?.isWhole) count++;
  return count;
}

interface Head {
  readonly segment: number;
  readonly head: RecordHead;
  readonly body: BodyPlace;
  readonly isWhole: boolean;
}

function headsOf(segments: readonly Segment[], counts: ReadonlyMap<number, number>): Head[] {
  const heads: Head[] = [];
  for (const { number: segment, found } of segments) {
    const count = counts.get(segment) ?? 0;
    for (let number = 0; number < count; number++) {
      const record = found.records.get(number);
      if (record) heads.push({ ...record, segment, head: record.head as RecordHead });
    }
  }
  return heads;
}

function lostOf(
  segments: readonly Segment[],
  counts: ReadonlyMap<number, number>,
  dropped: ReadonlySet<number>,
): LostRecord[] {
  const byNumber = new Map(segments.map((segment) => [segment.number, segment.found]));
  const lost: LostRecord[] = [];
  for (const [segment, count] of counts) {
    if (dropped.has(segment)) continue;
    const found = byNumber.get(segment);
    if (!found) lost.push([segment, -1]);
    for (let number = 0; found && number < count; number++) {
      if (!found.records.has(number)) lost.push([segment, number]);
    }
  }
  return lost;
}

/**
 * The changes that something is left to be done about. Whatever came before a change of its key that is done is done too; and so is
 * what came before any other change of its key and was never sent.
 */
function changesOf(heads: readonly Head[]): Pick<Recovered, 'changes' | 'throughs' | 'outlasting'> {
  const changes = new Map<string, RecoveredChange>();
  const done = new Set<string>();
  const over = new Set<string>();
  const sent = new Map<string, SentCondition>();
  for (const { head, segment, body, isWhole } of heads) {
    if (head.type === 'done') done.add(nameOf(head.stamp));
    if (head.type === 'over') over.add(nameOf(head.stamp));
    if (head.type === 'sent') sent.set(nameOf(head.stamp), head.condition);
    if (head.type !== 'put' && head.type !== 'delete' && head.type !== 'through') continue;
    const { sent: before, ...change } = head;
    if (before !== undefined && !sent.has(nameOf(head.stamp))) sent.set(nameOf(head.stamp), before);
    changes.set(nameOf(head.stamp), { change, segment, body, isWhole });
  }
  const byKey = new Map<string, RecoveredChange[]>();
  const throughs: RecoveredChange[] = [];
  for (const one of changes.values()) {
    if (one.change.type === 'through') {
      if (!over.has(nameOf(one.change.stamp))) throughs.push(one);
      continue;
    }
    const name = JSON.stringify([one.change.chain, one.change.key]);
    byKey.set(name, [...(byKey.get(name) ?? []), one]);
  }
  const left: RecoveredChange[] = [];
  const outlasting: StampPair[] = [];
  for (const chain of byKey.values()) {
    chain.sort(inOrder);
    const behind = chain.findLastIndex(({ change }) => done.has(nameOf(change.stamp)));
    for (const [index, one] of chain.entries()) {
      if (over.has(nameOf(one.change.stamp))) continue;
      const condition = sent.get(nameOf(one.change.stamp));
      if (index <= behind || (condition === undefined && index < chain.length - 1)) {
        const isShort = chain.slice(index + 1).some(({ segment }) => segment >= one.segment);
        if (index !== behind && !isShort) outlasting.push(one.change.stamp);
        continue;
      }
      left.push(condition === undefined ? one : { ...one, sent: condition });
    }
  }
  return { changes: left.sort(inOrder), throughs, outlasting };
}

function inOrder(a: RecoveredChange, b: RecoveredChange): number {
  const [x, y] = [a.change.stamp, b.change.stamp];
  return x[0] - y[0] || x[1] - y[1];
}

function nameOf([epoch, sequence]: StampPair): string {
  return `${epoch}.${sequence}`;
}
