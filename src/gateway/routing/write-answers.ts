import type { ByteRange } from '../../common/byte-range.ts';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { ObjectMeta } from '../../common/object-meta.ts';
import { PeerError } from '../../peers/errors.ts';
import type { Exchange } from '../../peers/exchange.ts';
import { resetReasons } from '../../peers/frames.ts';
import { WindowBudget } from '../../peers/window-budget.ts';
import type { Epoch } from '../../ring/ownership.ts';
import type { ObjectService } from '../../s3api/service.ts';
import type { Namespace, Place } from '../namespace.ts';
import { CarriedBody } from './carried-body.ts';
import { MovedError } from './owned-metadata.ts';
import type { Relay } from './relay.ts';
import { hashOf, type Routes } from './routes.ts';
import { decode, encode } from './wire.ts';
import { toWire } from './wire-errors.ts';
import { perform, type SourceAnswer, type Write } from './write-calls.ts';
import type { WriteMessage } from './write-questions.ts';

export interface WriteAnswersSettings {
  /** How long a node waits until it knows the view, bucket or mount by which it was asked, ms. */
  readonly catchUpMs: number;
  /** Memory for bytes of bodies that nobody has taken yet. */
  readonly windowBytes: number;
}

/** One for the owner, one for a node between. */
const maxHops = 2;
const pauseMs = 10;

/** Carries out other nodes' changes of what this node owns, and no others. */
export class WriteAnswers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #routes: Routes;
  readonly #namespace: Namespace;
  readonly #service: ObjectService;
  readonly #relay: Relay;
  readonly #budget: WindowBudget;
  readonly #settings: WriteAnswersSettings;

  /** `service` carries changes out on this node. */
  constructor(
    clock: Clock,
    log: Log,
    routes: Routes,
    namespace: Namespace,
    service: ObjectService,
    relay: Relay,
    settings: WriteAnswersSettings,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#routes = routes;
    this.#namespace = namespace;
    this.#service = service;
    this.#relay = relay;
    this.#budget = new WindowBudget(settings.windowBytes);
    this.#settings = settings;
  }

  /** Takes a change to its end. */
  answer(write: Write, exchange: Exchange): void {
    if (write.hops > maxHops || (write.relayTo !== undefined && write.hops >= maxHops)) {
      exchange.cancel(resetReasons.overloaded);
      return;
    }
    const { relayTo } = write;
    const answered =
      relayTo === undefined
        ? this.#carryOut(write, exchange)
        : this.#relay.pass({ ...write, relayTo }, exchange, this.#budget);
    answered.catch((error: unknown) => this.#fail(exchange, error));
  }

  async #carryOut(write: Write, exchange: Exchange): Promise<void> {
    const place = await this.#placeOf(write);
    if (!place || !(await this.#owns(place, write.view))) {
      this.#send(exchange, { moved: this.#view() });
      return;
    }
    const windowBytes = write.body ? this.#budget.take(write.body.sizeBytes) : 0;
    try {
      const body = write.body && new CarriedBody(exchange, write.body, windowBytes);
      const source = (meta: ObjectMeta) => askSource(exchange, meta);
      const result = await perform(this.#service, write, { body, source, signal: exchange.signal });
      this.#send(exchange, { ok: result ?? null });
    } catch (error) {
      if (error instanceof MovedError) this.#send(exchange, { moved: this.#view() });
      else throw error;
    } finally {
      this.#budget.giveBack(windowBytes);
    }
  }

  /** Waits a while for a view that is ahead of this node's. */
  async #owns(place: Place, asked: Epoch): Promise<boolean> {
    const { ownership } = this.#routes;
    if (ownership.owns(hashOf(place))) return true;
    const { generation, epoch } = ownership.view();
    if (asked.generation < generation || (asked.generation === generation && asked.epoch <= epoch))
      return false;
    try {
      await ownership.whenApplied(asked, AbortSignal.timeout(this.#settings.catchUpMs));
    } catch {
      return false;
    }
    return ownership.owns(hashOf(place));
  }

  /** Undefined if the bucket or mount by which the other goes does not become known here: one of the two is behind. */
  async #placeOf({ bucket, key, incarnation, versioning }: Write): Promise<Place | undefined> {
    const untilMs = this.#clock.monotonicMs() + this.#settings.catchUpMs;
    for (;;) {
      const place = await this.#located(bucket, key);
      if (place?.incarnation === incarnation && place.versioning === versioning) return place;
      if (this.#clock.monotonicMs() >= untilMs) return undefined;
      await this.#clock.sleep(pauseMs);
    }
  }

  async #located(bucket: string, key: string): Promise<Place | undefined> {
    try {
      return await this.#namespace.locate(bucket, key);
    } catch {
      // There is no such bucket here yet, or no more.
      return undefined;
    }
  }

  #view(): Epoch {
    const { generation, epoch } = this.#routes.ownership.view();
    return { generation, epoch };
  }

  #send(exchange: Exchange, message: WriteMessage): void {
    exchange.send(encode(message), true);
  }

  #fail(exchange: Exchange, error: unknown): void {
    const wire = toWire(error);
    // Nobody listens any more where the other node is gone.
    if (wire.type === 's3' && wire.code === 'InternalError' && !(error instanceof PeerError))
      this.#log.error({ err: error }, 'a change that another node asked for failed');
    this.#send(exchange, { error: wire });
  }
}

async function askSource(exchange: Exchange, source: ObjectMeta): Promise<ByteRange | undefined> {
  exchange.send(encode({ ask: { source } }));
  const { range } = decode<SourceAnswer>(await exchange.receive());
  return range;
}
