import { isDeepStrictEqual } from 'node:util';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { OpenRange, ProbedAbilities, ProbeOptions, WriteCondition } from './backend.ts';
import { orAbsent, UfsError, type UfsErrorKind } from './errors.ts';
import { PlainBody } from './plain-body.ts';
import type { S3Parts } from './s3.ts';
import { allDone, ProbeCalls } from './s3-probe-calls.ts';
import { keepsTags } from './s3-probe-tags.ts';
import { tellsVersions } from './s3-probe-versions.ts';

const plain = { headers: {}, userMetadata: {} };
/** Something of everything that is kept with an object. */
const described = {
  headers: {
    contentType: 'text/x-forebay',
    contentLanguage: 'en',
    contentDisposition: 'inline',
    cacheControl: 'no-cache',
  },
  userMetadata: { 'forebay-probe': 'described' },
};
const partStart = 1_000;
const absent = { ifNoneMatch: '*' } as const;
/** An ETag that no object of this probe has. */
const wrong = { ifMatch: '0123456789abcdef0123456789abcdef' } as const;
/** Writers that want the same key at once: enough that a server which looks first and writes then is caught. */
const racers = 8;
/**
 * One race can be won by a server that only looks first, if it is fast; several hardly. Five were not enough: S3Proxy over a file
 * system got through them in one of four tries.
 */
