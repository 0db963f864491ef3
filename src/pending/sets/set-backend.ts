import type { ByteRange } from '../../common/byte-range.ts';
import type { Clock } from '../../common/clock.ts';
import type { ObjectMeta, Tag, UploadBody } from '../../common/object-meta.ts';
import { compareUtf8 } from '../../common/utf8-order.ts';
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
} from '../../ufs/backend.ts';
import { BackendLayer } from '../../ufs/backend-layer.ts';
import type { Deletion } from '../../ufs/backend-versions.ts';
import { isMoved, UfsError } from '../../ufs/errors.ts';
import { checkSignal } from '../../ufs/write-rules.ts';
import { listPending } from '../pending-list.ts';
import { formatStamp } from '../stamp.ts';
import { generationOf, type StampedVersions } from '../stamped-versions.ts';
import type { Elsewhere, Found } from './elsewhere.ts';
import { PlaceUploads, type PlaceUploadsSettings } from './place-uploads.ts';
import type { SetUploads } from './set-uploads.ts';

/** What holds for a mount, at the moment of asking. */
export interface PlaceRules {
  /** Whether its writes may be acknowledged before the storage has them. */
  isBack(): boolean;
  /** Whether that was ever so: then something may be pending. */
  wasBack(): boolean;
  /** On how many nodes a write has to be, this one counted in. */
  copies(): number;
  /** As `hashObject`. */
  hashOf(key: string): number;
  /** What was known of the key does not hold any more: a write whose client was told nothing came to be pending. */
  appeared(key: string): void;
}

export interface SetBackendSettings extends PlaceUploadsSettings {
  readonly rules: PlaceRules;
  /** How long a change waits until the node may make it, and for what is pending of its key elsewhere. */
  readonly barrierMs: number;
  readonly origin: string;
}

const lookEveryMs = 25;

/**
 * A mount's storage with what is pending for it in the whole cluster: to whoever asks, that is just what the storage holds. The owner of an
 * object knows where to look; any other node asks everybody who may have something.
 */
export class SetBackend extends BackendLayer implements Backend {
  readonly createUpload: Backend['createUpload'];
  readonly putPart: Backend['putPart'];
  readonly listParts: Backend['listParts'];
  readonly abortUpload: Backend['abortUpload'];
  readonly listUploads: Backend['listUploads'];
  readonly #clock: Clock;
  readonly #place: string;
  readonly #inner: Backend;
  readonly #bare: Backend;
  readonly #stamped: StampedVersions;
  readonly #elsewhere: Elsewhere;
  readonly #uploads: PlaceUploads;
  readonly #current: () => Backend | undefined;
  readonly #settings: SetBackendSettings;

