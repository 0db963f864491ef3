import { Readable } from 'node:stream';
import type { UploadBody } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { Writer } from './backend-fence.ts';
import type { Deadline } from './deadline.ts';
import { UfsError } from './errors.ts';
import { type For, type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import { isUnreached } from './hdfs-errors.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import { runFolderOf } from './run-folders.ts';
import { checkSignal } from './write-rules.ts';

/** A file that nobody sees yet. */
export interface StagedFile {
  /** Where it lies: elsewhere after `rescue`. */
  path: string;
  readonly status: HdfsStatus;
}

type Upload = For & { readonly key: string };

/** The code of the error that says so. */
export const fencedCode = 'Fenced';
/** How often one change is fenced off before it is given up. */
export const maxFences = 3;
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
  readonly #writer: Pick<Writer, 'id'> & Partial<Writer>;
  readonly #background = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #epoch = 0;
  /** Whether there may be such a folder. */
  #used = false;
  /** The folder that was seen to be there. */
  #seen: string | undefined;

  /** `writer`: under which name others of a cluster know this run; without one nobody fences it. */
  constructor(random: Random, client: HdfsClient, place: HdfsPlace, writer?: Writer) {
    this.#random = random;
    this.#client = client;
    this.#place = place;
    this.#writer = writer ?? { id: random.uuid() };
  }

  get folder(): string {
    return `${this.#place.own}/${runFolderOf(this.#writer, this.#epoch)}`;
  }

  /** What those have in common who fence each other; undefined outside a cluster. */
  get group(): string | undefined {
    return this.#writer.group;
  }

  newName(): string {
    return this.#random.uuid();
  }

  newPath(): string {
    return `${this.folder}/${this.newName()}`;
  }

  /**
   * A new path in a folder that is there by now. Whoever renames something into it asks for it before it looks whether it still may: a folder
   * that came to be only afterwards would be one that those who fence have not seen.
   */
  async room(options: For, name = this.newName()): Promise<string> {
    for (let attempt = 1; this.#seen !== this.folder; attempt++) {
      const { folder } = this;
      this.#used = true;
      try {
        await this.#client.makeDirectory(folder, options);
        this.#seen = folder;
      } catch (error) {
        if (attempt === maxFences || !(await this.isTakenAway(folder, options))) throw error;
      }
    }
    return `${this.folder}/${name}`;
  }

  /** Whether the folder that a path lies in, or is, was fenced off; from now on there is another one then. */
  async isTakenAway(path: string, options: For = {}): Promise<boolean> {
    const { folder } = this;
    if (path !== folder && !path.startsWith(`${folder}/`)) return this.#isOwn(path);
    const there = await this.#client.find(folder, options);
    if (there?.type === 'DIRECTORY') return false;
    if (this.#seen === folder) this.#seen = undefined;
    const isGone = there !== undefined || (await this.#client.find(`${folder}.gone`, options)) !== undefined;
    if (isGone && folder === this.folder) this.#epoch++;
    return isGone;
  }

  /**
   * Brings a file back out of a folder that was fenced off; the caller looks then whether it still may make it visible. False if it is not
   * there.
   */
  async rescue(staged: StagedFile, options: For): Promise<boolean> {
    const at = staged.path.lastIndexOf('/');
    const from = `${staged.path.slice(0, at)}.gone${staged.path.slice(at)}`;
    const to = await this.room(options, staged.path.slice(at + 1));
    try {
      await this.#client.rename(from, to, 'NONE', options);
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
    staged.path = to;
    return true;
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
        if (sending.failure) throw sending.failure.error;
        throw (await this.#meantFence(error, path, upload)) ?? harmless(error);
      }
    }
  }

  /** A body found no folder to go to, and the next one does. */
  async #meantFence(error: unknown, path: string, upload: Upload): Promise<UfsError | undefined> {
    if (!(error instanceof UfsError) || error.kind !== 'key-conflict') return undefined;
    return (await this.isTakenAway(path, upload)) ? this.fenced(upload.key, error) : undefined;
  }

  /** Of a change that had no effect since another node has fenced it off. */
  fenced(key: string, cause: unknown): UfsError {
    const message = 'another node has taken over while this was written';
    const details = { backend: this.#place.uri, key, code: fencedCode, retryable: true, cause };
    return new UfsError('unavailable', message, details);
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

  /** Whether a path lies in a folder of this process. */
  #isOwn(path: string): boolean {
    return path.startsWith(`${this.#place.own}/${this.#writer.id}.`);
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
    this.#seen = undefined;
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
      if (status.length === sizeBytes) {
        if (path.startsWith(`${this.folder}/`)) this.#seen = this.folder;
        return { path, status };
      }
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
