import type { ObjectMeta, UploadBody } from '../../common/object-meta.ts';
import type {
  Backend,
  CallOptions,
  CompleteOptions,
  CompletePart,
  CreateUploadOptions,
  ListPartsPage,
  ListUploadsOptions,
  ListUploadsPage,
  UploadedPart,
  UploadInfo,
} from '../../ufs/backend.ts';
import { UfsError } from '../../ufs/errors.ts';
import { type HeldUpload, isHeldUpload } from '../held-uploads.ts';
import { listUploads } from '../upload-list.ts';
import { isGone, type SetUploads, type UploadName } from './set-uploads.ts';

export interface PlaceUploadsSettings {
  readonly rules: { wasBack(): boolean };
  /** Whether changes of the key that were given up by their clients are still to come to be pending, in the set that this node writes to. */
  readonly isAwaiting: (key: string) => boolean;
  /** An upload whose parts lie in the set that this node writes to. */
  readonly heldUpload: (key: string, uploadId: string) => HeldUpload | undefined;
}

/** What a place's requests are given to. */
export interface PlaceBackends {
  /** The storage. */
  readonly bare: Backend;
  /** With what is pending in the set that this node writes to, if it has one. */
  nearest(): Backend;
  /** The same, where this node may have something of the key come to be pending. */
  own(key: string): Backend | undefined;
  /** Throws `UfsError` where nothing of the key can be changed now. */
  writable(key: string): Backend;
}

/** Uploads in parts of one place at a storage, as clients go on with them: through whichever node, under one id, wherever their parts lie. */
export class PlaceUploads {
  readonly #place: string;
  readonly #backends: PlaceBackends;
  readonly #uploads: SetUploads;
  readonly #settings: PlaceUploadsSettings;

  constructor(place: string, backends: PlaceBackends, uploads: SetUploads, settings: PlaceUploadsSettings) {
    this.#place = place;
    this.#backends = backends;
    this.#uploads = uploads;
    this.#settings = settings;
  }

  /** Its parts lie with the owner of the object; another node has the storage begin it. */
  create(key: string, options: CreateUploadOptions): Promise<UploadInfo> {
    const { own, bare } = this.#backends;
    return (own(key) ?? bare).createUpload(key, options);
  }

  async putPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UploadBody,
    options: CallOptions = {},
  ): Promise<UploadedPart> {
    const put = (backend: Backend, id: string) => backend.putPart(key, id, partNumber, body, options);
    if (this.#liesHere(key, uploadId)) {
      try {
        return await put(this.#backends.nearest(), uploadId);
      } catch (error) {
        if (!isGone(error)) throw error;
        // The body has been read; it is to be sent again.
        throw this.#busy(key, 'the upload is passing to the storage');
      }
    }
    const upload = this.#named(key, uploadId);
    const movedTo = upload && (await this.#uploads.moved(upload, options));
    if (movedTo === undefined) return put(this.#backends.bare, uploadId);
    return this.#uploads.atStorage(upload as UploadName, () => put(this.#backends.bare, movedTo));
  }

  async listParts(
    key: string,
    uploadId: string,
    options: Parameters<Backend['listParts']>[2],
  ): Promise<ListPartsPage> {
    if (this.#liesHere(key, uploadId)) {
      try {
        return await this.#backends.nearest().listParts(key, uploadId, options);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    const upload = this.#named(key, uploadId);
    const found = upload && (await this.#uploads.parts(upload, options, this.#backends.bare));
    return found ?? this.#backends.bare.listParts(key, uploadId, options);
  }

  async abort(key: string, uploadId: string, options: CallOptions = {}): Promise<void> {
    const upload = this.#named(key, uploadId);
    if (!upload) return this.#backends.bare.abortUpload(key, uploadId, options);
    if (this.#liesHere(key, uploadId)) {
      try {
        return await this.#backends.nearest().abortUpload(key, uploadId, options);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    if (await this.#uploads.abort(upload)) return;
    const movedTo = await this.#uploads.moved(upload, options);
    const abort = () => this.#backends.bare.abortUpload(key, movedTo ?? uploadId, options);
    await this.#uploads.atStorage(upload, abort);
    await this.#uploads.ended(upload);
  }

  async list(options: ListUploadsOptions): Promise<ListUploadsPage> {
    if (!this.#settings.rules.wasBack()) return this.#backends.bare.listUploads(options);
    return listUploads(this.#backends.bare, await this.#uploads.of(this.#place), options);
  }

  /** The node may change the key at this moment. */
  async complete(
    key: string,
    uploadId: string,
    parts: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    const complete = (id: string) => this.#backends.writable(key).completeUpload(key, id, parts, options);
    const upload = this.#named(key, uploadId);
    if (!upload) return complete(uploadId);
    const held = this.#settings.heldUpload(key, uploadId);
    if (held) {
      try {
        const made = await complete(uploadId);
        if (held.movedTo !== undefined) await this.#uploads.ended(upload);
        return made;
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    const movedTo = await this.#uploads.moved(upload, options);
    if (movedTo !== undefined) {
      try {
        const made = await complete(movedTo);
        await this.#uploads.ended(upload);
        return made;
      } catch (error) {
        if (!isGone(error)) throw error;
        await this.#uploads.ended(upload);
      }
    }
    try {
      // It may have been completed before.
      return await complete(uploadId);
    } catch (error) {
      if (!isGone(error) || !this.#settings.isAwaiting(key)) throw error;
      throw this.#busy(key, 'an earlier write is on its way to its copies');
    }
  }

  /** Undefined for an upload of the storage's own. */
  #named(key: string, uploadId: string): UploadName | undefined {
    const isHeld = this.#settings.rules.wasBack() && isHeldUpload(uploadId);
    return isHeld ? { chain: this.#place, key, uploadId } : undefined;
  }

  #liesHere(key: string, uploadId: string): boolean {
    return this.#settings.heldUpload(key, uploadId) !== undefined;
  }

  #busy(key: string, message: string): UfsError {
    return new UfsError('throttled', message, { backend: this.#backends.bare.uri, key });
  }
}
