import { Readable } from 'node:stream';
import type { UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { Deadline } from './deadline.ts';
import { UfsError } from './errors.ts';
import { type For, type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import { isUnreached } from './hdfs-errors.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import { checkSignal } from './write-rules.ts';

/** A file that nobody sees yet. */
export interface StagedFile {
  readonly path: string;
  readonly status: HdfsStatus;
}

type Upload = For & { readonly key: string };

/** DataNodes that are tried for one body, as long as none has taken a byte of it. */
const placeCount = 3;
/** Between attempts to remove a file that may yet be made. */
const pausesMs = [20, 100, 400, 1_500, 5_000, 0];

/**
 * The folder of this process, `.forebay/<uuid>.<epoch>`: what becomes visible is renamed out of it, and what is taken away is renamed into
 * it. So renaming the folder itself away ends every such change that has not happened yet, however late it comes (consistency rule 7).
 */
export class HdfsStaging {
  readonly #random: Random;
  readonly #client: HdfsClient;
  readonly #place: HdfsPlace;
  readonly #uuid: string;
  readonly #background = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #epoch = 0;
  /** Whether there may be such a folder. */
  #used = false;

  constructor(random: Random, client: HdfsClient, place: HdfsPlace) {
    this.#random = random;
    this.#client = client;
    this.#place = place;
    this.#uuid = random.uuid();
  }

  get folder(): string {
    return `${this.#place.own}/${this.#uuid}.${this.#epoch}`;
  }

  /** The name of a run's folder, as `folder` makes it. */
  isFolderName(name: string): boolean {
    return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.\d+(\.gone)?$/.test(name);
  }

  newPath(): string {
    return `${this.folder}/${this.#random.uuid()}`;
  }

  /** Where nothing was written yet there is no folder. */
  async ensure(options: For): Promise<void> {
    this.#used = true;
    await this.#client.makeDirectory(this.folder, options);
  }

  /**
   * Writes a body to a new file. Rejects with what the body rejects with, and with `UfsError`; nothing is left behind then. A body's last
   * bytes are sent only once all of it was found right.
   */
  async write(body: UploadBody, upload: Upload): Promise<StagedFile> {
    this.#used = true;
    const path = this.newPath();
    const excluded: string[] = [];
    for (;;) {
      const place = await this.#client.createPlace(path, excluded, upload);
      const sending = new SentBody(body, this.#place.uri, upload);
      try {
        await this.#send(place, sending, body.sizeBytes, upload);
        return await this.#check(path, body.sizeBytes, upload);
      } catch (error) {
        if (isUnreached(error) && !sending.begun && excluded.length < placeCount - 1) {
          excluded.push(place.host);
          continue;
        }
        if (sending.sent) this.#removeUntilGone(path);
        throw sending.failure ? sending.failure.error : harmless(error);
      }
    }
  }

  /** A file of text that is small. */
  async writeText(text: string, upload: Upload): Promise<StagedFile> {
    const bytes = Buffer.from(text);
    const body = {
      sizeBytes: bytes.length,
      async *[Symbol.asyncIterator]() {
        yield bytes;
      },
    };
    return this.write(body as unknown as UploadBody, upload);
  }

  /** Ends every rename out of the folder and into it that has not happened yet; gives where what was in it is now. */
  async fence(): Promise<string> {
    const folder = this.folder;
    this.#epoch++;
    const gone = `${folder}.gone`;
    try {
      await this.#client.rename(folder, gone, 'NONE');
    } catch (error) {
      // Its answer may have been lost, or there was never such a folder.
      if (!(await this.#client.find(gone)) && (await this.#client.find(folder))) throw error;
    }
    return gone;
  }

  /** Whether a file of this process lay in a folder that was renamed away. */
  isFenced(path: string): boolean {
    return path.startsWith(`${this.#place.own}/${this.#uuid}.`) && !path.startsWith(`${this.folder}/`);
  }

  /** Nobody waits for it; what stays behind is removed once it has lain long enough. */
  removeLater(path: string, recursive = false): void {
    this.#later(this.#client.remove(path, { recursive }));
  }

  /** A file whose request was broken off, and which the DataNode may yet come to make. */
  #removeUntilGone(path: string): void {
    const { clock } = this.#client.connection;
    const removed = async () => {
      for (const pauseMs of pausesMs) {
        if (await this.#client.remove(path).catch(() => false)) return;
        await clock.sleep(pauseMs, this.#closing.signal);
      }
    };
    this.#later(removed());
  }

  #later(work: Promise<unknown>): void {
    const ended = work.then(
      () => undefined,
      () => undefined,
    );
    this.#background.add(ended);
    void ended.then(() => this.#background.delete(ended));
  }

  /** Resolves when nothing is being removed any more. */
  async idle(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Takes the folder away if it is empty, so that runs do not leave folders behind. */
  async clear(): Promise<void> {
    await this.idle();
    if (this.#used) await this.#client.remove(this.folder).catch(() => false);
    this.#used = false;
  }

  async close(): Promise<void> {
    this.#closing.abort('closing');
    await this.clear();
  }

  async #send(place: URL, sending: SentBody, sizeBytes: number, upload: Upload): Promise<void> {
    const { connection } = this.#client;
    await connection.under(connection.writes, upload.signal, async () => {
      const deadline = connection.deadline(upload.signal);
      const stream = sending.open(deadline, connection.tuning.commitTimeoutMs);
      try {
        await this.#client.write(place, stream, sizeBytes, deadline, upload);
      } finally {
        deadline.end();
        stream.destroy();
      }
    });
  }

  /** The storage says so itself that all of it is there. */
  async #check(path: string, sizeBytes: number, upload: Upload): Promise<StagedFile> {
    try {
      const status = await this.#client.status(path, upload);
      if (status.length === sizeBytes) return { path, status };
      const message = `the storage has ${status.length} of ${sizeBytes} bytes`;
      throw new UfsError('io', message, { backend: this.#place.uri, key: upload.key });
    } catch (error) {
      if (!isAbsent(error)) throw error;
      const message = 'somebody removed a file that was being written';
      const details = { backend: this.#place.uri, key: upload.key, retryable: true, cause: error };
      throw new UfsError('unavailable', message, details);
    }
  }
}

/** A body as a stream: its last chunk goes out only when the whole of it was found right. */
class SentBody {
  readonly #body: UploadBody;
  readonly #backend: string;
  readonly #upload: Upload;
  /** What the body itself rejected with. */
  failure: { readonly error: unknown } | undefined;
  begun = false;
  /** Whether a byte of the request went out: with the first of the body, or with its end. */
  sent = false;

  constructor(body: UploadBody, backend: string, upload: Upload) {
    this.#body = body;
    this.#backend = backend;
    this.#upload = upload;
  }

  open(deadline: Deadline, commitTimeoutMs: number): Readable {
    const stream = Readable.from(this.#chunks(deadline, commitTimeoutMs), {
      objectMode: false,
      highWaterMark: 65_536,
    });
    // The failure is kept already; without a listener the process would stop.
    stream.on('error', () => {});
    return stream;
  }

  async *#chunks(deadline: Deadline, commitTimeoutMs: number): AsyncGenerator<Buffer, void, undefined> {
    this.begun = true;
    const pieces = this.#body[Symbol.asyncIterator]();
    try {
      let held: Buffer | undefined;
      let sizeBytes = 0;
      for (;;) {
        // While the body does not come it is not the storage that stands still.
        deadline.pause();
        const next = await pieces.next();
        deadline.resume();
        checkSignal(this.#upload.signal, this.#backend, this.#upload.key);
        if (next.done) break;
        sizeBytes += next.value.length;
        if (held) {
          this.sent = true;
          yield held;
        }
        held = next.value;
      }
      if (sizeBytes !== this.#body.sizeBytes) {
        const message = `a body of ${this.#body.sizeBytes} bytes ended after ${sizeBytes}`;
        throw new UfsError('io', message, { backend: this.#backend, key: this.#upload.key });
      }
      deadline.allow(commitTimeoutMs);
      this.sent = true;
      if (held && held.length > 0) yield held;
    } catch (error) {
      this.failure = { error };
      deadline.stop();
      throw error;
    } finally {
      await pieces.return?.();
    }
  }
}

/** The fault of a file that nobody sees: nothing becomes visible by it, however it ended. */
function harmless(error: unknown): unknown {
  if (!(error instanceof UfsError) || !error.unresolved) return error;
  const { kind, message, backend, key, code, cause } = error;
  return new UfsError(kind, message, { backend, key, code, retryable: kind === 'unavailable', cause });
}
