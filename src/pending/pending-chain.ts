import { compareUtf8 } from '../common/utf8-order.ts';
import type { Journal } from './journal.ts';
import type { PendingEntry } from './pending-entry.ts';

/** Keys of which it is remembered that the storage has nothing. */
const maxAbsent = 10_000;
/** Keys that a change of the storage's own may be under way of. */
const maxUnsettled = 10_000;

/**
 * What is pending for one place of a storage: of each key the changes that are not done, in order of acknowledgement. What was never sent
 * gives way to a later change of its key.
 */
export class PendingChain {
  /** Names the place; the same for every mount of it. */
  readonly name: string;
  readonly #journal: Pick<Journal, 'superseded'>;
  readonly #remembersAbsent: boolean;
  readonly #entries = new Map<string, PendingEntry[]>();
  readonly #absent = new Set<string>();
  /** Until when, on the monotonic clock, a change that went to the storage without an entry may still take effect. */
  readonly #unsettled = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #onAdd: (entry: PendingEntry) => void = () => {};
  #bytes = 0;
  #count = 0;

  /** `entries`: what is pending already, in order. `remembersAbsent`: nobody else writes there. */
  constructor(
    name: string,
    journal: Pick<Journal, 'superseded' | 'recovered'>,
    entries: Iterable<PendingEntry> = journal.recovered,
    remembersAbsent = true,
  ) {
    this.name = name;
    this.#journal = journal;
    this.#remembersAbsent = remembersAbsent;
    for (const entry of entries) if (entry.change.chain === name && !entry.isOver) this.#insert(entry);
  }

  get usage(): { readonly entries: number; readonly bytes: number; readonly oldestMs: number | undefined } {
    let oldestMs: number | undefined;
    for (const entry of this.all()) oldestMs = Math.min(oldestMs ?? entry.change.atMs, entry.change.atMs);
    return { entries: this.#count, bytes: this.#bytes, oldestMs };
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Every change, in no order. */
  *all(): Generator<PendingEntry> {
    for (const chain of this.#entries.values()) yield* chain;
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** What the object is now; undefined where the storage says it. */
  newest(key: string): PendingEntry | undefined {
    return this.#entries.get(key)?.at(-1);
  }

  /** What is to be persisted next. */
  first(key: string): PendingEntry | undefined {
    return this.#entries.get(key)?.[0];
  }

  /** The newest change of each key under a prefix, in UTF-8 byte order of key. */
  under(prefix: string): PendingEntry[] {
    const found: PendingEntry[] = [];
    for (const [key, chain] of this.#entries) {
      if (key.startsWith(prefix)) found.push(chain.at(-1) as PendingEntry);
    }
    return found.sort((a, b) => compareUtf8(a.key, b.key));
  }

  /** Calls `listener` with each change that is added from now on. One at a time. */
  onAdd(listener: (entry: PendingEntry) => void): void {
    this.#onAdd = listener;
  }

  /** A change that is durable. Changes of a key are added in order of acknowledgement. */
  add(entry: PendingEntry): void {
    const last = this.newest(entry.key);
    if (last && last.sent === undefined && !last.isOver) {
      this.#journal.superseded(last, entry);
      this.#take(last);
    }
    this.#insert(entry);
    this.#onAdd(entry);
  }

  /** A change that is done. */
  remove(entry: PendingEntry): void {
    this.#take(entry);
    if (this.#entries.has(entry.key)) return;
    for (const wake of this.#waiting.get(entry.key) ?? []) wake();
    this.#waiting.delete(entry.key);
  }

  /** Resolves when nothing of the key is pending; rejects with the signal's reason. */
  async emptied(key: string, signal: AbortSignal): Promise<void> {
    while (this.#entries.has(key)) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const waiting = this.#waiting.get(key) ?? new Set();
        this.#waiting.set(key, waiting);
        const cut = () => {
          waiting.delete(wake);
          reject(signal.reason);
        };
        const wake = () => {
          signal.removeEventListener('abort', cut);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', cut, { once: true });
      });
    }
  }

  /** Whether the storage has nothing under the key, so that there is nothing to delete. */
  isAbsent(key: string): boolean {
    return this.#absent.has(key);
  }

  setAbsent(key: string, isAbsent: boolean): void {
    this.#absent.delete(key);
    if (!isAbsent || !this.#remembersAbsent) return;
    this.#absent.add(key);
    if (this.#absent.size > maxAbsent) this.#absent.delete(this.#absent.values().next().value as string);
  }

  /** Until when something that is found at the storage may be an earlier change of ours, that nobody heard of any more. */
  unsettledUntilMs(key: string): number {
    return this.#unsettled.get(key) ?? Number.NEGATIVE_INFINITY;
  }

  setUnsettled(key: string, untilMs: number): void {
    this.#unsettled.delete(key);
    this.#unsettled.set(key, untilMs);
    if (this.#unsettled.size > maxUnsettled) {
      this.#unsettled.delete(this.#unsettled.keys().next().value as string);
    }
  }

  #insert(entry: PendingEntry): void {
    this.#entries.set(entry.key, [...(this.#entries.get(entry.key) ?? []), entry]);
    this.#count++;
    this.#bytes += entry.change.meta?.sizeBytes ?? 0;
  }

  #take(entry: PendingEntry): void {
    const chain = this.#entries.get(entry.key) ?? [];
    const left = chain.filter((one) => one !== entry);
    if (left.length === chain.length) return;
    this.#count--;
    this.#bytes -= entry.change.meta?.sizeBytes ?? 0;
    if (left.length > 0) this.#entries.set(entry.key, left);
    else this.#entries.delete(entry.key);
  }
}
