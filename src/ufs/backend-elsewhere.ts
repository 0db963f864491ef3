import type { ObjectMeta } from '../common/object-meta.ts';
import type {
  Backend,
  BackendCapabilities,
  ListPage,
  ListUploadsPage,
  PartPlace,
  UploadInfo,
} from './backend.ts';
import { UfsError } from './errors.ts';

const nothing: BackendCapabilities = {
  conditionalCreate: false,
  conditionalPut: false,
  conditionalCompleteCreate: false,
  conditionalComplete: false,
  conditionalCopy: false,
  conditionalDelete: false,
  multipart: false,
  serverSideCopy: false,
  exclusive: false,
  tagging: false,
  objectAcls: true,
  stamps: false,
  uploadStamps: false,
  anyKey: true,
  versions: false,
  versioning: false,
};

/** Stands for a backend that another thread has open: every call rejects with kind `unavailable`. */
export class BackendElsewhere implements Backend {
  readonly uri: string;
  readonly capabilities = nothing;

  constructor(uri: string) {
    this.uri = uri;
  }

  async head(): Promise<ObjectMeta> {
    throw this.elsewhere();
  }

  read(): AsyncIterable<Buffer> {
    const next = async (): Promise<IteratorResult<Buffer>> => {
      throw this.elsewhere();
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async put(): Promise<ObjectMeta> {
    throw this.elsewhere();
  }

  async delete(): Promise<never> {
    throw this.elsewhere();
  }

  async list(): Promise<ListPage> {
    throw this.elsewhere();
  }

  async copy(): Promise<ObjectMeta> {
    throw this.elsewhere();
  }

  async createUpload(): Promise<UploadInfo> {
    throw this.elsewhere();
  }

  async putPart(): Promise<never> {
    throw this.elsewhere();
  }

  async listParts(): Promise<never> {
    throw this.elsewhere();
  }

  async completeUpload(): Promise<ObjectMeta> {
    throw this.elsewhere();
  }

  async abortUpload(): Promise<void> {
    throw this.elsewhere();
  }

  async listUploads(): Promise<ListUploadsPage> {
    throw this.elsewhere();
  }

  async findPart(): Promise<PartPlace> {
    throw this.elsewhere();
  }

  async close(): Promise<void> {
    // Nothing is open here.
  }

  private elsewhere(): UfsError {
    return new UfsError('unavailable', 'another thread has this storage open', { backend: this.uri });
  }
}
