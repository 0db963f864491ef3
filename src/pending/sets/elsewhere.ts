import type { ByteRange } from '../../common/byte-range.ts';
import type { Clock } from '../../common/clock.ts';
import { CoordError } from '../../coord/store.ts';
import { PeerError } from '../../peers/errors.ts';
import type { PeerAddress } from '../../peers/peer-pool.ts';
import { UfsError } from '../../ufs/errors.ts';
import type { ChangeHead } from '../records.ts';
import { compare, nameOf } from './held-copy.ts';
import type { KeptEntry, KeptSets } from './kept-sets.ts';
import { type Question, type SetPeers, SetRefusal } from './set-peers.ts';
import { keeperOf, type SetRecord } from './set-record.ts';
import type { SetTable } from './set-table.ts';
import type {
  KeysAnswer,
  NewestAnswer,
  PendingKey,
  PlaceUsage,
  UnderAnswer,
  UsageAnswer,
} from './set-wire.ts';
import type { Standing } from './standing.ts';

/** A change that is pending somewhere, the latest of its key. */
export interface Found {
  readonly head: ChangeHead;
  readonly setId: string;
  /** Where it is in a set of this node's own. */
  readonly kept?: KeptEntry;
}

const answerMs = 5_000;
/** How often it is tried to ask keepers while sets pass from one node to another, and after which time again. */
const tries = 4;
const pauseMs = 150;
/** How much of a list may be pending. */
const maxHeads = 200_000;

/**
 * What is pending in all sets of the cluster, this node's own among them. An object's owner knows, once it has learnt it after the object
 * came to it, of which keys anything may be pending in other sets than the one that it writes to now: nobody else can add to these.
 */
export class Elsewhere {
  readonly #clock: Clock;
  readonly #table: SetTable;
  readonly #peers: SetPeers;
  readonly #standing: Standing;
  readonly #kept: KeptSets;
  readonly #current: () => string | undefined;
  #keys: Set<string> = new Set();
  #learntViews = -1;
  #losses = 0;

  /** `current`: the id of the set that this node writes to. */
  constructor(
    clock: Clock,
    table: SetTable,
    peers: SetPeers,
    standing: Standing,
    kept: KeptSets,
    current: () => string | undefined,
  ) {
    this.#clock = clock;
    this.#table = table;
    this.#peers = peers;
    this.#standing = standing;
    this.#kept = kept;
    this.#current = current;
  }

