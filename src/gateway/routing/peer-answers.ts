import type { AtOnce } from '../../common/at-once.ts';
import { isPending } from '../../common/at-once.ts';
import type { ByteRange } from '../../common/byte-range.ts';
import type { ByteText } from '../../common/byte-text.ts';
import type { Log } from '../../common/log.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import type { PeerIdentity } from '../../peers/handshake.ts';
import {
  type FoundMeta,
  type LocalReader,
  type Missing,
  type PageRead,
  WorkerError,
} from '../../worker/reader.ts';
import { ServedBytes } from '../../worker/served-bytes.ts';
import type { Namespace, Place } from '../namespace.ts';
import { versionTarget } from '../version-reads.ts';
import type { HandOff } from './hand-off.ts';
import type { OwnedMetadata } from './owned-metadata.ts';
import { chunksOf } from './page-read-chunks.ts';
import type { Routes } from './routes.ts';
import {
  type Answer,
  encode,
  type Free,
  type Held,
  type Holds,
  type Invalidate,
  type Lapsed,
  type Load,
  type LookUp,
  type LookUpAnswer,
  type Question,
  type Read,
  type ReleaseAnswer,
} from './wire.ts';
import { toWire } from './wire-errors.ts';

export interface PeerAnswersSettings {
  readonly pageSizeBytes: number;
}

/** What a place is called that a question is about. */
export type QuestionOfObject = Pick<LookUp, 'bucket' | 'key' | 'incarnation'>;

/**
 * Answers other nodes' reads out of this node's cache. Whether the client may read was asked by the node that asks here. What this node
 * does not own is asked of the storage; nothing is handed on, so no question goes in circles.
 */
export class PeerAnswers {
  readonly #log: Log;
  readonly #routes: Routes;
  readonly #namespace: Namespace;
  readonly #owned: OwnedMetadata;
  readonly #reader: LocalReader;
  readonly #handOff: HandOff;
  readonly #served: ServedBytes;
  readonly #settings: PeerAnswersSettings;

  /** `reader` reads what lies on this node alone. */
  constructor(
    metrics: Metrics,
    log: Log,
    routes: Routes,
    namespace: Namespace,
    owned: OwnedMetadata,
    reader: LocalReader,
    handOff: HandOff,
    settings: PeerAnswersSettings,
  ) {
    this.#log = log;
    this.#routes = routes;
    this.#namespace = namespace;
    this.#owned = owned;
    this.#reader = reader;
    this.#handOff = handOff;
    this.#served = new ServedBytes(metrics, 'peers');
    this.#settings = settings;
  }

  /** Takes a question to its end; what is at hand is answered before it returns. False if it is of another kind. */
  answer(question: Question, exchange: Exchange, from: PeerIdentity): boolean {
    if (question.hops !== 1) {
      exchange.cancel(resetReasons.overloaded);
      return true;
    }
    let answered: AtOnce<void>;
    try {
      switch (question.op) {
        case 'lookup':
          answered = this.#lookUp(question, exchange);
          break;
        case 'read':
          answered = this.#read(question, exchange);
          break;
        case 'held':
          answered = this.#held(question, exchange);
          break;
        case 'holds':
          answered = this.#holds(question, exchange);
          break;
        case 'load':
        case 'look':
        case 'check':
          answered = this.#load(question, exchange);
          break;
        case 'free':
          answered = this.#free(question, exchange);
          break;
        case 'invalidate':
          answered = this.#invalidate(question, exchange);
          break;
        case 'lapsed':
          answered = this.#lapsed(question, exchange);
          break;
        case 'greet':
          answered = this.#send(exchange, { ok: true });
          break;
        case 'released':
          answered = this.#released(question, exchange, from.workerId);
          break;
        default:
          return false;
      }
    } catch (error) {
      this.#fail(exchange, error);
      return true;
    }
    if (isPending(answered)) answered.catch((error: unknown) => this.#fail(exchange, error));
    return true;
  }

  #lookUp(question: LookUp, exchange: Exchange): AtOnce<void> {
    const place = this.#placeOf(question);
    if (isPending(place) || question.versionId !== undefined || question.revalidate)
      return this.#lookUpLater(question, exchange);
    const found = this.#owned.peek(place, question);
    if (!found) return this.#lookUpLater(question, exchange);
    const range = this.#sentAlong(place, question, found.meta.sizeBytes);
    if (!range) return this.#send(exchange, { ok: found });
    const target = {
      ...place,
      meta: found.meta,
      pageSizeBytes: this.#settings.pageSizeBytes,
      served: this.#served,
    };
    const read = this.#reader.openNow(target, range, missingOf(question));
    if (!read) return this.#lookUpLater(question, exchange, found);
    const { cache } = read;
    const answer: LookUpAnswer = { meta: found.meta, validatedMs: found.validatedMs, range, cache };
    exchange.send(encode({ ok: answer }));
    const body = bytesAtHand(read.body);
    const giveBack = read.giveBack ?? nothing;
    if (body && exchange.writeLastNow(body, giveBack)) return;
    return this.#stream(exchange, read);
  }

