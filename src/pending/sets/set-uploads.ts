import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Backend, CallOptions, ListPartsPage } from '../../ufs/backend.ts';
import { UfsError } from '../../ufs/errors.ts';
import { FileSystemError } from '../../ufs/file-system.ts';
import { UploadExpiry } from '../../ufs/upload-expiry.ts';
import { maxHeldUploads } from '../held-uploads.ts';
import type { Elsewhere } from './elsewhere.ts';
import type { KeptSet } from './kept-set.ts';
import type { KeptSets } from './kept-sets.ts';
import type { MovedUpload, MovedUploads } from './moved-uploads.ts';
import { type Question, SetRefusal } from './set-peers.ts';
import type { AskUpload, UploadAnswer, UploadsAnswer, UploadUnderWay } from './set-wire.ts';

/** For all of an upload's parts to come to the storage, ms. */
const moveMs = 30_000;

export interface SetUploadsSettings {
  /** An upload in parts that nothing was done with for so long is given up; 0: never. */
  readonly maxUploadIdleMs: number;
}

/** After so long it is tried again to bring parts to the storage, ms. */
const againMs = 5_000;

/** What names an upload. */
export interface UploadName {
  /** The place at a storage. */
  readonly chain: string;
  readonly key: string;
  readonly uploadId: string;
}

/**
 * Uploads in parts of the whole cluster whose parts do not lie at the storage. They lie with the node that owned the object when its upload began. Where
 * that one does not go on with it, it brings them to the storage, and the upload goes on there.
 */
export class SetUploads {
  readonly #log: Log;
  readonly #kept: KeptSets;
  readonly #elsewhere: Elsewhere;
  readonly #moved: MovedUploads;
  readonly #places: ReadonlyMap<string, { readonly bare: Backend }>;
  readonly #expiry: UploadExpiry;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  /** Sets whose uploads are being brought to the storage. */
  readonly #leaving = new WeakSet<KeptSet>();

