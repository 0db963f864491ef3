import type { Clock } from '../common/clock.ts';
import { nothing } from '../common/nothing.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Backend, WriteCondition } from '../ufs/backend.ts';
import { orAbsent, UfsError } from '../ufs/errors.ts';
import { PlainBody } from '../ufs/plain-body.ts';
import type { Journal } from './journal.ts';
import type { PendingEntry } from './pending-entry.ts';
import { sendParts } from './send-parts.ts';
import { compareStamps, formatNote, parseNote } from './stamp.ts';

/** How an attempt ended that did not fail. */
export type AttemptResult =
  /** The storage has it. */
  | { readonly result: 'persisted'; readonly meta: ObjectMeta | undefined }
  /** The storage has something later of ours. */
  | { readonly result: 'overtaken' }
  /** A later change of the key took its place before anything was sent. */
  | { readonly result: 'superseded' }
  /** Another change came between look and write: nothing was changed. */
  | { readonly result: 'again' }
  /** Somebody else changed the object after an attempt of this change went out. */
  | { readonly result: 'conflict'; readonly present: ObjectMeta | undefined };

/** What is known of a change's attempts in this process. */
export interface Attempts {
  /** How many went out. */
  count: number;
  /** Until when, on the monotonic clock, one without an answer may still take effect. */
  lurkingUntilMs: number;
  /** When the storage was last asked what it has, on the monotonic clock. */
  lookedMs: number;
}

export interface AttemptSettings {
  /** How long after it failed an attempt without an answer may still take effect. */
  readonly settleMs: number;
  /** What somebody else wrote meanwhile is overwritten. */
  readonly overwrites: boolean;
  /** Whether attempts may go out at this moment; undefined: always. */
  readonly mayAttempt?: () => boolean;
}

/**
 * Tries once to bring a change to its storage: it replaces what is there when it looks, and nothing else (consistency rule 15). What was
 * sent before is resolved by the stamp that lies there. `unsettledUntilMs`: what came there before that, and has none, may be an earlier change of
 * our own; on the monotonic clock. Rejects with what the storage rejects with; then another attempt is due.
 */
export async function attempt(
  clock: Clock,
  journal: Journal,
  inner: Backend,
  entry: PendingEntry,
  attempts: Attempts,
  settings: AttemptSettings,
  unsettledUntilMs: () => number,
): Promise<AttemptResult> {
  const lookedMs = clock.monotonicMs();
  const present = await orAbsent(inner.head(entry.key));
  const mayBeOurs = unsettledUntilMs() > attempts.lookedMs;
  attempts.lookedMs = lookedMs;
  const verdict = judge(entry, present, settings.overwrites || mayBeOurs);
  if (verdict.result !== 'send') {
    // The one that went out is the one that is there: nothing of it is under way any more.
    if (verdict.result === 'persisted' && attempts.count === 1 && !entry.wasSentBefore)
      attempts.lurkingUntilMs = 0;
    return verdict;
  }
  // Between this look and the note that it is sent nothing else runs.
  if (entry.isOver) return { result: 'superseded' };
  await journal.sent(entry, verdict.condition);
  const check = () => {
    if (settings.mayAttempt?.() !== false) return;
    throw new UfsError('unavailable', 'others may bring it to the storage by now', { backend: inner.uri });
  };
  check();
  attempts.count++;
  try {
    return { result: 'persisted', meta: await send(journal, inner, entry, verdict.condition, check) };
  } catch (error) {
    if (error instanceof UfsError && !error.unresolved) {
      const isOvertaken = ['precondition-failed', 'conflict', 'not-found'].includes(error.kind);
      if (isOvertaken) return { result: 'again' };
    } else {
      attempts.lurkingUntilMs = clock.monotonicMs() + settings.settleMs;
    }
    throw error;
  }
}

function judge(
  entry: PendingEntry,
  present: ObjectMeta | undefined,
  overwrites: boolean,
):
  | Exclude<AttemptResult, { result: 'again' }>
  | { readonly result: 'send'; readonly condition: WriteCondition } {
  const { type } = entry.change;
  if (!present && type === 'delete') return { result: 'persisted', meta: undefined };
  const note = parseNote(entry.key, present?.stamp);
  const order = note && note.etag === present?.etag ? compareStamps(note.stamp, entry.stamp) : undefined;
  if (order === 0) return { result: 'persisted', meta: present };
  if (order !== undefined && order > 0) return { result: 'overtaken' };
  const condition: WriteCondition = present ? { ifMatch: present.etag } : { ifNoneMatch: '*' };
  const isOurs = order !== undefined;
  const isExpected = entry.sent === undefined || isOurs || isSame(entry.sent, condition);
  if (!isExpected && !overwrites) return { result: 'conflict', present };
  return { result: 'send', condition };
}

function isSame(sent: PendingEntry['sent'], condition: WriteCondition): boolean {
  if (sent === undefined || sent === 'anything') return true;
  if ('ifNoneMatch' in sent) return 'ifNoneMatch' in condition;
  return 'ifMatch' in condition && condition.ifMatch === sent.ifMatch;
}

async function send(
  journal: Journal,
  inner: Backend,
  entry: PendingEntry,
  condition: WriteCondition,
  check: () => void,
): Promise<ObjectMeta | undefined> {
  const { change, key, stamp } = entry;
  const { meta, tags } = change;
  if (!meta) {
    await inner.delete(key, { condition });
    return undefined;
  }
  const { sizeBytes, headers, userMetadata, storageClass, access, etag, lastModifiedMs, checksums } = meta;
  const note = formatNote(key, { stamp, etag, lastModifiedMs });
  const release = journal.hold(entry);
  try {
    if (change.upload) return await sendParts(journal, inner, entry, change.upload, note, condition, check);
    const bytes = journal.read(entry, { start: 0, end: sizeBytes }, check);
    const body = new PlainBody(sizeBytes === 0 ? nothing() : bytes, sizeBytes);
    const [algorithm] = Object.keys(checksums ?? {}) as (keyof NonNullable<typeof checksums>)[];
    if (algorithm) body.need(algorithm);
    return await inner.put(key, body, {
      headers,
      userMetadata,
      storageClass,
      tags,
      access,
      condition,
      stamp: note,
    });
  } finally {
    release();
  }
}