  async #lookUpLater(question: LookUp, exchange: Exchange, known?: FoundMeta): Promise<void> {
    const place = await this.#placeOf(question);
    const target = question.versionId === undefined ? place : versionTarget(place, question.versionId);
    const { signal } = exchange;
    const { pageSizeBytes } = this.#settings;
    const options = { ...question, signal, read: this.#inPages(place, question) };
    const found = known ?? (await this.#owned.get(target, await this.#handOff.withoutBytes(target, options)));
    try {
      const { meta, validatedMs, opened } = found;
      const range = this.#sentAlong(place, question, meta.sizeBytes);
      if (!range) return this.#send(exchange, { ok: { meta, validatedMs } });
      const ownEnd = this.#routes.segmentEnd(range.start);
      const earlier = this.#handOff.of(target, range.start);
      const at = { ...target, meta, pageSizeBytes, ownEnd, opened, served: this.#served, earlier };
      const read = await this.#reader.open(at, range, signal, missingOf(question));
      exchange.send(encode({ ok: { meta, validatedMs, range, cache: read.cache } }));
      await this.#stream(exchange, read);
    } finally {
      found.opened?.release();
    }
  }

  async #read(question: Read, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    const { meta, start, end, versionId, missing } = question;
    const at = versionId === undefined ? place : versionTarget(place, versionId);
    const { pageSizeBytes } = this.#settings;
    const ownEnd = this.#routes.segmentEnd(start);
    const earlier = this.#handOff.of(at, start);
    const target = { ...at, meta, pageSizeBytes, ownEnd, served: this.#served, earlier };
    const range = { start, end };
    const read =
      this.#reader.openNow(target, range, missing) ??
      (await this.#reader.open(target, range, exchange.signal, missing));
    exchange.send(encode({ ok: { cache: read.cache } }));
    await this.#stream(exchange, read);
  }

  /** For the node that keeps these pages from now on: the storage is not asked for them here. */
  async #held(question: Held, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    const { meta, start, end, versionId } = question;
    const at = versionId === undefined ? place : versionTarget(place, versionId);
    const { pageSizeBytes } = this.#settings;
    const target = { ...at, meta, pageSizeBytes, served: this.#served };
    const body = await this.#reader.openHeld(target, { start, end });
    if (!body) throw new WorkerError('not-cached', 'not all of its pages are here');
    exchange.send(encode({ ok: true }));
    await this.#stream(exchange, { cache: 'hit', body });
  }

  async #holds(question: Holds, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    this.#send(exchange, { ok: this.#reader.holdsSome(place) });
  }

  async #load(question: Load, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    const { meta, start, end, op } = question;
    const { pageSizeBytes } = this.#settings;
    const { loader } = this.#reader;
    const ownEnd = this.#routes.segmentEnd(start);
    const target = { ...place, meta, pageSizeBytes, ownEnd, earlier: this.#handOff.of(place, start) };
    const range = { start, end };
    const { signal } = exchange;
    if (op === 'load') return this.#send(exchange, { ok: await loader.load(target, range, signal) });
    const cachedBytes =
      op === 'check'
        ? await loader.checkedBytes(target, range, signal)
        : await loader.heldBytes(target, range, signal);
    this.#send(exchange, { ok: { cachedBytes, loadedBytes: 0 } });
  }

  async #free(question: Free, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    this.#owned.invalidate(place);
    await this.#reader.loader.free(place, exchange.signal);
    this.#send(exchange, { ok: true });
  }

  async #invalidate(question: Invalidate, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    const { versionId } = question;
    const target = versionId === undefined ? place : versionTarget(place, versionId);
    this.#send(exchange, { ok: this.#owned.invalidateAsOwner(target) });
  }

