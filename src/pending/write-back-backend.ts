import type { ByteRange } from '../common/byte-range.ts';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type {
  Backend,
  CallOptions,
  CompleteOptions,
  CompletePart,
  CopyOptions,
  DeleteOptions,
  ListOptions,
  ObjectChange,
  OpenedObject,
  OpenRange,
  PutOptions,
  VersionOptions,
} from '../ufs/backend.ts';
import { BackendLayer } from '../ufs/backend-layer.ts';
import type { BackendVersions, Deletion } from '../ufs/backend-versions.ts';
import { UfsError } from '../ufs/errors.ts';
import { toUfsError } from '../ufs/file-system.ts';
import { KeyLock } from '../ufs/key-lock.ts';
import { checkSignal, nextModifiedMs } from '../ufs/write-rules.ts';
import { type BackUploadSettings, BackUploads, type UploadAcknowledger } from './back-uploads.ts';
import { HeldBodies } from './held-bodies.ts';
import type { Journal, NewChange } from './journal.ts';
import type { PendingChain } from './pending-chain.ts';
import type { PendingEntry } from './pending-entry.ts';
import { listPending } from './pending-list.ts';
import { pageOfParts, placeOfPart } from './pending-parts.ts';
import type { Persister } from './persister.ts';
import { isPlainKey, isPlainObject } from './plain-writes.ts';
import type { CompletedUpload } from './records.ts';
import { Spool, type Spooled } from './spool.ts';
import { generationOf, type StampedVersions } from './stamped-versions.ts';
import { checkWhole, type ThroughSettings, ThroughWrites } from './through-writes.ts';
import { listUploads } from './upload-list.ts';

export interface WriteBackSettings extends ThroughSettings, BackUploadSettings {
  /** What becomes of a write that the journal has no room for. */
  readonly whenFull: 'through' | 'slow-down';
  /** Whether as many disks as it takes can be written to at this moment: else it is as if there were no room. */
  readonly hasCopies: () => boolean;
}

/**
 * A storage whose plain writes are acknowledged as soon as they are in the journal; to whoever asks, what is pending is just what the storage
 * holds. Everything that the storage has to decide itself goes behind what is pending of its key: conditions, versions, copies, tags of
 * objects that are there, uploads in parts.
 */
export class WriteBackBackend extends BackendLayer implements Backend {
  readonly createUpload: Backend['createUpload'];
  readonly putPart: Backend['putPart'];
  readonly listParts: Backend['listParts'];
  readonly abortUpload: Backend['abortUpload'];
  readonly listUploads: Backend['listUploads'];
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #chain: PendingChain;
  readonly #persister: Persister;
  readonly #stamped: StampedVersions;
  readonly #bodies: HeldBodies;
  readonly #spool: Spool;
  readonly #through: ThroughWrites;
  /** Uploads whose parts lie here. */
  readonly uploads: BackUploads;
  readonly #inner: Backend;
  readonly #settings: WriteBackSettings;
  /** Changes of one key, in the order in which they are acknowledged. */
  readonly #lock = new KeyLock();

