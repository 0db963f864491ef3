import { type AtOnce, isPending } from '../../common/at-once.ts';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Metrics } from '../../common/metrics.ts';
import type { ExchangeHandler } from '../../peers/connection.ts';
import { isOtherSecret, PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { maxMessageBytes, resetReasons } from '../../peers/frames.ts';
import type { PeerPool } from '../../peers/peer-pool.ts';
import type { SetQuestion } from '../../pending/sets/set-wire.ts';
import type { Ownership, ViewMember } from '../../ring/ownership.ts';
import type { ObjectService } from '../../s3api/service.ts';
import type { MetadataCache } from '../../worker/metadata-cache.ts';
import {
  type LocalReader,
  type MetadataSource,
  type RangeLoader,
  type RangeReader,
  WorkerError,
} from '../../worker/reader.ts';
import type { Reporter } from '../member-reports.ts';
import type { Namespace } from '../namespace.ts';
import { Fallbacks } from './fallbacks.ts';
import { HandOff } from './hand-off.ts';
import { OwnedMetadata } from './owned-metadata.ts';
import { PeerAnswers } from './peer-answers.ts';
import { PeerQuestions } from './peer-questions.ts';
import { Relay } from './relay.ts';
import { RoutedLoader } from './routed-loader.ts';
import { RoutedMetadata } from './routed-metadata.ts';
import { RoutedObjectService } from './routed-object-service.ts';
import { RoutedReader } from './routed-reader.ts';
import { RoutedWrites } from './routed-writes.ts';
import { Routes } from './routes.ts';
import { decode, encode, type Question, type Report } from './wire.ts';
import { toWire } from './wire-errors.ts';
import { WriteAnswers } from './write-answers.ts';
import type { Write } from './write-calls.ts';
import { WriteQuestions } from './write-questions.ts';

export interface RoutingSettings {
  readonly pageSizeBytes: number;
  readonly segmentBytes: number;
  /** How long a read waits for a connection, where there is none, ms. */
  readonly connectTimeoutMs: number;
  /** For the first word of an answer to a read, ms. */
  readonly answerTimeoutMs: number;
  /** How long an owner is looked for that takes a change, and how long a change waits for its object to pass over, ms. */
  readonly writePatienceMs: number;
  /** Reads that pass an owner by at once. */
  readonly maxPassedBy: number;
  /** Memory for bytes of bodies that come from other nodes, and that nobody has taken yet. */
  readonly windowBytes: number;
  /** Whether pages are asked of the node that kept them before the ring changed. */
  readonly handOff: boolean;
  /** How long that node may be silent before the storage is asked, ms. */
  readonly handOffTimeoutMs: number;
}

export const defaultSegmentBytes = 256 * 1024 * 1024;
/** Questions that are older are not begun with. */
const maxQuestionAgeMs = 30_000;
const catchUpMs = 2_000;
const mostAskedForSecret = 8;
/** From here on bytes go over connections of their own, so that small answers need not wait behind them. */
const bulkBytes = 1024 * 1024;

/** A node's part in a cluster's reads and changes: what it asks of others, and what it answers them. */
export class Routing {
  /** Of whichever node owns the object. */
  readonly metadata: MetadataSource;
  readonly reader: RangeReader;
  /** At whichever nodes the pages lie. */
  readonly loader: RangeLoader;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #routes: Routes;
  readonly #namespace: Namespace;
  readonly #pool: PeerPool;
  readonly #questions: PeerQuestions;
  readonly #answers: PeerAnswers;
  readonly #settings: RoutingSettings;
  #writeAnswers: WriteAnswers | undefined;
  #pendingAnswers: ((question: SetQuestion, exchange: Exchange) => void) | undefined;
  #reporter: Reporter | undefined;

  /** `cache` and `reader` are this node's own. */
  constructor(
    clock: Clock,
    metrics: Metrics,
    log: Log,
    ownership: Ownership,
    namespace: Namespace,
    cache: MetadataCache,
    reader: LocalReader,
    pool: PeerPool,
    settings: RoutingSettings,
  ) {
    const { connectTimeoutMs, answerTimeoutMs, writePatienceMs, maxPassedBy, pageSizeBytes, segmentBytes } =
      settings;
    const routes = new Routes(ownership, segmentBytes);
    const questions = new PeerQuestions(clock, ownership, pool, {
      connectTimeoutMs,
      answerTimeoutMs,
      bulkBytes,
    });
    const owned = new OwnedMetadata(clock, cache, ownership, questions, writePatienceMs);
    const fallbacks = new Fallbacks(metrics, maxPassedBy);
    const handOff = new HandOff(clock, metrics, routes, owned, questions, {
      isOn: settings.handOff,
      timeoutMs: settings.handOffTimeoutMs,
    });
    this.metadata = new RoutedMetadata(routes, owned, questions, fallbacks, handOff);
    this.reader = new RoutedReader(metrics, routes, reader, questions, fallbacks, handOff);
    this.loader = new RoutedLoader(routes, reader.loader, questions, handOff);
    this.#answers = new PeerAnswers(metrics, log, routes, namespace, owned, reader, handOff, {
      pageSizeBytes,
    });
    this.#clock = clock;
    this.#log = log;
    this.#routes = routes;
    this.#namespace = namespace;
    this.#pool = pool;
    this.#questions = questions;
    this.#settings = settings;
    ownership.askWith((member, epoch, signal) => questions.released(member, epoch, signal));
    ownership.onView(({ view }) => pool.retain(new Set(view.members.map(({ workerId }) => workerId))));
  }

  /**
   * Whether members of the cluster, and none of those asked, have another secret than this node. Who cannot be reached says nothing of
   * it.
   */
  async hasOtherSecret(signal: AbortSignal): Promise<boolean> {
    const { ownership } = this.#routes;
    const others = ownership.view().members.filter(({ workerId }) => workerId !== ownership.workerId);
    const asked = others.slice(0, mostAskedForSecret).map(async (member) => {
      try {
        await this.#questions.greet(member, signal);
        return 'same';
      } catch (error) {
        return error instanceof PeerError && isOtherSecret(error) ? 'other' : 'unknown';
      }
    });
    const found = await Promise.all(asked);
    return found.includes('other') && !found.includes('same');
  }

  /** The other node that owns an object; undefined if it is this one, or there is no such bucket. */
  ownerOf(bucket: string, key: string): AtOnce<ViewMember | undefined> {
    try {
      const place = this.#namespace.locate(bucket, key);
      if (!isPending(place)) return this.#routes.metadataOwner(place);
      return place.then(
        (located) => this.#routes.metadataOwner(located),
        () => undefined,
      );
    } catch {
      // The operation itself says what is wrong.
      return undefined;
    }
  }

  /** The service for this node's clients. `local` works with `metadata` and `reader`; from now on it serves other nodes' changes too. */
  serve(local: ObjectService): ObjectService {
    const { writePatienceMs, windowBytes } = this.#settings;
    const relay = new Relay(this.#clock, this.#routes.ownership, this.#pool);
    this.#writeAnswers = new WriteAnswers(
      this.#clock,
      this.#log,
      this.#routes,
      this.#namespace,
      local,
      relay,
      { catchUpMs, windowBytes },
    );
    const writes = new RoutedWrites(
      this.#clock,
      this.#routes,
      this.#namespace,
      local,
      new WriteQuestions(this.#clock, this.#pool),
      { patienceMs: writePatienceMs, catchUpMs },
    );
    return new RoutedObjectService(local, writes);
  }

  /** From now on others' questions about pending writes are answered. */
  servePending(answer: (question: SetQuestion, exchange: Exchange) => void): void {
    this.#pendingAnswers = answer;
  }

  /** From now on other nodes are told what `reporter` says. */
  reportWith(reporter: Reporter): void {
    this.#reporter = reporter;
  }

  /** What another member has to tell. Rejects with `PeerError` where it does not within `timeoutMs`. */
  report(member: ViewMember, kind: string, about: unknown, timeoutMs: number): Promise<unknown> {
    return this.#questions.report(member, kind, about, timeoutMs);
  }

  /** For the peer port. */
  readonly handler: ExchangeHandler = (request, exchange, from, ages) => {
    let question: Question | Write | SetQuestion;
    try {
      question = decode<Question | Write | SetQuestion>(request);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      exchange.cancel(resetReasons.overloaded);
      return;
    }
    if (ages.of(question.sentMs) > maxQuestionAgeMs) exchange.cancel(resetReasons.overloaded);
    else if (question.op === 'report' && this.#reporter) void this.#tell(this.#reporter, question, exchange);
    else if (question.op === 'write' && this.#writeAnswers) this.#writeAnswers.answer(question, exchange);
    else if (question.op === 'pending' && this.#pendingAnswers) this.#pendingAnswers(question, exchange);
    else if (
      question.op === 'pending' ||
      question.op === 'write' ||
      !this.#answers.answer(question, exchange, from)
    )
      exchange.cancel(resetReasons.overloaded);
  };

  async #tell(reporter: Reporter, { kind, about }: Report, exchange: Exchange): Promise<void> {
    try {
      // Nothing to tell is an answer too.
      const answer = encode({ ok: (await reporter.tell(kind, about)) ?? null });
      if (answer.length > maxMessageBytes) throw new WorkerError('overloaded', 'it has too much to tell');
      exchange.send(answer, true);
    } catch (error) {
      this.#log.warn({ err: error, kind }, 'another node was not told what it asked for');
      exchange.send(encode({ error: toWire(error) }), true);
    }
  }
}
