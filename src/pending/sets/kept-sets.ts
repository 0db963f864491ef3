import type { ByteRange } from '../../common/byte-range.ts';
import type { Clock } from '../../common/clock.ts';
import { compareUtf8 } from '../../common/utf8-order.ts';
import type { PendingEntry } from '../pending-entry.ts';
import type { ChangeHead, StampPair } from '../records.ts';
import { headOf } from './copy-writer.ts';
import { compare } from './held-copy.ts';
import type { KeptSet } from './kept-set.ts';
import { SetRefusal } from './set-peers.ts';
import {
  countFitting,
  type KeysAnswer,
  listedHead,
  type NewestAnswer,
  type PendingKey,
  type PlaceUsage,
  type UnderAnswer,
  type UploadsAnswer,
  type UsageAnswer,
} from './set-wire.ts';

/** A write that takes longer to be copied holds up who waits for it no more, ms. */
const settleMs = 4_500;

/** A change that is pending in a set of this node's. */
export interface KeptEntry {
  readonly set: KeptSet;
  readonly entry: PendingEntry;
}

/** What is pending in the sets that this node keeps, as it may be told. Everything throws `SetRefusal` where it may tell nothing now. */
export class KeptSets {
  readonly #clock: Clock;
  readonly #sets = new Set<KeptSet>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  [Symbol.iterator](): IterableIterator<KeptSet> {
    return this.#sets.values();
  }

  add(set: KeptSet): void {
    this.#sets.add(set);
  }

  delete(set: KeptSet): void {
    this.#sets.delete(set);
  }

  find(id: string): KeptSet | undefined {
    for (const set of this.#sets) if (set.name.setId === id) return set;
    return undefined;
  }

  /** As `AskKeys`. */
  keys(after: PendingKey | undefined): KeysAnswer {
    const sets = this.#active();
    const found = new Map<string, PendingKey>();
    for (const set of sets) {
      for (const [chain, key] of set.keys()) {
        const one: PendingKey = [chain, key, set.name.setId];
        if (!after || order(one, after) > 0) found.set(JSON.stringify(one), one);
      }
    }
    const keys = [...found.values()].sort(order);
    const count = countFitting(keys);
    return { sets: idsOf(sets), keys: keys.slice(0, count), isLast: keys.length === count };
  }

  /** The latest change of a key, once those that were on their way are through. */
  async newestEntry(
    chain: string,
    key: string,
  ): Promise<{ sets: string[]; found?: KeptEntry; isUnsettled: boolean }> {
    const sets = this.#active();
    let found: KeptEntry | undefined;
    let isUnsettled = false;
    for (const set of sets) {
      isUnsettled ||= set.isUnsettled(chain, key);
      await this.#inTime(set.settled(chain, { key }));
      const entry = set.chains.get(chain)?.newest(key);
      if (entry && (!found || compare(entry.change.stamp, found.entry.change.stamp) > 0))
        found = { set, entry };
    }
    this.#checkStill(sets);
    return { sets: idsOf(sets), ...(found ? { found } : {}), isUnsettled };
  }

  /** As `AskNewest`. */
  async newest(chain: string, key: string): Promise<NewestAnswer> {
    const { sets, found, isUnsettled } = await this.newestEntry(chain, key);
    if (!found) return { sets, isUnsettled };
    return { sets, isUnsettled, found: { head: headOf(found.entry), setId: found.set.name.setId } };
  }

  /** As `AskUnder`. */
  under(chain: string, prefix: string, after: string | undefined): UnderAnswer {
    const sets = this.#active();
    const heads = new Map<string, ChangeHead>();
    for (const set of sets) {
      for (const entry of set.chains.get(chain)?.under(prefix) ?? []) {
        if (after !== undefined && compareUtf8(entry.key, after) <= 0) continue;
        const other = heads.get(entry.key);
        if (!other || compare(entry.change.stamp, other.stamp) > 0) heads.set(entry.key, entry.change);
      }
    }
    const all = [...heads.values()].sort((a, b) => compareUtf8(a.key, b.key));
    const count = countFitting(listedHeads(all));
    return {
      sets: idsOf(sets),
      heads: all.slice(0, count).map(listedHead),
      isLast: all.length === count,
    };
  }

  /** Bytes of a change, as long as it is pending. */
  async *bytes(
    setId: string,
    chain: string,
    key: string,
    stamp: StampPair,
    range: ByteRange,
  ): AsyncGenerator<Buffer> {
    const set = this.find(setId);
    const all = set ? [...(set.chains.get(chain)?.all() ?? [])] : [];
    const entry = all.find((one) => one.key === key && compare(one.change.stamp, stamp) === 0);
    if (!set || !entry) throw new SetRefusal('the change is not pending here any more');
    const release = set.journal.hold(entry);
    try {
      if (range.end > range.start) yield* set.journal.read(entry, range, () => {});
    } finally {
      release();
    }
  }

  /** As `AskFlush`; rejects with the signal's reason. */
  async flush(
    chain: string,
    { key, prefix = '' }: { readonly key?: string; readonly prefix?: string },
    signal: AbortSignal,
  ): Promise<string[]> {
    const sets = this.#active();
    for (const set of sets) {
      // What comes to be pending though its client has given it up is waited for too.
      await unlessAborted(set.settled(chain, { key, prefix }) ?? Promise.resolve(), signal);
      if (key !== undefined) await unlessAborted(set.passed(chain, key), signal);
      const persister = set.persisters.get(chain);
      const pending = set.chains.get(chain);
      if (!pending || pending.isEmpty) continue;
      if (!persister) throw new SetRefusal('the storage that it is pending for is not open');
      if (key === undefined) await persister.flushAll(prefix, signal);
      else await persister.flush(key, signal);
    }
    this.#checkStill(sets);
    return idsOf(sets);
  }

  /** The set in which an upload's parts lie, if any does. */
  holderOf(chain: string, key: string, uploadId: string): { sets: string[]; set?: KeptSet } {
    const sets = this.#active();
    const set = sets.find(({ journal }) => journal.uploads.find(chain, key, uploadId));
    return { sets: idsOf(sets), ...(set ? { set } : {}) };
  }

  /** As `AskUploads`. */
  uploadsOf(chain: string, after = ''): UploadsAnswer {
    const sets = this.#active();
    const uploads = sets
      .flatMap(({ journal }) => journal.uploads.of(chain))
      .map(({ info, movedTo }) => ({ info, ...(movedTo === undefined ? {} : { movedTo }) }))
      .filter(({ info }) => info.uploadId > after)
      .sort((a, b) => compareUtf8(a.info.uploadId, b.info.uploadId));
    const count = countFitting(uploads);
    return { sets: idsOf(sets), uploads: uploads.slice(0, count), isLast: uploads.length === count };
  }

  /** As `AskUsage`. */
  usage(): UsageAnswer {
    const sets = this.#active();
    const places = new Map<string, PlaceUsage>();
    for (const set of sets) {
      for (const [name, chain] of set.chains) {
        const { entries, bytes, oldestMs } = chain.usage;
        const other = places.get(name);
        const oldest = Math.min(
          oldestMs ?? Number.POSITIVE_INFINITY,
          other?.oldestMs ?? Number.POSITIVE_INFINITY,
        );
        places.set(name, {
          name,
          entries: entries + (other?.entries ?? 0),
          bytes: bytes + (other?.bytes ?? 0),
          ...(Number.isFinite(oldest) ? { oldestMs: oldest } : {}),
        });
      }
    }
    return { sets: idsOf(sets), places: [...places.values()] };
  }

  /** Forgets what is pending for a place: it is lost. */
  async discard(chain: string): Promise<string[]> {
    const sets = this.#active();
    for (const set of sets) {
      const { journal } = set;
      for (const upload of journal.uploads.of(chain))
        await journal.uploads.exclusively(upload.info.uploadId, () => journal.discardUpload(upload));
      const pending = set.chains.get(chain);
      if (!pending) continue;
      await set.persisters.get(chain)?.stop();
      set.persisters.delete(chain);
      for (const entry of [...pending.all()]) {
        await set.journal.done(entry);
        pending.remove(entry);
      }
    }
    return idsOf(sets);
  }

  async #inTime(settled: Promise<unknown> | undefined): Promise<void> {
    if (!settled) return;
    const over = new AbortController();
    const late = this.#clock.sleep(settleMs, over.signal).then(
      () => true,
      () => false,
    );
    const isLate = await Promise.race([settled.then(() => false), late]);
    over.abort();
    if (isLate) throw new SetRefusal('a write of the object is on its way to its copies');
  }

  #active(): KeptSet[] {
    const sets = [...this.#sets];
    for (const set of sets) {
      if (!set.isActive) throw new SetRefusal('the node may not tell what is pending at the moment');
    }
    return sets;
  }

  #checkStill(sets: readonly KeptSet[]): void {
    for (const set of sets) if (!set.isActive) throw new SetRefusal('a set has passed to another node');
  }
}

async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function* listedHeads(heads: Iterable<ChangeHead>): Generator<ChangeHead> {
  for (const head of heads) yield listedHead(head);
}

function idsOf(sets: readonly KeptSet[]): string[] {
  return sets.map(({ name }) => name.setId);
}

function order(a: PendingKey, b: PendingKey): number {
  return compareUtf8(a[0], b[0]) || compareUtf8(a[1], b[1]) || compareUtf8(a[2], b[2]);
}