  /** `places`: the storages that are open here, by place. */
  constructor(
    clock: Clock,
    log: Log,
    kept: KeptSets,
    elsewhere: Elsewhere,
    moved: MovedUploads,
    places: ReadonlyMap<string, { readonly bare: Backend }>,
    { maxUploadIdleMs }: SetUploadsSettings,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#kept = kept;
    this.#elsewhere = elsewhere;
    this.#moved = moved;
    this.#places = places;
    this.#expiry = new UploadExpiry(
      clock,
      () => this.#removeIdle(clock.nowMs() - maxUploadIdleMs),
      (err) => log.warn({ err }, 'uploads that nothing was done with could not be removed'),
    );
    this.#expiry.start({ maxCount: maxHeldUploads, maxIdleMs: maxUploadIdleMs });
  }

  /** As one who keeps sets. Rejects with `SetRefusal` where it cannot be done now. */
  async answer({
    chain,
    key,
    uploadId,
    act,
    page,
  }: Omit<AskUpload, 'ask' | 'op' | 'sentMs'>): Promise<UploadAnswer> {
    const { sets, set } = this.#kept.holderOf(chain, key, uploadId);
    if (!set) return { sets };
    const uploads = set.uploads.get(chain);
    if (!uploads) throw new SetRefusal('the storage of the upload is not open');
    try {
      if (act === 'move') return { sets, found: { movedTo: await this.#move(set, chain, key, uploadId) } };
      if (act === 'parts')
        return { sets, found: { parts: await uploads.listParts(key, uploadId, page ?? { limit: 1000 }) } };
      await uploads.abort(key, uploadId);
      return { sets, found: {} };
    } catch (error) {
      if (isGone(error)) return { sets };
      throw error instanceof UfsError ? new SetRefusal(error.message) : error;
    }
  }

  /** Where an upload goes on at the storage; undefined where nobody knows of it. Rejects with `UfsError`. */
  async moved(upload: UploadName, { signal }: CallOptions = {}): Promise<string | undefined> {
    const { chain, key, uploadId } = upload;
    const known = await this.#moved.find(chain, key, uploadId);
    if (known) return known.movedTo;
    const [found] = await this.#ask({ ...upload, act: 'move' }, { timeoutMs: moveMs, signal });
    // It may have gone there in between.
    return found?.movedTo ?? (await this.#moved.find(chain, key, uploadId))?.movedTo;
  }

  /** A page of an upload's parts; undefined where nobody knows of it. `bare`: the storage. Rejects with `UfsError`. */
  async parts(
    upload: UploadName,
    page: { readonly afterPartNumber?: number; readonly limit: number },
    bare: Backend,
  ): Promise<ListPartsPage | undefined> {
    const { chain, key, uploadId } = upload;
    const atStorage = async (known: MovedUpload | undefined) =>
      known &&
      this.atStorage(upload, async () => ({
        ...(await bare.listParts(key, known.movedTo, page)),
        upload: known.info,
      }));
    const known = await atStorage(await this.#moved.find(chain, key, uploadId));
    if (known) return known;
    const { afterPartNumber, limit } = page;
    const [found] = await this.#ask({ ...upload, act: 'parts', page: { afterPartNumber, limit } });
    return found?.parts ?? atStorage(await this.#moved.find(chain, key, uploadId));
  }

  /** True if somebody had such an upload, which is gone now. Rejects with `UfsError`. */
  async abort(upload: UploadName): Promise<boolean> {
    return (await this.#ask({ ...upload, act: 'abort' })).length > 0;
  }

  /** Runs `work` with an upload that went on at the storage; where that says that there is none, nobody knows of it any more. */
  async atStorage<T>(upload: UploadName, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isGone(error)) await this.ended(upload);
      throw error;
    }
  }

  /** It has ended at the storage. */
  async ended({ chain, uploadId }: UploadName): Promise<void> {
    // What is left behind is found when idle uploads are looked for.
    await this.#moved.forget(chain, uploadId).catch(() => undefined);
  }

  /** All of a place. Rejects with `UfsError`. */
  async of(chain: string): Promise<readonly UploadUnderWay[]> {
    const found = new Map<string, UploadUnderWay>();
    for (let after: string | undefined; ; ) {
      const question = { ask: 'uploads', chain, after } as const;
      const answers = await this.#elsewhere.every<UploadsAnswer>(question, async () =>
        this.#kept.uploadsOf(chain, after),
      );
      for (const { uploads } of answers) for (const one of uploads) found.set(one.info.uploadId, one);
      // As far as each of those has told that has more.
      const ends = answers
        .filter(({ isLast }) => !isLast)
        .map(({ uploads }) => uploads.at(-1)?.info.uploadId);
      if (ends.length === 0) break;
      after = ends.reduce((a, b) => ((a ?? '') < (b ?? '') ? a : b));
    }
    // Afterwards: one that is moving is known either there or here.
    for (const one of await this.#moved.of(chain)) found.set(one.info.uploadId, one);
    return [...found.values()];
  }

  /** Brings the parts of all uploads of a set to their storages, as far as that can be done. */
  async moveAll(set: KeptSet): Promise<void> {
    for (const chain of set.uploads.keys()) {
      for (const { info } of set.journal.uploads.of(chain)) {
        try {
          await this.#move(set, chain, info.key, info.uploadId);
        } catch (err) {
          if (!(err instanceof UfsError || err instanceof FileSystemError)) throw err;
          this.#log.debug(
            { err, key: info.key },
            'the parts of an upload could not be brought to its storage',
          );
        }
      }
    }
  }

  /** As `moveAll`, in the background: the set's uploads do not go on in it. */
  leave(set: KeptSet): void {
    if (set.journal.uploads.count === 0 || !set.isActive || this.#leaving.has(set)) return;
    this.#leaving.add(set);
    const leaving = async () => {
      await this.moveAll(set);
      if (set.journal.uploads.count > 0)
        await this.#clock.sleep(againMs, this.#closed.signal).catch(() => {});
      this.#leaving.delete(set);
    };
    leaving().catch((err: unknown) =>
      this.#log.error({ err }, 'uploads could not be brought to their storage'),
    );
  }

  /** Forgets all of a place that went on at its storage. Rejects with `UfsError`. */
  async forgetAll(chain: string): Promise<void> {
    for (const { info } of await this.#moved.of(chain)) await this.#moved.forget(chain, info.uploadId);
  }

  close(): Promise<void> {
    this.#closed.abort();
    return this.#expiry.stop();
  }

  /** Gives uploads up that nothing was done with since then, ms since the Unix epoch, and forgets where those went that are over at the storage. */
  async #removeIdle(sinceMs: number): Promise<void> {
    for (const { journal } of this.#kept) {
      for (const upload of journal.uploads.idleSince(sinceMs))
        await journal.uploads.exclusively(upload.info.uploadId, () => journal.discardUpload(upload));
    }
    for (const [chain, { bare }] of this.#places) {
      for (const { info, movedTo } of await this.#moved.of(chain)) {
        if (this.#closed.signal.aborted) return;
        if (info.initiatedMs >= sinceMs) continue;
        const upload = { chain, key: info.key, uploadId: info.uploadId };
        const looking = this.atStorage(upload, () => bare.listParts(info.key, movedTo, { limit: 1 }));
        // Of a storage that does not answer nothing is known: another time.
        if (!(await looking.catch(passOver))) break;
      }
    }
  }

  async #move({ uploads, journal }: KeptSet, chain: string, key: string, uploadId: string): Promise<string> {
    const handler = uploads.get(chain);
    if (!handler) throw new SetRefusal('the storage of the upload is not open');
    const movedTo = await handler.moved(key, uploadId);
    await journal.uploads.exclusively(uploadId, async () => {
      // It may have ended in between.
      const upload = journal.uploads.find(chain, key, uploadId);
      if (!upload) return;
      await this.#moved.note({ chain, info: upload.info, movedTo });
      await journal.discardUpload(upload);
    });
    return movedTo;
  }

  async #ask(
    asked: Omit<Question<AskUpload>, 'ask'>,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ) {
    const answers = await this.#elsewhere.every<UploadAnswer>(
      { ask: 'upload', ...asked },
      () => this.answer(asked),
      { ...options, isFinal: ({ found }) => found !== undefined },
    );
    return answers.flatMap(({ found }) => found ?? []);
  }
}

/** Whether the error says that there is no such upload. */
export function isGone(error: unknown): boolean {
  return error instanceof UfsError && error.kind === 'no-such-upload';
}

/** True if it says that there is no such upload. */
function passOver(error: unknown): boolean {
  if (!(error instanceof UfsError)) throw error;
  return isGone(error);
}
