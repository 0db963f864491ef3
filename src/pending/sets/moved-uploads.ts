import { CoordError, type CoordStore } from '../../coord/store.ts';
import type { UploadInfo } from '../../ufs/backend.ts';
import { UfsError } from '../../ufs/errors.ts';

const prefix = 'pending/uploads/';

/** An upload whose parts were brought to the storage, where it goes on under another id than its client knows. */
export interface MovedUpload {
  readonly chain: string;
  /** As its client knows it. */
  readonly info: UploadInfo;
  readonly movedTo: string;
}

/** Where uploads went, in the coordination store, so that every node knows. Rejects with `UfsError`. */
export class MovedUploads {
  readonly #store: CoordStore;

  constructor(store: CoordStore) {
    this.#store = store;
  }

  note(upload: MovedUpload): Promise<unknown> {
    const { chain, info } = upload;
    return asked(chain, this.#store.putIf(prefix + info.uploadId, JSON.stringify(upload), 'any'));
  }

  async find(chain: string, key: string, uploadId: string): Promise<MovedUpload | undefined> {
    const entry = await asked(chain, this.#store.get(prefix + uploadId));
    const found = entry && (JSON.parse(entry.value) as MovedUpload);
    return found?.chain === chain && found.info.key === key ? found : undefined;
  }

  /** Those of a place. */
  async of(chain: string): Promise<MovedUpload[]> {
    const { entries } = await asked(chain, this.#store.list(prefix));
    return entries
      .map(({ value }) => JSON.parse(value) as MovedUpload)
      .filter((upload) => upload.chain === chain);
  }

  forget(chain: string, uploadId: string): Promise<unknown> {
    return asked(chain, this.#store.deleteIf(prefix + uploadId, 'any'));
  }
}

async function asked<T>(backend: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof CoordError)) throw cause;
    throw new UfsError('unavailable', `it cannot be told where an upload is: ${cause.message}`, {
      backend,
      cause,
    });
  }
}
