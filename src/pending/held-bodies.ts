import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Backend, CallOptions, OpenedObject, OpenRange } from '../ufs/backend.ts';
import { isMoved } from '../ufs/errors.ts';
import { toUfsError } from '../ufs/file-system.ts';
import { checkSignal } from '../ufs/write-rules.ts';
import type { Journal } from './journal.ts';
import type { PendingChain } from './pending-chain.ts';
import type { PendingEntry } from './pending-entry.ts';
import { generationOf, type StampedVersions } from './stamped-versions.ts';

/** What a version's bytes are read from. */
type Source = { readonly entry: PendingEntry } | { readonly inner: ObjectMeta };

interface Pinned {
  readonly source: Source;
  count: number;
}

/** The bytes of versions, wherever they lie by now: in the journal, or at the storage. */
export class HeldBodies {
  readonly #journal: Journal;
  readonly #chain: PendingChain;
  readonly #stamped: StampedVersions;
  readonly #inner: Backend;
  readonly #pinned = new Map<string, Pinned>();

  constructor(journal: Journal, chain: PendingChain, stamped: StampedVersions, inner: Backend) {
    this.#journal = journal;
    this.#chain = chain;
    this.#stamped = stamped;
    this.#inner = inner;
  }

  /** As `Backend.read`. */
  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    options: CallOptions,
  ): AsyncGenerator<Buffer, void, undefined> {
    const known = this.#pinned.get(nameOf(key, meta))?.source ?? this.#pendingOf(key, meta);
    if (!known) yield* this.#readInner(key, meta, range, options);
    else if ('inner' in known) yield* this.#inner.read(key, known.inner, range, options);
    else yield* this.#readEntry(known.entry, range, options);
  }

  /** As `Backend.open`, of a change that is pending. */
  open(entry: PendingEntry, meta: ObjectMeta, { start, end }: OpenRange): OpenedObject {
    const from = Math.min(start, meta.sizeBytes);
    const range = { start: from, end: Math.max(from, Math.min(end ?? meta.sizeBytes, meta.sizeBytes)) };
    let release: (() => void) | undefined = this.#journal.hold(entry);
    const close = () => {
      release?.();
      release = undefined;
    };
    return { meta, range, read: (part, options = {}) => this.#readEntry(entry, part, options), close };
  }

  /** As `Backend.pin`. */
  async pin(key: string, meta: ObjectMeta, options: CallOptions = {}): Promise<() => Promise<void>> {
    const name = nameOf(key, meta);
    const known = this.#pinned.get(name)?.source ?? this.#pendingOf(key, meta);
    const { source, release } = known
      ? { source: known, release: await this.#hold(key, known, options) }
      : await this.withInner(key, meta, options, async (inner) => ({
          source: { inner },
          release: await this.#hold(key, { inner }, options),
        }));
    const pinned = this.#pinned.get(name) ?? { source, count: 0 };
    this.#pinned.set(name, pinned);
    pinned.count++;
    return async () => {
      pinned.count--;
      if (pinned.count === 0) this.#pinned.delete(name);
      await release?.();
    };
  }

  /**
   * Runs `work` with the storage's own metadata of a version of which nothing is pending; again, should it be remembered wrongly. Kinds: moved, and those
   * of `work`.
   */
  async withInner<T>(
    key: string,
    meta: Pick<ObjectMeta, 'generation'>,
    options: CallOptions,
    work: (inner: ObjectMeta) => Promise<T>,
  ): Promise<T> {
    try {
      return await work(await this.#innerOf(key, meta, options));
    } catch (error) {
      if (!isMoved(error) || !this.#stamped.forget(key, meta)) throw error;
      return work(await this.#innerOf(key, meta, options));
    }
  }

  async *#readInner(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    options: CallOptions,
  ): AsyncGenerator<Buffer> {
    let hasBegun = false;
    try {
      const inner = await this.#innerOf(key, meta, options);
      for await (const piece of this.#inner.read(key, inner, range, options)) {
        hasBegun = true;
        yield piece;
      }
      return;
    } catch (error) {
      if (hasBegun || !isMoved(error) || !this.#stamped.forget(key, meta)) throw error;
    }
    yield* this.#inner.read(key, await this.#innerOf(key, meta, options), range, options);
  }

  async #hold(key: string, source: Source, options: CallOptions) {
    if ('entry' in source) return this.#journal.hold(source.entry);
    return this.#inner.pin?.(key, source.inner, options);
  }

  async #innerOf(
    key: string,
    meta: Pick<ObjectMeta, 'generation'>,
    options: CallOptions,
  ): Promise<ObjectMeta> {
    checkSignal(options.signal, this.#inner.uri, key);
    if (this.#chain.newest(key)) throw this.#stamped.moved(key);
    return this.#stamped.innerOf(key, meta, options);
  }

  /** To be held at once: when it is done its bytes go. */
  #pendingOf(key: string, meta: ObjectMeta): Source | undefined {
    const newest = this.#chain.newest(key);
    return newest && generationOf(newest.name) === meta.generation ? { entry: newest } : undefined;
  }

  async *#readEntry(entry: PendingEntry, range: ByteRange, { signal }: CallOptions): AsyncGenerator<Buffer> {
    const { uri } = this.#inner;
    const release = this.#journal.hold(entry);
    try {
      yield* this.#journal.read(entry, range, () => checkSignal(signal, uri, entry.key));
    } catch (error) {
      throw toUfsError(error, uri, entry.key);
    } finally {
      release();
    }
  }
}

function nameOf(key: string, { generation }: ObjectMeta): string {
  return `${generation}\0${key}`;
}
