import type { AnnouncedChecksum, Checksums, DigestName, UploadBody } from '../common/object-meta.ts';
import type { Intake } from '../worker/reader.ts';

/** A body whose bytes are taken in as they pass. */
export class TakenBody implements UploadBody {
  readonly #body: UploadBody;
  readonly #intake: Intake;

  constructor(body: UploadBody, intake: Intake) {
    this.#body = body;
    this.#intake = intake;
  }

  get sizeBytes(): number {
    return this.#body.sizeBytes;
  }

  get announcedChecksum(): AnnouncedChecksum | undefined {
    return this.#body.announcedChecksum;
  }

  need(name: DigestName): void {
    this.#body.need(name);
  }

  digest(name: DigestName): Buffer {
    return this.#body.digest(name);
  }

  sentChecksums(): Checksums {
    return this.#body.sentChecksums();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of this.#body) {
      this.#intake.add(chunk);
      yield chunk;
    }
  }
}