  /** `bare`: the storage, with the stamps it keeps. `current`: with what is pending in the set that this node writes to, if it has one. */
  constructor(
    clock: Clock,
    place: string,
    inner: Backend,
    bare: Backend,
    stamped: StampedVersions,
    { elsewhere, uploads }: { readonly elsewhere: Elsewhere; readonly uploads: SetUploads },
    current: () => Backend | undefined,
    settings: SetBackendSettings,
  ) {
    super(bare);
    this.#clock = clock;
    this.#place = place;
    this.#inner = inner;
    this.#bare = bare;
    this.#stamped = stamped;
    this.#elsewhere = elsewhere;
    this.#current = current;
    this.#settings = settings;
    const backends = {
      bare,
      nearest: () => this.#nearest(),
      own: (key: string) => (settings.rules.isBack() && this.#isSure(key) ? this.#current() : undefined),
      writable: (key: string) => this.#writable(key),
    };
    this.#uploads = new PlaceUploads(place, backends, uploads, settings);
    this.createUpload = (key, options) => this.#uploads.create(key, options);
    this.putPart = (key, id, number, body, options) => this.#uploads.putPart(key, id, number, body, options);
    this.listParts = (key, id, options) => this.#uploads.listParts(key, id, options);
    this.abortUpload = (key, id, options) => this.#uploads.abort(key, id, options);
    this.listUploads = (options) => this.#uploads.list(options);
    const { open, pin, findPart, listObjectParts, getTags, amend } = bare;
    if (open) this.open = (key, range, options) => this.#open(key, range, options);
    if (pin) this.pin = (key, meta, options) => this.#pin(key, meta, options);
    if (findPart) {
      this.findPart = (key, meta, number, options) =>
        this.#persisted(key, options, (backend) => backend.findPart?.(key, meta, number, options));
    }
    if (listObjectParts) {
      this.listObjectParts = (key, meta, options) =>
        this.#persisted(
          key,
          options,
          (backend) =>
            backend.listObjectParts?.(key, meta, options) as ReturnType<NonNullable<typeof listObjectParts>>,
        );
    }
    if (getTags) this.getTags = (key, options) => this.#tags(key, options);
    if (amend) this.amend = (key, change, options) => this.#amend(key, change, options);
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectMeta> {
    checkSignal(options.signal, this.uri, key);
    if (this.#isSure(key)) return this.#nearest().head(key, options);
    const found = await this.#elsewhere.find(this.#place, key);
    return found ? this.#metaOf(found) : this.#bare.head(key, options);
  }

  async *read(
    key: string,
    meta: ObjectMeta,
    range: ByteRange,
    options: CallOptions = {},
  ): AsyncGenerator<Buffer> {
    // The bytes of a version are the same wherever they lie, so the nearest place comes first.
    const isElsewhere = this.#settings.rules.wasBack() && this.#elsewhere.has(this.#place, key);
    if (!isElsewhere) {
      let hasBegun = false;
      try {
        for await (const piece of this.#nearest().read(key, meta, range, options)) {
          hasBegun = true;
          yield piece;
        }
        return;
      } catch (error) {
        if (!isMoved(error) || hasBegun || this.#isSure(key)) throw error;
      }
    }
    checkSignal(options.signal, this.uri, key);
    const found = await this.#elsewhere.find(this.#place, key);
    if (found && this.#generationOf(found) === meta.generation) {
      yield* this.#elsewhere.bytes(found, range, options.signal);
      return;
    }
    yield* this.#nearest().read(key, meta, range, options);
  }

  async put(key: string, body: UploadBody, options: PutOptions): Promise<ObjectMeta> {
    await this.#cleared(key, options);
    return this.#writable(key).put(key, body, options);
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<Deletion> {
    await this.#cleared(key, options);
    return this.#writable(key).delete(key, options);
  }

  async list(options: ListOptions) {
    if (!this.#settings.rules.wasBack()) return this.#bare.list(options);
    checkSignal(options.signal, this.uri);
    const heads = await this.#elsewhere.under(this.#place, options.prefix);
    const pending = heads
      .map((change) => ({ key: change.key, change }))
      .sort((a, b) => compareUtf8(a.key, b.key));
    return listPending(this.#inner, pending, options, (entry) => this.#stamped.listed(entry));
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    await this.#cleared(key, options);
    if (this.#settings.rules.wasBack()) {
      // The storage copies what it has itself.
      await this.#elsewhere.flush(this.#place, { key: sourceKey }, this.#settings.barrierMs, options.signal);
    }
    return this.#writable(key).copy(sourceKey, key, options);
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions = {},
  ): Promise<ObjectMeta> {
    await this.#cleared(key, options);
    return this.#uploads.complete(key, uploadId, parts, options);
  }

  close(): Promise<void> {
    return this.#bare.close();
  }

  /** Whatever is known without asking another node. */
  #nearest(): Backend {
    return this.#current() ?? this.#bare;
  }

  /** Whether this node knows by itself all that is pending for the key, at this very moment. */
  #isSure(key: string): boolean {
    const { rules } = this.#settings;
    if (!rules.wasBack()) return true;
    return this.#elsewhere.isReady(rules.hashOf(key)) && !this.#elsewhere.has(this.#place, key);
  }

  #generationOf({ head }: Found): string {
    const [epoch, sequence] = head.stamp;
    return generationOf(formatStamp({ origin: this.#settings.origin, epoch, sequence }));
  }

  #metaOf(found: Found): ObjectMeta {
    const { meta, key } = found.head;
    if (meta) return { ...meta, generation: this.#generationOf(found), generationSettled: true };
    throw new UfsError('not-found', 'there is no such object', { backend: this.uri, key });
  }

  async #open(key: string, range: OpenRange, options: CallOptions = {}): Promise<OpenedObject> {
    checkSignal(options.signal, this.uri, key);
    if (this.#isSure(key)) return (await this.#nearest().open?.(key, range, options)) as OpenedObject;
    const found = await this.#elsewhere.find(this.#place, key);
    if (!found) return (await this.#bare.open?.(key, range, options)) as OpenedObject;
    const meta = this.#metaOf(found);
    const start = Math.min(range.start, meta.sizeBytes);
    const end = Math.max(start, Math.min(range.end ?? meta.sizeBytes, meta.sizeBytes));
    return {
      meta,
      range: { start, end },
      read: (part, { signal } = {}) => this.#elsewhere.bytes(found, part, signal),
      close: () => {},
    };
  }

  async #pin(key: string, meta: ObjectMeta, options: CallOptions = {}): Promise<() => Promise<void>> {
    try {
      return (await this.#nearest().pin?.(key, meta, options)) ?? (async () => {});
    } catch (error) {
      if (!isMoved(error) || this.#isSure(key)) throw error;
      // Another node holds it, as long as it is pending there.
      return async () => {};
    }
  }

  async #tags(key: string, options: VersionOptions = {}): Promise<readonly Tag[]> {
    if (this.#isSure(key)) return this.#nearest().getTags?.(key, options) ?? [];
    const found = options.versionId === undefined ? await this.#elsewhere.find(this.#place, key) : undefined;
    if (!found) return this.#bare.getTags?.(key, options) ?? [];
    this.#metaOf(found);
    return found.head.tags ?? [];
  }

  /** Of a version that the storage has. */
  async #persisted<T>(
    key: string,
    options: CallOptions = {},
    work: (backend: Backend) => Promise<T> | undefined,
  ): Promise<T> {
    if (!this.#isSure(key)) {
      await this.#elsewhere.flush(this.#place, { key }, this.#settings.barrierMs, options.signal);
    }
    return (await work(this.#nearest())) as T;
  }

  async #amend(key: string, change: ObjectChange, options: VersionOptions = {}): Promise<ObjectMeta> {
    await this.#cleared(key, options);
    return (await this.#writable(key).amend?.(key, change, options)) as ObjectMeta;
  }

  /** Resolves when this node may change the key and nothing of it is pending in other sets than its own. */
  async #cleared(key: string, { signal }: CallOptions): Promise<void> {
    const { rules, barrierMs, isAwaiting } = this.#settings;
    if (!rules.wasBack()) return;
    const hash = rules.hashOf(key);
    const untilMs = this.#clock.monotonicMs() + barrierMs;
    for (;;) {
      checkSignal(signal, this.uri, key);
      const isReady = this.#elsewhere.isReady(hash);
      const isBehind = this.#elsewhere.has(this.#place, key);
      const hasSet = !rules.isBack() || this.#current() !== undefined;
      if (isReady && hasSet && !isBehind && !isAwaiting(key)) return;
      const leftMs = untilMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || !this.#elsewhere.owns(hash)) {
        const message = 'earlier writes wait for the storage, or the object is passing to this node';
        throw this.#busy(key, message);
      }
      if (isReady && isBehind) await this.#elsewhere.flush(this.#place, { key }, leftMs, signal);
      else await this.#clock.sleep(lookEveryMs);
    }
  }

  #writable(key: string): Backend {
    const current = this.#current();
    if (current || !this.#settings.rules.isBack()) return current ?? this.#bare;
    throw this.#busy(key, 'the node is about to open a set of pending writes');
  }

  #busy(key: string, message: string): UfsError {
    return new UfsError('throttled', message, { backend: this.uri, key });
  }
}
