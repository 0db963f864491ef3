import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticated } from '../auth/authenticate.ts';
import { payloadSpec } from '../auth/payload-spec.ts';
import { RequestBody } from '../auth/upload-body.ts';
import { assert } from '../common/assert.ts';
import type { UploadBody } from '../common/object-meta.ts';
import { PassedBody } from './passed-body.ts';

/** The largest single PUT or part (S3 User Guide, "Multipart upload limits"). */
const maximumUploadBytes = 5 * 1024 ** 3;

/** A request's body: what is left unread of it, and what reads it. */
export class IncomingBody {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  /** True while the client waits for `100 Continue` before it sends the body. */
  #waiting: boolean;
  #authenticated: Authenticated | undefined;
  #abort: AbortController | undefined;
  #receivedBytes = 0;

  constructor(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean) {
    this.#req = req;
    this.#res = res;
    this.#waiting = expectsContinue;
  }

  /** Content bytes of the uploads that were read to their end. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Aborted when the client goes away before its answer has ended. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      const gone = () => {
        if (!this.#res.writableFinished) abort.abort(new Error('the client went away'));
      };
      if (this.#res.destroyed) gone();
      else this.#res.once('close', gone);
    }
    return this.#abort.signal;
  }

  /** True if the headers announce a body. */
  get isExpected(): boolean {
    return hasBody(this.#req);
  }

  /** What the client sends without being asked to and nobody has read. */
  get unread(): boolean {
    return hasBody(this.#req) && !this.#req.complete && !this.#waiting;
  }

  /** True if the connection cannot be used again, because the client has not yet decided whether to send a body. */
  get undecided(): boolean {
    return this.#waiting && hasBody(this.#req);
  }

  get request(): IncomingMessage {
    return this.#req;
  }

  /** True once the client's signature held. */
  get isAuthenticated(): boolean {
    return this.#authenticated !== undefined;
  }

  /** Before it the body must not be read. */
  accept(authenticated: Authenticated): void {
    this.#authenticated = authenticated;
  }

  /** Everything that the headers alone show to be wrong is thrown here, before the client is asked to send the body. */
  upload(): UploadBody {
    const { payload, chunkSigning } = this.#accepted();
    const rules = { maximumBytes: maximumUploadBytes, lengthRequired: true, checksumsOf: 'body' } as const;
    const spec = payloadSpec(this.#req.headers, payload, rules);
    return new AwaitedBody(new RequestBody(this.#req, spec, chunkSigning), {
      start: () => this.#continue(),
      end: () => {
        this.#receivedBytes += spec.sizeBytes;
      },
    });
  }

  async text(limitBytes: number, checksumsOf: 'body' | 'object'): Promise<string> {
    const { payload, chunkSigning } = this.#accepted();
    const rules = { maximumBytes: Number.MAX_SAFE_INTEGER, lengthRequired: false, checksumsOf };
    const spec = payloadSpec(this.#req.headers, payload, rules);
    if (spec.sizeBytes <= limitBytes) this.#continue();
    return new RequestBody(this.#req, spec, chunkSigning).readText(limitBytes);
  }

  #accepted(): Authenticated {
    assert(this.#authenticated, 'a body is read after its request was authenticated');
    return this.#authenticated;
  }

  #continue(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#res.writeContinue();
  }
}

/** An upload whose client is asked for the bytes when they are first wanted, not before. */
class AwaitedBody extends PassedBody {
  readonly #events: { readonly start: () => void; readonly end: () => void };

  constructor(body: UploadBody, events: { readonly start: () => void; readonly end: () => void }) {
    super(body);
    this.#events = events;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    this.#events.start();
    yield* this.body;
    this.#events.end();
  }
}

function hasBody(req: IncomingMessage): boolean {
  return req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
}
