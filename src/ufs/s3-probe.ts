import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, ProbedAbilities, WriteCondition } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import { PlainBody } from './plain-body.ts';
import type { S3Parts } from './s3.ts';

const plain = { headers: {}, userMetadata: {} };
const absent = { ifNoneMatch: '*' } as const;
/** An ETag that no object of this probe has. */
const wrong = { ifMatch: '0123456789abcdef0123456789abcdef' } as const;
/** Writers that want the same key at once: enough that a server which looks first and writes then is caught. */
const racers = 6;
const streamedBytes = 20_000;

/** What says nothing about abilities: the probe is to be made again. */
const inconclusive: ReadonlySet<UfsErrorKind> = new Set(['throttled', 'timeout', 'cancelled']);
const refusals: ReadonlySet<UfsErrorKind> = new Set(['precondition-failed', 'conflict', 'not-found']);

/**
 * Finds out by trying what a backend decides by itself (consistency rule 5). An ability counts only if a condition that holds
 * lets the change through, one that does not hold stops it and leaves the object as it was, and of several writers at once one
 * wins. Everything is tried with keys that begin with `key`, which are removed again.
 */
export class S3Probe {
  readonly #parts: S3Parts;
  readonly #key: string;
  readonly #signal: AbortSignal | undefined;
  readonly #keys = new Set<string>();
  readonly #uploads = new Map<string, string>();

  constructor(parts: S3Parts, key: string, { signal }: CallOptions) {
    this.#parts = parts;
    this.#key = key;
    this.#signal = signal;
  }

  /** Rejects with `UfsError` if nothing can be written at all, if the backend is too busy, or if it cannot be cleared up. */
  async run(): Promise<ProbedAbilities> {
    let abilities: ProbedAbilities;
    try {
      await this.#put('plain');
      abilities = {
        conditionalPut: await this.#proves(() => this.#conditionalPut()),
        conditionalDelete: await this.#proves(() => this.#conditionalDelete()),
        conditionalCopy: await this.#proves(() => this.#conditionalCopy()),
        conditionalComplete: await this.#proves(() => this.#conditionalComplete()),
        checksumTrailers: await this.#proves(() => this.#takesStream({ signedChunks: true, trailer: true })),
        signedChunks: await this.#proves(() => this.#takesStream({ signedChunks: true, trailer: false })),
      };
    } catch (error) {
      // The first error tells more than what follows from it.
      await this.#clear().catch(() => {});
      throw error;
    }
    await this.#clear();
    return abilities;
  }

