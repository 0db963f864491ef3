import type { UploadBody } from '../common/object-meta.ts';
import type { Intake } from '../worker/reader.ts';
import { PassedBody } from './passed-body.ts';

/** A body whose bytes are taken in as they pass. */
export class TakenBody extends PassedBody {
  readonly #intake: Intake;

  constructor(body: UploadBody, intake: Intake) {
    super(body);
    this.#intake = intake;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of this.body) {
      this.#intake.add(chunk);
      yield chunk;
    }
  }
}