  constructor(
    clock: Clock,
    journal: Journal,
    chain: PendingChain,
    persister: Persister,
    stamped: StampedVersions,
    isFitForUploads: () => Promise<boolean>,
    inner: Backend,
    settings: WriteBackSettings,
  ) {
    super(inner);
    this.#clock = clock;
    this.#journal = journal;
    this.#chain = chain;
    this.#persister = persister;
    this.#stamped = stamped;
    this.#inner = inner;
    this.#settings = settings;
    this.#bodies = new HeldBodies(journal, chain, stamped, inner);
    this.#spool = new Spool(journal, inner.uri);
    this.#through = new ThroughWrites(
      clock,
      journal,
      chain,
      persister,
      stamped,
      this.#spool,
      inner,
      this.#lock,
      settings,
    );
    const acknowledger: UploadAcknowledger = {
      head: (key, options) => this.head(key, options),
      acknowledge: (key, options, change, then) => this.#acknowledge(key, options, change, { then }),
    };
    this.uploads = new BackUploads(
      clock,
      journal,
      chain,
      isFitForUploads,
      stamped,
      this.#through,
      inner,
      acknowledger,
      settings,
    );
    this.createUpload = (key, options) => this.uploads.create(key, options);
    this.putPart = (key, id, number, body, options) => this.uploads.putPart(key, id, number, body, options);
    this.listParts = (key, id, options) => this.uploads.listParts(key, id, options);
    this.abortUpload = (key, id, options) => this.uploads.abort(key, id, options);
    this.listUploads = (options) => listUploads(inner, journal.uploads.of(chain.name), options);
    const { open, pin, findPart, listObjectParts, getTags, amend, versions } = inner;
    if (open) this.open = (key, range, options) => this.#open(key, range, options);
    if (pin) this.pin = (key, meta, options) => this.#bodies.pin(key, meta, options);
    if (findPart) {
      this.findPart = async (key, meta, number, options) => {
        const upload = this.#uploadOf(key, meta);
        if (upload) return placeOfPart(upload, number, { backend: inner.uri, key });
        return this.#settled(key, meta, options, (own) => findPart.call(inner, key, own, number, options));
      };
    }
    if (listObjectParts) {
      this.listObjectParts = async (key, meta, options) => {
        const upload = this.#uploadOf(key, meta);
        if (upload) return pageOfParts(upload, options);
        return this.#settled(key, meta, options, (own) => listObjectParts.call(inner, key, own, options));
      };
    }
    if (getTags) this.getTags = (key, options) => this.#tags(key, options);
    if (amend) this.amend = (key, change, options) => this.#amend(key, change, options);
    if (versions) this.versions = this.#versionsBehind(versions);
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectMeta> {
    checkSignal(options.signal, this.uri, key);
    checkWhole(this.#journal, this.uri);
    const newest = this.#chain.newest(key);
    if (newest) return this.#metaOf(newest);
    return this.#stamped.shown(key, await this.#inner.head(key, options));
  }

  read(key: string, meta: ObjectMeta, range: ByteRange, options: CallOptions = {}): AsyncIterable<Buffer> {
    return this.#bodies.read(key, meta, range, options);
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    checkSignal(options.signal, this.uri, key);
    checkWhole(this.#journal, this.uri);
    if (!this.#settings.isBack()) return this.#through.putAsItComes(key, body, options);
    if (this.#mustGoThrough(key, options)) return this.#putThrough(key, body, options);
    const hasCopies = this.#settings.hasCopies();
    if (!hasCopies || !this.#journal.reserve(body.sizeBytes)) {
      const why = hasCopies ? 'the journal of pending writes is full' : 'there are fewer nodes than copies';
      if (this.#settings.whenFull === 'slow-down') throw this.#busy(key, why);
      return this.#putThrough(key, body, options);
    }
    let spooled: Spooled | undefined;
    try {
      spooled = await this.#spool.take(key, body, options);
      const { meta, tags, file, bytes, keep } = spooled;
      return await this.#acknowledge(key, options, { meta, tags, file }, { bytes, first: keep });
    } catch (error) {
      this.#journal.release(body.sizeBytes);
      throw error;
    } finally {
      await spooled?.discard();
    }
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    checkSignal(options.signal, this.uri, key);
    checkWhole(this.#journal, this.uri);
    const { condition, versioning } = options;
    const isPlain = !condition && !versioning && isPlainKey(key);
    const isBack = this.#settings.isBack() && this.#settings.hasCopies();
    if (!isPlain || !isBack || !this.#journal.reserve(0)) {
      return this.#through.remove(key, options, () => this.#inner.delete(key, options));
    }
    const nowMs = this.#clock.nowMs();
    try {
      await options.beforeCommit?.();
      await this.#lock.run(key, async () => {
        checkSignal(options.signal, this.uri, key);
        const change = { type: 'delete', chain: this.#chain.name, key, atMs: nowMs } as const;
        this.#chain.add(await this.#journal.append(change));
      });
      return {};
    } catch (error) {
      this.#journal.release(0);
      throw unresolved(toUfsError(error, this.uri, key));
    }
  }

  async list(options: ListOptions) {
    checkSignal(options.signal, this.uri);
    checkWhole(this.#journal, this.uri);
    const pending = this.#chain.under(options.prefix);
    return listPending(this.#inner, pending, options, (entry) => this.#stamped.listed(entry));
  }

  async copy(sourceKey: string, key: string, given: CopyOptions): Promise<ObjectMeta> {
    const options = await this.#through.hooked(key, given);
    return this.#through.run(key, options, async () => {
      await this.#through.barrier.flush(sourceKey, options);
      const source = { generation: options.sourceGeneration };
      const copied = ({ generation }: { readonly generation: string }) =>
        this.#inner.copy(sourceKey, key, { ...options, sourceGeneration: generation });
      const made = options.sourceVersionId
        ? await copied(source)
        : await this.#bodies.withInner(sourceKey, source, options, copied);
      return this.#stamped.shown(key, made);
    });
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    checkSignal(options.signal, this.uri, key);
    checkWhole(this.#journal, this.uri);
    return this.uploads.complete(key, uploadId, parts, options);
  }

  async close(): Promise<void> {
    this.#through.stop();
    await this.#persister.stop();
    await this.#inner.close();
  }

  #putThrough(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    return this.#through.put(key, body, options, () => this.head(key, { signal: options.signal }));
  }

  /** `first` runs before anything is recorded, `then` when the change is durable here, before it is seen. */
  async #acknowledge(
    key: string,
    { signal, beforeCommit }: Pick<PutOptions, 'signal' | 'beforeCommit'>,
    about: Pick<NewChange, 'tags' | 'file' | 'upload'> & { readonly meta: Spooled['meta'] },
    {
      bytes,
      first,
      then,
    }: { readonly bytes?: Buffer; readonly first?: () => void; readonly then?: () => Promise<void> },
  ): Promise<ObjectMeta> {
    await beforeCommit?.();
    return this.#lock.run(key, async () => {
      checkSignal(signal, this.uri, key);
      const before =
        this.#chain.newest(key)?.change.meta?.lastModifiedMs ?? this.#stamped.lastModifiedMs(key);
      const nowMs = this.#clock.nowMs();
      const meta = { ...about.meta, lastModifiedMs: nextModifiedMs(nowMs, before) };
      const change = { ...about, type: 'put', chain: this.#chain.name, key, atMs: nowMs, meta } as const;
      first?.();
      let entry: PendingEntry;
      try {
        entry = await this.#journal.append(change, bytes, then);
      } catch (error) {
        throw unresolved(toUfsError(error, this.uri, key));
      }
      this.#chain.add(entry);
      return this.#metaOf(entry);
    });
  }

  /** Of the present version, if it came in parts and is pending. */
  #uploadOf(key: string, { generation }: ObjectMeta): CompletedUpload | undefined {
    const newest = this.#chain.newest(key);
    return newest && generationOf(newest.name) === generation ? newest.change.upload : undefined;
  }

  /** Runs `work` with the storage's own metadata of a version, once nothing of the key is pending. */
  async #settled<T>(
    key: string,
    meta: ObjectMeta,
    options: CallOptions = {},
    work: (inner: ObjectMeta) => Promise<T>,
  ): Promise<T> {
    await this.#through.barrier.flush(key, options);
    return this.#bodies.withInner(key, meta, options, work);
  }

  async #open(key: string, range: OpenRange, options: CallOptions = {}): Promise<OpenedObject> {
    checkSignal(options.signal, this.uri, key);
    checkWhole(this.#journal, this.uri);
    const newest = this.#chain.newest(key);
    if (newest) return this.#bodies.open(newest, this.#metaOf(newest), range);
    const opened = (await this.#inner.open?.(key, range, options)) as OpenedObject;
    return { ...opened, meta: this.#stamped.shown(key, opened.meta) };
  }

  async #tags(key: string, options: VersionOptions = {}): Promise<readonly Tag[]> {
    checkWhole(this.#journal, this.uri);
    const newest = options.versionId === undefined ? this.#chain.newest(key) : undefined;
    if (!newest) return this.#inner.getTags?.(key, options) ?? [];
    this.#metaOf(newest);
    return newest.change.tags ?? [];
  }

  #amend(key: string, change: ObjectChange, options: VersionOptions = {}): Promise<ObjectMeta> {
    return this.#through.run(key, options, async () => {
      const { generation } = change;
      const amended = async (inner: string | undefined) =>
        (await this.#inner.amend?.(key, { ...change, generation: inner }, options)) as ObjectMeta;
      const made =
        generation === undefined || options.versionId !== undefined
          ? await amended(generation)
          : await this.#bodies.withInner(key, { generation }, options, (inner) => amended(inner.generation));
      return this.#stamped.shown(key, made);
    });
  }

  #versionsBehind(versions: BackendVersions): BackendVersions {
    const { mode } = versions;
    return {
      head: async (key, id, options = {}) => {
        await this.#through.barrier.flush(key, options);
        return versions.head(key, id, options);
      },
      delete: (key, id, options = {}) =>
        this.#through.run(key, options, () => versions.delete(key, id, options)),
      list: async (options) => {
        await this.#through.barrier.flushAll(options.prefix, options);
        return versions.list(options);
      },
      ...(mode ? { mode: (options) => mode.call(versions, options) } : {}),
    };
  }

  #metaOf({ change, key, name }: PendingEntry): ObjectMeta {
    if (change.meta) return { ...change.meta, generation: generationOf(name), generationSettled: true };
    throw new UfsError('not-found', 'there is no such object', { backend: this.uri, key });
  }

  #mustGoThrough(key: string, options: PutOptions): boolean {
    const { condition, versioning, stamp } = options;
    return Boolean(condition || versioning || stamp !== undefined) || !isPlainObject(key, options);
  }

  #busy(key: string | undefined, message: string): UfsError {
    return new UfsError('throttled', message, { backend: this.uri, key });
  }
}

/** What failed in the journal may be there all the same when it is opened again. */
function unresolved(error: unknown): unknown {
  if (!(error instanceof UfsError) || ['cancelled', 'throttled'].includes(error.kind)) return error;
  const { message, backend, key, cause } = error;
  return new UfsError('unavailable', message, { backend, key, retryable: false, unresolved: true, cause });
}