const waves = 6;
const racesAtATime = 4;
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
  readonly #calls: ProbeCalls;
  readonly #keys = new Set<string>();
  readonly #uploads = new Map<string, string>();

  constructor(parts: S3Parts, key: string, options: ProbeOptions) {
    this.#parts = parts;
    this.#key = key;
    this.#calls = new ProbeCalls(parts.connection.clock, parts.place.uri, options);
  }

  /** Rejects with `UfsError` if nothing can be written at all, if the backend is too busy, or if it cannot be cleared up. */
  async run(): Promise<ProbedAbilities> {
    let abilities: ProbedAbilities;
    try {
      await this.#put('plain');
      abilities = await this.#proofs();
    } catch (error) {
      // The first error tells more than what follows from it.
      await this.#clear().catch(() => {});
      throw error;
    }
    await this.#clear();
    return abilities;
  }

  /** Side by side, for storage that is far away; each has keys of its own. */
  async #proofs(): Promise<ProbedAbilities> {
    const [create, put, remove, copy, completeCreate, complete, trailers, chunks, onGet, tags, versions] =
      await allDone([
        this.#proves(() => this.#conditionalCreate()),
        this.#proves(() => this.#conditionalPut()),
        this.#proves(() => this.#conditionalDelete()),
        this.#proves(() => this.#conditionalCopy()),
        this.#proves(() => this.#conditionalCompleteCreate()),
        this.#proves(() => this.#conditionalComplete()),
        this.#proves(() => this.#takesStream('stream-trailer', true)),
        this.#proves(() => this.#takesStream('stream', false)),
        this.#proves(() => this.#metadataOnGet()),
        this.#proves(() =>
          keepsTags(this.#parts, this.#calls, {
            tagged: this.#name('tagged'),
            copied: this.#name('tags-copied'),
          }),
        ),
        this.#proves(() => tellsVersions(this.#parts, this.#calls, this.#name('version'))),
      ]);
    return {
      conditionalCreate: create === true,
      conditionalPut: put === true,
      conditionalDelete: remove === true,
      conditionalCopy: copy === true,
      conditionalCompleteCreate: completeCreate === true,
      conditionalComplete: complete === true,
      checksumTrailers: trailers === true,
      signedChunks: chunks === true,
      metadataOnGet: onGet === true,
      tagging: tags === true,
      versions: versions === true,
    };
  }

  async #conditionalCreate(): Promise<boolean> {
    const key = 'create';
    const first = await this.#put(key, 'one', absent);
    return (
      (await this.#isRefused(() => this.#put(key, 'two', absent))) &&
      (await this.#etag(key)) === first &&
      (await this.#isOvertaken('create-overtaken', absent)) &&
      (await this.#eachIsWonByOne('create-race', async () => absent))
    );
  }

  async #conditionalPut(): Promise<boolean> {
    const key = 'put';
    const first = await this.#put(key, 'one');
    return (
      (await this.#isRefused(() => this.#put(key, 'two', wrong))) &&
      (await this.#etag(key)) === first &&
      (await this.#isRefused(() => this.#put('put-none', 'three', { ifMatch: first }))) &&
      (await this.#etag('put-none')) === undefined &&
      (await this.#put(key, 'four', { ifMatch: first })) !== first &&
      (await this.#isOvertaken('put-overtaken', { ifMatch: await this.#put('put-overtaken') })) &&
      (await this.#eachIsWonByOne('put-race', async (race) => ({ ifMatch: await this.#put(race) })))
    );
  }

  /** Whether a put whose body is still coming gives way to one that is done meanwhile. */
  async #isOvertaken(key: string, condition: WriteCondition): Promise<boolean> {
    let winner: string | undefined;
    const writer = this.#parts.writerOf({ inlineBodyBytes: 0 });
    const beforeCommit = async () => {
      winner = await this.#put(key, 'the winner');
    };
    const body = () => PlainBody.of(Buffer.alloc(streamedBytes));
    const slow = () =>
      this.#calls.ask((signal) =>
        writer.putUnasked(this.#name(key), body(), { ...plain, condition, beforeCommit, signal }),
      );
    return (await this.#isRefused(slow)) && winner !== undefined && (await this.#etag(key)) === winner;
  }

  /** Races, some at a time, until one of them is not won by exactly one. `conditionOf` makes ready for a race. */
  async #eachIsWonByOne(
    name: string,
    conditionOf: (key: string) => Promise<WriteCondition>,
  ): Promise<boolean> {
    for (let wave = 1; wave <= waves; wave++) {
      const keys = Array.from({ length: racesAtATime }, (_, index) => `${name}-${wave}-${index + 1}`);
      const won = await allDone(keys.map(async (key) => this.#oneWins(key, await conditionOf(key))));
      if (won.includes(false)) return false;
    }
    return true;
  }

  async #oneWins(key: string, condition: WriteCondition): Promise<boolean> {
    // No two bodies are the same: the ETag that a racer asks for must not come back by another's win.
    const bodyOfRacer = (index: number) => `racer ${index} with ${JSON.stringify(condition)}`;
    const puts = Array.from({ length: racers }, (_, i) => this.#put(key, bodyOfRacer(i), condition));
    const winner = wonByOne(await Promise.allSettled(puts));
    return winner !== undefined && (await this.#etag(key)) === winner.value;
  }

  async #conditionalDelete(): Promise<boolean> {
    const key = 'delete';
    const etag = await this.#put(key);
    const remove = (condition: WriteCondition) =>
      this.#calls.ask((signal) => this.#parts.writer.deleteUnasked(this.#name(key), { condition, signal }));
    if (!(await this.#isRefused(() => remove(wrong))) || (await this.#etag(key)) !== etag) return false;
    const removals = Array.from({ length: racers }, () => remove({ ifMatch: etag }));
    const results = await Promise.allSettled(removals);
    return wonByOne(results) !== undefined && (await this.#etag(key)) === undefined;
  }

  async #conditionalCopy(): Promise<boolean> {
    const key = 'copy';
    await this.#put('copy-source', 'source');
    const source = await this.#head('copy-source');
    const etag = await this.#put(key, 'target');
    if (!source) return false;
    const copy = (condition: WriteCondition, to = key) =>
      this.#calls.ask((signal) => {
        const options = { condition, sourceGeneration: source.generation, signal };
        return this.#parts.writer.copyUnasked(this.#name('copy-source'), source, this.#name(to), options);
      });
    if (!(await this.#isRefused(() => copy(absent))) || !(await this.#isRefused(() => copy(wrong))))
      return false;
    if ((await this.#etag(key)) !== etag) return false;
    await copy({ ifMatch: etag });
    const copies = Array.from({ length: racers }, () => copy(absent, 'copy-none'));
    if (!wonByOne(await Promise.allSettled(copies))) return false;
    const copied = [await this.#etag(key), await this.#etag('copy-none')];
    return copied.every((found) => found !== undefined && found !== etag);
  }

  async #conditionalCompleteCreate(): Promise<boolean> {
    const key = 'complete-there';
    const etag = await this.#put(key);
    const finish = await this.#upload(key);
    if (!(await this.#isRefused(() => finish(absent))) || (await this.#etag(key)) !== etag) return false;
    return this.#oneCompletes('complete-none', absent);
  }

  async #conditionalComplete(): Promise<boolean> {
    const key = 'complete';
    const etag = await this.#put(key);
    const refused = await this.#upload(key);
    if (!(await this.#isRefused(() => refused(wrong))) || (await this.#etag(key)) !== etag) return false;
    return this.#oneCompletes(key, { ifMatch: etag });
  }

  async #oneCompletes(key: string, condition: WriteCondition): Promise<boolean> {
    const before = await this.#etag(key);
    const uploads = await Promise.all(Array.from({ length: racers }, () => this.#upload(key)));
    const winner = wonByOne(await Promise.allSettled(uploads.map((finish) => finish(condition))));
    return winner !== undefined && winner.value !== before && (await this.#etag(key)) === winner.value;
  }

  /** A body in the form that large ones are sent in is the same when it is read back. */
  async #takesStream(key: string, trailer: boolean): Promise<boolean> {
    const bytes = Buffer.alloc(streamedBytes, 'forebay ');
    const writer = this.#parts.writerOf({
      signedChunks: true,
      checksumTrailers: trailer,
      inlineBodyBytes: 0,
    });
    const algorithm = trailer ? 'CRC32' : undefined;
    await this.#calls.ask((signal) =>
      writer.putUnasked(this.#name(key), PlainBody.of(bytes), { ...plain, signal }, algorithm),
    );
    const meta = await this.#head(key);
    if (meta?.sizeBytes !== bytes.length || meta.headers.contentEncoding !== undefined) return false;
    return (await this.#calls.ask((signal) => this.#bytes(key, meta, signal))).equals(bytes);
  }

  /** GET, of the whole and of a part, tells of an object what HEAD tells, and brings what it was asked for. */
  async #metadataOnGet(): Promise<boolean> {
    const key = 'described';
    const bytes = Buffer.alloc(streamedBytes, 'forebay ');
    const body = PlainBody.of(bytes);
    await this.#calls.ask((signal) =>
      this.#parts.writer.putUnasked(this.#name(key), body, { ...described, signal }, 'CRC32'),
    );
    const meta = await this.#head(key);
    const whole = await this.#opened(key, { start: 0 });
    const part = await this.#opened(key, { start: partStart, end: partStart + 10 });
    const { checksums, checksumType, ...plainMeta } = meta ?? {};
    return (
      isDeepStrictEqual(whole, { meta, bytes }) &&
      isDeepStrictEqual(part, {
        meta: { ...plainMeta, checksumsUnknown: true },
        bytes: bytes.subarray(partStart, partStart + 10),
      })
    );
  }

  #opened(key: string, range: OpenRange): Promise<{ meta: ObjectMeta; bytes: Buffer }> {
    return this.#calls.ask(async (signal) => {
      const opened = await this.#parts.reader.open(this.#name(key), range, { signal });
      const chunks: Buffer[] = [];
      try {
        if (opened.range.end > opened.range.start) {
          for await (const chunk of opened.read(opened.range, { signal })) chunks.push(chunk);
        }
      } finally {
        opened.close();
      }
      return { meta: opened.meta, bytes: Buffer.concat(chunks) };
    });
  }

  async #bytes(key: string, meta: ObjectMeta, signal: AbortSignal | undefined): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const whole = { start: 0, end: meta.sizeBytes };
    for await (const chunk of this.#parts.reader.read(this.#name(key), meta, whole, { signal }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async #put(key: string, text = 'tried by forebay', condition?: WriteCondition): Promise<string> {
    const { headers } = await this.#calls.ask((signal) =>
      this.#parts.writer.putUnasked(this.#name(key), PlainBody.of(Buffer.from(text)), {
        ...plain,
        condition,
        signal,
      }),
    );
    if (headers.etag) return headers.etag.replaceAll('"', '');
    throw new UfsError('io', 'the answer to PUT lacks an ETag', { backend: this.#parts.place.uri, key });
  }

  /** An upload of one part; what it returns completes it. */
  async #upload(key: string): Promise<(condition: WriteCondition) => Promise<string>> {
    const { multipart } = this.#parts;
    const name = this.#name(key);
    const { uploadId } = await this.#calls.ask((signal) => multipart.create(name, { ...plain, signal }));
    this.#uploads.set(uploadId, name);
    const part = await this.#calls.ask((signal) =>
      multipart.putPart(name, uploadId, 1, PlainBody.of(Buffer.from('part')), { signal }),
    );
    return async (condition) => {
      const made = await this.#calls.ask((signal) =>
        multipart.completeUnasked(name, uploadId, [part], { condition, signal }),
      );
      return made.etag;
    };
  }

  async #proves(ability: () => Promise<boolean>): Promise<boolean> {
    try {
      return await ability();
    } catch (error) {
      if (!(error instanceof UfsError) || inconclusive.has(error.kind) || isOfProxy(error)) throw error;
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

  #head(key: string): Promise<ObjectMeta | undefined> {
    return orAbsent(this.#calls.ask((signal) => this.#parts.reader.head(this.#name(key), { signal })));
  }

  async #etag(key: string): Promise<string | undefined> {
    return (await this.#head(key))?.etag;
  }

  #name(key: string): string {
    const name = `${this.#key}/${key}`;
    this.#keys.add(name);
    return name;
  }

  /** Also after the probe was given up. */
  async #clear(): Promise<void> {
    await allDone(
      [...this.#uploads].map(([uploadId, name]) =>
        this.#calls
          .clear((signal) => this.#parts.multipart.abort(name, uploadId, { signal }))
          .catch((error) => {
            // An upload that was completed is no more.
            if (!(error instanceof UfsError) || error.kind !== 'no-such-upload') throw error;
          }),
      ),
    );
    await allDone(
      [...this.#keys].map((name) =>
        this.#calls.clear((signal) => this.#parts.writer.delete(name, { signal })),
      ),
    );
  }
}

/** Undefined unless one of them succeeded and all others were refused; throws what is no refusal. */
function wonByOne<Result>(
  results: readonly PromiseSettledResult<Result>[],
): PromiseFulfilledResult<Result> | undefined {
  const winners = results.filter((result) => result.status === 'fulfilled');
  for (const result of results) {
    if (result.status === 'rejected' && !isRefusal(result.reason)) throw result.reason;
  }
  return winners.length === 1 ? winners[0] : undefined;
}

/** A failure that is told in no words of S3, nor of the network: what stands between may have said it. */
function isOfProxy({ kind, code }: UfsError): boolean {
  return kind === 'unavailable' && (code === undefined || code === 'Unknown');
}

function isRefusal(error: unknown): boolean {
  return error instanceof UfsError && refusals.has(error.kind);
}