  /** Whether this node owns the object, may act on that at this moment, and has learnt what is pending in other sets. */
  isReady(objectHash: number): boolean {
    if (!this.#standing.mayUse(objectHash)) return false;
    const since = this.#standing.ownedSince(objectHash);
    return since !== undefined && since <= this.#learntViews;
  }

  /** Whether this node owns the object by the applied view, whether or not it may act on that. */
  owns(objectHash: number): boolean {
    return this.#standing.ownedSince(objectHash) !== undefined;
  }

  /** Whether something may be pending for the key in other sets; holds where `isReady` does. */
  has(chain: string, key: string): boolean {
    return this.#keys.size > 0 && this.#keys.has(nameOf({ chain, key }));
  }

  /** A set is not this node's any more, in which something may be pending that it did not have to learn. */
  forget(): void {
    this.#losses++;
    this.#learntViews = -1;
  }

  /** True if there is nothing to be learnt any more. Rejects with `UfsError` where somebody does not tell; then it is to be tried again. */
  async learn(): Promise<boolean> {
    const { views, areSettled } = this.#standing.gains();
    if (views === this.#learntViews) return true;
    if (!areSettled || !this.#standing.isActive()) return false;
    const losses = this.#losses;
    const current = this.#current();
    const keys = new Set<string>();
    await this.#all(async (ask) => {
      for (let after: PendingKey | undefined; ; ) {
        const answer: KeysAnswer = await ask({ ask: 'keys', after }, async () => this.#kept.keys(after));
        for (const [chain, key, setId] of answer.keys)
          if (setId !== current) keys.add(nameOf({ chain, key }));
        const last = answer.keys.at(-1);
        if (answer.isLast || !last) return answer.sets;
        after = last;
      }
    });
    if (losses !== this.#losses) return false;
    this.#keys = keys;
    this.#learntViews = views;
    return this.#standing.gains().views === views;
  }

  /** The latest change of the key that is pending in any set. Rejects with `UfsError` where that cannot be told. */
  async find(chain: string, key: string): Promise<Found | undefined> {
    const keys = this.#keys;
    let isUnsettled = false;
    let found: Found | undefined;
    const take = (other: Found | undefined) => {
      if (other && (!found || compare(other.head.stamp, found.head.stamp) > 0)) found = other;
    };
    await this.#all(async (ask, isHere) => {
      if (isHere) {
        const here = await this.#kept.newestEntry(chain, key);
        const { found: kept } = here;
        isUnsettled ||= here.isUnsettled;
        if (kept) take({ head: kept.entry.change, setId: kept.set.name.setId, kept });
        return here.sets;
      }
      const answer = await ask<NewestAnswer>({ ask: 'newest', chain, key });
      take(answer.found);
      isUnsettled ||= answer.isUnsettled === true;
      return answer.sets;
    });
    // As far as it was known to be pending when they were asked: whoever could have added to the other sets cannot any more.
    if (!found && !isUnsettled) keys.delete(nameOf({ chain, key }));
    return found;
  }

  /** The latest change of each key under a prefix, in any set, in no order. Rejects as `find`. */
  async under(chain: string, prefix: string): Promise<ChangeHead[]> {
    const heads = new Map<string, ChangeHead>();
    await this.#all(async (ask) => {
      for (let after: string | undefined; ; ) {
        const question = { ask: 'under', chain, prefix, after } as const;
        const answer: UnderAnswer = await ask(question, async () => this.#kept.under(chain, prefix, after));
        for (const head of answer.heads) {
          const other = heads.get(head.key);
          if (!other || compare(head.stamp, other.stamp) > 0) heads.set(head.key, head);
        }
        if (heads.size > maxHeads) {
          throw new UfsError('throttled', 'too much is pending for a list', { backend: chain });
        }
        after = answer.heads.at(-1)?.key;
        if (answer.isLast || after === undefined) return answer.sets;
      }
    });
    return [...heads.values()];
  }