  async #lapsed(question: Lapsed, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(question);
    const { versionId } = question;
    const target = versionId === undefined ? place : versionTarget(place, versionId);
    this.#send(exchange, { ok: this.#owned.invalidateAsLapsed(target, question.view) });
  }

  /** Answered with the incarnation that has released it, when it has. */
  async #released({ view }: Question, exchange: Exchange, asker: string): Promise<void> {
    const { ownership } = this.#routes;
    const released = await ownership.whenReleased(asker, view, exchange.signal);
    const answer: ReleaseAnswer = { ...released, incarnation: ownership.incarnation };
    this.#send(exchange, { ok: answer });
  }

  /** NoSuchBucket; ServiceUnavailable where this node knows another bucket or mount there. */
  #placeOf({ bucket, key, incarnation }: QuestionOfObject): AtOnce<Place> {
    const place = this.#namespace.locate(bucket, key);
    return isPending(place)
      ? place.then((located) => checked(located, incarnation))
      : checked(place, incarnation);
  }

  /** What of the object goes along with its metadata: at most one segment of those that lie here. */
  #sentAlong(place: Place, { read, without }: LookUp, sizeBytes: number): ByteRange | undefined {
    if (!read || read.start >= sizeBytes) return undefined;
    const segmentEnd = this.#routes.segmentEnd(read.start);
    const segment = segmentEnd / this.#routes.segmentBytes - 1;
    if (this.#routes.placementOwner(place, segment, without && new Set(without))) return undefined;
    return { start: read.start, end: Math.min(read.end ?? sizeBytes, sizeBytes, segmentEnd) };
  }

  /** As a read of this node's own asks for bytes together with metadata. */
  #inPages(place: Place, { read, noStore, together }: LookUp): LookUp['read'] {
    if (!read) return undefined;
    if ((noStore || this.#reader.holdsSome(place)) && !together) return undefined;
    const { pageSizeBytes } = this.#settings;
    const segmentEnd = this.#routes.segmentEnd(read.start);
    const end = Math.min(read.end ?? segmentEnd, segmentEnd);
    // What is not kept is not read in whole pages.
    if (place.policy?.keeps(place.path) === 'never') return { start: read.start, end };
    const start = Math.floor(read.start / pageSizeBytes) * pageSizeBytes;
    return { start, end: Math.ceil(end / pageSizeBytes) * pageSizeBytes };
  }

  async #stream(exchange: Exchange, read: PageRead): Promise<void> {
    try {
      for await (const chunk of chunksOf(read)) if (!(await exchange.write(chunk))) return;
      exchange.endBody();
    } catch (error) {
      // Its head is out; who reads it goes on from elsewhere.
      this.#log.debug({ err: error }, 'an answer to another node broke off');
      exchange.cancel(resetReasons.cancelled);
    }
  }

  #send(exchange: Exchange, answer: Answer<unknown>): void {
    exchange.send(encode(answer), true);
  }

  #fail(exchange: Exchange, error: unknown): void {
    const wire = toWire(error);
    if (wire.type === 's3' && wire.code === 'InternalError')
      this.#log.error({ err: error }, 'a question of another node failed');
    this.#send(exchange, { error: wire });
  }
}

function checked(place: Place, incarnation: string): Place {
  if (place.incarnation === incarnation) return place;
  throw new WorkerError('overloaded', 'the nodes do not know the same buckets and mounts at the moment');
}

function bytesAtHand(body: PageRead['body']): Buffer | undefined {
  if (Buffer.isBuffer(body)) return body;
  return 'toBuffer' in body ? (body as ByteText).toBuffer() : undefined;
}

function missingOf({ onlyIfCached, noStore }: LookUp): Missing {
  if (onlyIfCached) return 'refuse';
  return noStore ? 'bypass' : 'fill';
}

function nothing(): void {}
