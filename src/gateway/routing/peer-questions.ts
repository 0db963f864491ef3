import { type AtOnce, isPending } from '../../common/at-once.ts';
import type { ByteRange } from '../../common/byte-range.ts';
import type { Clock } from '../../common/clock.ts';
import type { ObjectMeta } from '../../common/object-meta.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { Lane, PeerPool } from '../../peers/peer-pool.ts';
import type { Epoch, Ownership, Released, ViewMember } from '../../ring/ownership.ts';
import { OpenedRead } from '../../worker/opened-read.ts';
import type {
  FoundMeta,
  LoadedRange,
  LookUpOptions,
  MetadataTarget,
  Missing,
  ReadTarget,
} from '../../worker/reader.ts';
import { PeerBytes } from './peer-bytes.ts';
import {
  type Answer,
  decode,
  encode,
  type Held,
  type Load,
  type LookUp,
  type LookUpAnswer,
  type Read,
  type ReadAnswer,
  type ReleaseAnswer,
} from './wire.ts';
import { fromWire, type Named } from './wire-errors.ts';

export interface PeerQuestionsSettings {
  /** For a connection, where there is none, ms. */
  readonly connectTimeoutMs: number;
  /** For the first word of an answer to a question that is no change, ms. */
  readonly answerTimeoutMs: number;
  /** Bytes that come along with metadata, at most; more is asked for by whoever reads it. */
  readonly bulkBytes: number;
}

/** For a few pages to be loaded, behind all that is read, ms. */
const loadTimeoutMs = 60_000;

/** What this node asks others. All reject with `PeerError` where the other says nothing. */
export class PeerQuestions {
  readonly #clock: Clock;
  readonly #ownership: Ownership;
  readonly #pool: PeerPool;
  readonly #settings: PeerQuestionsSettings;

  constructor(clock: Clock, ownership: Ownership, pool: PeerPool, settings: PeerQuestionsSettings) {
    this.#clock = clock;
    this.#ownership = ownership;
    this.#pool = pool;
    this.#settings = settings;
  }