  /** Resolves when nothing is pending for the key, or under the prefix, in any set. Rejects as `find`, and with the signal's reason. */
  async flush(
    chain: string,
    of: { readonly key?: string; readonly prefix?: string },
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const keys = this.#keys;
    const [timeout, over] = [new AbortController(), new AbortController()];
    this.#clock.sleep(timeoutMs, over.signal).then(
      () => timeout.abort(),
      () => {},
    );
    const either = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
    try {
      await this.#all(
        (ask) => ask<string[]>({ ask: 'flush', chain, ...of }, () => this.#kept.flush(chain, of, either)),
        { timeoutMs, signal: either },
      );
    } catch (error) {
      const about = { backend: chain, key: of.key, cause: error };
      if (signal?.aborted) throw new UfsError('cancelled', 'the call was cancelled', about);
      if (!timeout.signal.aborted) throw error;
      throw new UfsError('throttled', 'earlier writes wait for the storage', about);
    } finally {
      over.abort();
    }
    if (of.key !== undefined) keys.delete(nameOf({ chain, key: of.key }));
  }

  /** Bytes of a change that was found; rejects with kind `moved` where it is not pending there any more. */
  async *bytes({ head, setId, kept }: Found, range: ByteRange, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const { chain, key, stamp } = head;
    const about = { setId, chain, key, stamp, ...range };
    try {
      if (kept) {
        yield* this.#kept.bytes(setId, chain, key, stamp, range);
        return;
      }
      const record = this.#table.known.find(({ id }) => id === setId);
      const keeper = record && this.#addressOf(record);
      if (!keeper) throw new SetRefusal('the set is not kept any more');
      yield* this.#peers.bytes(keeper, { ask: 'bytes', ...about }, range.end - range.start, answerMs, signal);
    } catch (error) {
      if (signal?.aborted) throw new UfsError('cancelled', 'the call was cancelled', { backend: chain, key });
      if (!(error instanceof SetRefusal || error instanceof PeerError)) throw error;
      const message = 'the version is not pending there any more';
      throw new UfsError('moved', message, { backend: chain, key, cause: error });
    }
  }

  /** How much is pending in the whole cluster, by place. */
  async usage(): Promise<readonly PlaceUsage[]> {
    const places = new Map<string, readonly PlaceUsage[]>();
    await this.#all(async (ask, _, keeper) => {
      const answer: UsageAnswer = await ask({ ask: 'usage' }, async () => this.#kept.usage());
      places.set(keeper, answer.places);
      return answer.sets;
    });
    return [...places.values()].flat();
  }

  /** What every keeper answers, this node among them. `isFinal`: an answer that stands, though it may be asked again. Rejects as `find`. */
  async every<T extends { readonly sets: readonly string[] }>(
    question: Question,
    here: () => Promise<T>,
    {
      timeoutMs,
      signal,
      isFinal = () => false,
    }: { timeoutMs?: number; signal?: AbortSignal | undefined; isFinal?: (answer: T) => boolean } = {},
  ): Promise<readonly T[]> {
    const answers = new Map<string, T>();
    const each: Each = async (ask, _, keeper) => {
      const answer = await ask<T>(question, here);
      const before = answers.get(keeper);
      if (!before || !isFinal(before)) answers.set(keeper, answer);
      return answer.sets;
    };
    await this.#all(each, { timeoutMs, signal });
    return [...answers.values()];
  }

  /** Forgets what is pending for a place, in every set. */
  async discard(chain: string): Promise<void> {
    await this.#all((ask) => ask<string[]>({ ask: 'discard', chain }, () => this.#kept.discard(chain)));
  }

  /** Asks the keeper of every set, each once, and all again where a set has just passed to another node. */
  async #all(
    each: Each,
    {
      timeoutMs = answerMs,
      signal,
    }: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    for (let count = 1; ; count++) {
      try {
        return await this.#allOnce(each, timeoutMs, signal);
      } catch (error) {
        if (error instanceof UfsError || signal?.aborted) throw asUfsError(error);
        if (!(error instanceof SetRefusal || error instanceof PeerError) || count === tries) {
          throw asUfsError(error);
        }
      }
      await this.#clock.sleep(pauseMs);
    }
  }

  async #allOnce(each: Each, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const records = await this.#table.open();
    if (!records) throw new SetRefusal('the coordination store went back, and not all has been said again');
    const keepers = new Map(records.map((record) => [keeperOf(record) as string, record]));
    const keeperById = new Map(records.map((record) => [record.id, keeperOf(record)]));
    const spoken = new Set<string>();
    const asked = [...keepers].map(async ([workerId, record]) => {
      const isHere = workerId === this.#standing.workerId;
      const ask: Ask = <T>(question: Question, here?: () => Promise<T>) => {
        if (isHere && here) return here();
        const address = this.#addressOf(record);
        if (!address) throw new SetRefusal('the node that keeps a set is gone');
        return this.#peers.ask<T>(address, question, timeoutMs, signal);
      };
      for (const id of await each(ask, isHere, workerId)) {
        const keeper = keeperById.get(id);
        if (keeper !== undefined && keeper !== workerId)
          throw new SetRefusal('a set is another node’s by now');
        spoken.add(id);
      }
    });
    await Promise.all(asked);
    const silent = records.find(({ id }) => !spoken.has(id));
    if (silent) {
      const nodes = silent.copies.map(({ workerId }) => workerId).join(', ');
      throw new SetRefusal(`nobody speaks for the set ${silent.id}, which lies on the nodes ${nodes}`);
    }
  }

  #addressOf(record: SetRecord): PeerAddress | undefined {
    const keeper = keeperOf(record);
    return this.#standing.members().find(({ workerId }) => workerId === keeper);
  }
}

/** Asks one keeper what it is to be asked; gives the sets that it spoke for. */
type Each = (ask: Ask, isHere: boolean, keeper: string) => Promise<readonly string[]>;
type Ask = <T>(question: Question, here?: () => Promise<T>) => Promise<T>;

function asUfsError(error: unknown): unknown {
  if (!(error instanceof SetRefusal || error instanceof PeerError || error instanceof CoordError))
    return error;
  const message = `it cannot be told what is pending: ${error.message}`;
  return new UfsError('unavailable', message, { backend: 'pending writes', cause: error });
}