  async #conditionalPut(): Promise<boolean> {
    const key = 'put';
    const first = await this.#put(key, 'one', absent);
    return (
      (await this.#isRefused(() => this.#put(key, 'two', absent))) &&
      (await this.#isRefused(() => this.#put(key, 'three', wrong))) &&
      (await this.#etag(key)) === first &&
      (await this.#isRefused(() => this.#put('put-none', 'four', { ifMatch: first }))) &&
      (await this.#etag('put-none')) === undefined &&
      (await this.#put(key, 'five', { ifMatch: first })) !== first &&
      (await this.#oneWins('put-race', absent)) &&
      (await this.#oneWins('put-race', { ifMatch: (await this.#etag('put-race')) ?? '' }))
    );
  }

  async #oneWins(key: string, condition: WriteCondition): Promise<boolean> {
    const puts = Array.from({ length: racers }, (_, i) => this.#put(key, `racer ${i}`, condition));
    const results = await Promise.allSettled(puts);
    const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    for (const result of results) {
      if (result.status === 'rejected' && !isRefusal(result.reason)) throw result.reason;
    }
    return winners.length === 1 && (await this.#etag(key)) === winners[0];
  }

  async #conditionalDelete(): Promise<boolean> {
    const key = 'delete';
    const etag = await this.#put(key);
    const remove = (condition: WriteCondition) =>
      this.#parts.writer.delete(this.#name(key), { condition, signal: this.#signal });
    if (!(await this.#isRefused(() => remove(wrong))) || (await this.#etag(key)) !== etag) return false;
    await remove({ ifMatch: etag });
    return (await this.#etag(key)) === undefined;
  }

  async #conditionalCopy(): Promise<boolean> {
    const key = 'copy';
    await this.#put('copy-source', 'source');
    const source = await this.#head('copy-source');
    const etag = await this.#put(key, 'target');
    if (!source) return false;
    const copy = (condition: WriteCondition, to = key) => {
      const options = { condition, sourceGeneration: source.generation, signal: this.#signal };
      return this.#parts.writer.copyUnasked(this.#name('copy-source'), source, this.#name(to), options);
    };
    if (!(await this.#isRefused(() => copy(absent))) || !(await this.#isRefused(() => copy(wrong))))
      return false;
    if ((await this.#etag(key)) !== etag) return false;
    await copy({ ifMatch: etag });
    await copy(absent, 'copy-none');
    const copied = [await this.#etag(key), await this.#etag('copy-none')];
    return copied.every((found) => found !== undefined && found !== etag);
  }

  async #conditionalComplete(): Promise<boolean> {
    const key = 'complete';
    const etag = await this.#put(key);
    const complete = (condition: WriteCondition) => this.#upload(key, condition);
    if (!(await this.#isRefused(() => complete(absent)))) return false;
    if (!(await this.#isRefused(() => complete(wrong))) || (await this.#etag(key)) !== etag) return false;
    const made = await complete({ ifMatch: etag });
    return made !== etag && (await this.#etag(key)) === made;
  }

  /** A body in the form that large ones are sent in is the same when it is read back. */
  async #takesStream(form: { signedChunks: boolean; trailer: boolean }): Promise<boolean> {
    const key = this.#name('stream');
    const bytes = Buffer.alloc(streamedBytes, 'forebay ');
    const writer = this.#parts.writerOf({
      signedChunks: true,
      checksumTrailers: form.trailer,
      inlineBodyBytes: 0,
    });
    await writer.putUnasked(
      key,
      bodyOf(bytes),
      { ...plain, signal: this.#signal },
      form.trailer ? 'CRC32' : undefined,
    );
    const meta = await this.#head('stream');
    if (meta?.sizeBytes !== bytes.length || meta.headers.contentEncoding !== undefined) return false;
    const chunks: Buffer[] = [];
    const whole = { start: 0, end: meta.sizeBytes };
    for await (const chunk of this.#parts.reader.read(key, meta, whole, { signal: this.#signal }))
      chunks.push(chunk);
    return Buffer.concat(chunks).equals(bytes);
  }

  async #put(key: string, text = 'tried by forebay', condition?: WriteCondition): Promise<string> {
    const options = { ...plain, condition, signal: this.#signal };
    const { output } = await this.#parts.writer.putUnasked(
      this.#name(key),
      bodyOf(Buffer.from(text)),
      options,
    );
    if (output.ETag) return output.ETag.replaceAll('"', '');
    throw new UfsError('io', 'the answer to PUT lacks an ETag', { backend: this.#parts.place.uri, key });
  }

  async #upload(key: string, condition: WriteCondition): Promise<string> {
    const { multipart } = this.#parts;
    const name = this.#name(key);
    const { uploadId } = await multipart.create(name, { ...plain, signal: this.#signal });
    this.#uploads.set(uploadId, name);
    const part = await multipart.putPart(name, uploadId, 1, bodyOf(Buffer.from('part')), {
      signal: this.#signal,
    });
    const made = await multipart.completeUnasked(name, uploadId, [part], { condition, signal: this.#signal });
    return made.etag;
  }

  async #proves(ability: () => Promise<boolean>): Promise<boolean> {
    try {
      return await ability();
    } catch (error) {
      if (!(error instanceof UfsError) || inconclusive.has(error.kind)) throw error;
      return false;
    }
  }

  async #isRefused(change: () => Promise<unknown>): Promise<boolean> {
    try {
      await change();
      return false;
    } catch (error) {
      if (isRefusal(error)) return true;
      throw error;
    }
  }

  async #head(key: string): Promise<ObjectMeta | undefined> {
    try {
      return await this.#parts.reader.head(this.#name(key), { signal: this.#signal });
    } catch (error) {
      if (error instanceof UfsError && error.kind === 'not-found') return undefined;
      throw error;
    }
  }

  async #etag(key: string): Promise<string | undefined> {
    return (await this.#head(key))?.etag;
  }

  #name(key: string): string {
    const name = `${this.#key}/${key}`;
    this.#keys.add(name);
    return name;
  }

  async #clear(): Promise<void> {
    for (const [uploadId, name] of this.#uploads) {
      try {
        await this.#parts.multipart.abort(name, uploadId);
      } catch (error) {
        // An upload that was completed is no more.
        if (!(error instanceof UfsError) || error.kind !== 'no-such-upload') throw error;
      }
    }
    for (const name of this.#keys) await this.#parts.writer.delete(name);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof UfsError && refusals.has(error.kind);
}

function bodyOf(bytes: Buffer): PlainBody {
  async function* once() {
    yield bytes;
  }
  return new PlainBody(once(), bytes.length);
}