  /**
   * Metadata, and the bytes that are going to be read. Rejects with what the other found, as if it had been found here.
   * `without`: who cannot be reached, in whose place the other is asked.
   */
  async lookUp(
    owner: ViewMember,
    target: MetadataTarget,
    options: LookUpOptions,
    without?: readonly string[],
  ): Promise<FoundMeta> {
    const { revalidate, maxAgeMs, noStore, onlyIfCached, checksums, read, together } = options;
    const asked = { revalidate, maxAgeMs, noStore, onlyIfCached, checksums, read, together, without };
    const question: LookUp = { op: 'lookup', ...this.#about(target), ...asked };
    const bodyBytes = read?.end === undefined ? undefined : read.end - read.start;
    const lane: Lane =
      read && (bodyBytes ?? this.#settings.bulkBytes) >= this.#settings.bulkBytes ? 'bulk' : 'small';
    const { exchange, answer } = await this.#ask<LookUpAnswer>(
      owner,
      lane,
      question,
      target,
      // A small answer that nobody waits for any more costs less than to be called off.
      lane === 'bulk' ? options.signal : undefined,
      bodyBytes ?? (read ? undefined : 0),
    );
    const { meta, validatedMs, range, cache } = answer;
    if (!range) return { meta, validatedMs, owner: owner.workerId };
    const bytes = new PeerBytes(meta, range, cache ?? 'hit', exchange);
    return { meta, validatedMs, owner: owner.workerId, opened: new OpenedRead(bytes) };
  }

  /** A range within one segment, of this version alone. */
  async read(
    owner: ViewMember,
    target: ReadTarget,
    range: ByteRange,
    missing: Missing,
    signal?: AbortSignal,
  ): Promise<PeerBytes> {
    const meta = neededOf(target.meta);
    const question: Read = { op: 'read', ...this.#about(target), meta, ...range, missing };
    const bytes = range.end - range.start;
    const lane: Lane = bytes >= this.#settings.bulkBytes ? 'bulk' : 'small';
    const { exchange, answer } = await this.#ask<ReadAnswer>(owner, lane, question, target, signal, bytes);
    return new PeerBytes(target.meta, range, answer.cache, exchange);
  }

  /**
   * A range within one page, of this version alone, of a node that kept it before. Rejects with `WorkerError` kind `not-cached` if it does
   * not hold all of it. `timeoutMs`: for the first word.
   */
  async held(
    before: ViewMember,
    target: ReadTarget,
    range: ByteRange,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<PeerBytes> {
    const question: Held = { op: 'held', ...this.#about(target), meta: neededOf(target.meta), ...range };
    const bytes = range.end - range.start;
    const lane: Lane = bytes >= this.#settings.bulkBytes ? 'bulk' : 'small';
    const { exchange } = await this.#ask<true>(before, lane, question, target, signal, bytes, timeoutMs);
    return new PeerBytes(target.meta, range, 'hit', exchange);
  }

  /** Has the pages of a range within one segment kept, or only looks which are, or reads and checks those. */
  async load(
    owner: ViewMember,
    target: ReadTarget,
    { start, end }: ByteRange,
    op: Load['op'],
    signal: AbortSignal,
  ): Promise<LoadedRange> {
    const question: Load = { op, ...this.#about(target), meta: neededOf(target.meta), start, end };
    const asked = this.#ask<LoadedRange>(owner, 'small', question, target, signal, 0, loadTimeoutMs);
    return (await asked).answer;
  }

  /** Has a member forget an object's pages, and what it knows of it. */
  async free(member: ViewMember, target: MetadataTarget, signal: AbortSignal): Promise<void> {
    const question = { op: 'free', ...this.#about(target) };
    await this.#ask<true>(member, 'small', question, target, signal, 0);
  }

  /** True if a node may hold pages of some version of the object. */
  async holds(
    before: ViewMember,
    target: MetadataTarget,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const question = { op: 'holds', ...this.#about(target) };
    const { answer } = await this.#ask<boolean>(before, 'small', question, target, signal, 0, timeoutMs);
    return answer;
  }

  /** True if the other is the object's owner, under a valid view lease, and knows nothing of it any more. */
  async invalidate(owner: ViewMember, target: MetadataTarget, signal: AbortSignal): Promise<boolean> {
    const question = { op: 'invalidate', ...this.#about(target) };
    const { answer } = await this.#ask<boolean>(owner, 'small', question, target, signal, 0);
    return answer;
  }

  /** True if the other goes by the same view, has no lease of it any more, and knows nothing of the object. */
  async lapsed(member: ViewMember, target: MetadataTarget, signal: AbortSignal): Promise<boolean> {
    const question = { op: 'lapsed', ...this.#about(target) };
    const { answer } = await this.#ask<boolean>(member, 'small', question, target, signal, 0);
    return answer;
  }

  /** As `ReleaseQuestion`. */
  async released(member: ViewMember, epoch: Epoch, signal: AbortSignal): Promise<Released | undefined> {
    const exchange = await this.#open(member, 'small', { op: 'released', ...this.#asked(), view: epoch }, 0);
    const answer = decode<Answer<ReleaseAnswer>>(await answerOf(exchange, undefined, signal));
    return 'ok' in answer && answer.ok.incarnation === member.incarnation ? answer.ok : undefined;
  }

  /** Resolves when the member has answered anything. */
  async greet(member: ViewMember, signal: AbortSignal): Promise<void> {
    const exchange = await this.#open(member, 'small', { op: 'greet', ...this.#asked() }, 0);
    await answerOf(exchange, undefined, signal);
  }

  /** What a member has to tell, within `timeoutMs`. */
  async report(member: ViewMember, kind: string, about: unknown, timeoutMs: number): Promise<unknown> {
    const question = { op: 'report', ...this.#asked(), kind, about };
    const exchange = await this.#pool.open(member, 'small', encode(question), 0, timeoutMs);
    const answer = decode<Answer<unknown>>(await answerOf(exchange, timeoutMs, undefined));
    if ('ok' in answer) return answer.ok;
    if ('error' in answer && 'message' in answer.error) throw new PeerError('reset', answer.error.message);
    throw new PeerError('reset', 'it does not tell');
  }

  /** What every question tells. */
  #asked() {
    const { generation, epoch } = this.#ownership.view();
    return { view: { generation, epoch }, hops: 1, sentMs: this.#clock.monotonicMs() };
  }

  #about({
    bucket,
    key,
    incarnation,
    versionId,
  }: Pick<MetadataTarget, 'bucket' | 'key' | 'incarnation' | 'versionId'>) {
    return { ...this.#asked(), bucket: bucket?.name ?? '', key: key ?? '', incarnation, versionId };
  }

  #open(member: ViewMember, lane: Lane, question: unknown, bodyBytes?: number): AtOnce<Exchange> {
    return this.#pool.open(member, lane, encode(question), bodyBytes, this.#settings.connectTimeoutMs);
  }

  async #ask<T>(
    member: ViewMember,
    lane: Lane,
    question: unknown,
    target: Named,
    signal: AbortSignal | undefined,
    bodyBytes: number | undefined,
    timeoutMs = this.#settings.answerTimeoutMs,
  ): Promise<{ readonly exchange: Exchange; readonly answer: T }> {
    const opened = this.#open(member, lane, question, bodyBytes);
    const exchange = isPending(opened) ? await opened : opened;
    const message = await answerOf(exchange, timeoutMs, signal);
    const answer = decode<Answer<T>>(message);
    if ('ok' in answer) return { exchange, answer: answer.ok };
    if ('error' in answer) throw fromWire(answer.error, target);
    throw new PeerError('reset', 'it does not answer for this object');
  }
}

/** The first message of an answer; gives the exchange up where the time is up, or the signal is aborted. */
export async function answerOf(
  exchange: Exchange,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const give = (error: PeerError) => exchange.cancel(resetReasons.cancelled, error);
  const tooLate = () => give(new PeerError('lost', 'it does not answer in time'));
  const timer = timeoutMs === undefined ? undefined : setTimeout(tooLate, timeoutMs).unref();
  const cut = () => give(new PeerError('cancelled', 'nobody waits for the answer any more', signal?.reason));
  if (signal?.aborted) cut();
  signal?.addEventListener('abort', cut, { once: true });
  try {
    return await exchange.receive();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cut);
  }
}

/** What reading takes of an object's metadata. */
function neededOf(meta: ObjectMeta): ObjectMeta {
  const { sizeBytes, etag, lastModifiedMs, generation, generationSettled, versionId } = meta;
  const needed = { sizeBytes, etag, lastModifiedMs, generation, generationSettled, versionId };
  return { ...needed, headers: {}, userMetadata: {} };
}
