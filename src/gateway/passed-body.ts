import type { AnnouncedChecksum, Checksums, DigestName, UploadBody } from '../common/object-meta.ts';

/** A body that is another one but for what is done when its bytes pass. */
export abstract class PassedBody implements UploadBody {
  readonly sizeBytes: number;
  protected readonly body: UploadBody;

  constructor(body: UploadBody) {
    this.sizeBytes = body.sizeBytes;
    this.body = body;
  }

  get announcedChecksum(): AnnouncedChecksum | undefined {
    return this.body.announcedChecksum;
  }

  need(name: DigestName): void {
    this.body.need(name);
  }

  digest(name: DigestName): Buffer {
    return this.body.digest(name);
  }

  sentChecksums(): Checksums {
    return this.body.sentChecksums();
  }

  abstract [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined>;
}
