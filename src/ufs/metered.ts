import type { ByteRange } from '../common/byte-range.ts';
import type { Metrics } from '../common/metrics.ts';
import { nothing } from '../common/nothing.ts';
import type { ObjectMeta, Tag, UploadBody } from '../common/object-meta.ts';
import type {
  Backend,
  CallOptions,
  CompleteOptions,
  CompletePart,
  CopyOptions,
  CreateUploadOptions,
  DeleteOptions,
  ListOptions,
  ListUploadsOptions,
  ObjectPartsPage,
  OpenedObject,
  OpenRange,
  PartPlace,
  ProbedAbilities,
  PutOptions,
} from './backend.ts';
import { BackendLayer } from './backend-layer.ts';
import type { BackendVersions } from './backend-versions.ts';

/** Counts every call to a backend, and the object bytes that go in and out; changes nothing else. */
export class MeteredBackend extends BackendLayer implements Backend {
  private readonly metrics: Metrics;
  private readonly inner: Backend;
  private readonly mount: string;

  /** `mount` is the label under which it is counted. */
  constructor(metrics: Metrics, inner: Backend, mount: string) {
    super(inner);
    this.metrics = metrics;
    this.inner = inner;
    this.mount = mount;
    if (inner.versions) this.versions = this.countedVersions();
    if (inner.open) this.open = (key, range, options) => this.opened(key, range, options);
    // `pin` asks nothing of a storage that reading does not ask for anyway, so it is not counted.
    if (inner.findPart) {
      this.findPart = (key, partMeta, partNumber, options) =>
        this.count('head').findPart?.(key, partMeta, partNumber, options) as Promise<PartPlace>;
    }
    if (inner.listObjectParts) {
      this.listObjectParts = (key, partsMeta, options) =>
        this.count('head').listObjectParts?.(key, partsMeta, options) as Promise<ObjectPartsPage>;
    }
    if (inner.getTags) {
      this.getTags = (key, options) =>
        this.count('getTags').getTags?.(key, options) as Promise<readonly Tag[]>;
    }
    if (inner.amend) {
      this.amend = (key, change, options) =>
        this.count('amend').amend?.(key, change, options) as Promise<ObjectMeta>;
    }
    if (inner.fence) this.fence = (mayWrite) => this.count('fence').fence?.(mayWrite) ?? Promise.resolve();
    if (inner.reach) this.reach = (options) => this.count('reach').reach?.(options) ?? nothing();
    if (inner.probe) {
      this.probe = (key, options) => this.count('probe').probe?.(key, options) as Promise<ProbedAbilities>;
    }
  }

  head(key: string, options?: CallOptions) {
    return this.count('head').head(key, options);
  }

  read(key: string, meta: ObjectMeta, range: ByteRange, options?: CallOptions): AsyncGenerator<Buffer> {
    return this.bytesOf(() => this.count('read').read(key, meta, range, options));
  }

  private async opened(key: string, range: OpenRange, options?: CallOptions): Promise<OpenedObject> {
    const opened = (await this.count('read').open?.(key, range, options)) as OpenedObject;
    return { ...opened, read: (part, how) => this.bytesOf(() => opened.read(part, how)) };
  }

  private async *bytesOf(read: () => AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const bytes = this.metrics.backendBytes.labels(this.mount, 'read');
    for await (const chunk of read()) {
      bytes.inc(chunk.length);
      yield chunk;
    }
  }

  put(key: string, body: UploadBody, options: PutOptions) {
    return this.count('put').put(key, this.counted(body), options);
  }

  delete(key: string, options?: DeleteOptions) {
    return this.count('delete').delete(key, options);
  }

  list(options: ListOptions) {
    return this.count('list').list(options);
  }

  copy(sourceKey: string, key: string, options: CopyOptions) {
    return this.count('copy').copy(sourceKey, key, options);
  }

  createUpload(key: string, options: CreateUploadOptions) {
    return this.count('createUpload').createUpload(key, options);
  }

  putPart(key: string, uploadId: string, partNumber: number, body: UploadBody, options?: CallOptions) {
    return this.count('putPart').putPart(key, uploadId, partNumber, this.counted(body), options);
  }

  listParts(
    key: string,
    uploadId: string,
    options: CallOptions & { readonly afterPartNumber?: number; readonly limit: number },
  ) {
    return this.count('listParts').listParts(key, uploadId, options);
  }

  completeUpload(key: string, uploadId: string, parts: readonly CompletePart[], options?: CompleteOptions) {
    return this.count('completeUpload').completeUpload(key, uploadId, parts, options);
  }

  abortUpload(key: string, uploadId: string, options?: CallOptions) {
    return this.count('abortUpload').abortUpload(key, uploadId, options);
  }

  listUploads(options: ListUploadsOptions) {
    return this.count('listUploads').listUploads(options);
  }

  close() {
    return this.inner.close();
  }

  private countedVersions(): BackendVersions {
    const of = (operation: string) => this.count(operation).versions as BackendVersions;
    const { mode } = this.inner.versions ?? {};
    return {
      head: (key, versionId, options) => of('head').head(key, versionId, options),
      delete: (key, versionId, options) => of('delete').delete(key, versionId, options),
      list: (options) => of('listVersions').list(options),
      ...(mode ? { mode: (options) => of('versioning').mode?.(options) as ReturnType<typeof mode> } : {}),
    };
  }

  private count(operation: string): Backend {
    this.metrics.backendRequests.inc({ mount: this.mount, operation });
    return this.inner;
  }

  private counted(body: UploadBody): UploadBody {
    const bytes = this.metrics.backendBytes.labels(this.mount, 'write');
    return {
      sizeBytes: body.sizeBytes,
      announcedChecksum: body.announcedChecksum,
      need: (name) => body.need(name),
      digest: (name) => body.digest(name),
      sentChecksums: () => body.sentChecksums(),
      async *[Symbol.asyncIterator]() {
        for await (const chunk of body) {
          bytes.inc(chunk.length);
          yield chunk;
        }
      },
    };
  }
}
