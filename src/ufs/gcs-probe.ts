import type { ProbedAbilities, ProbeOptions } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import type { GcsParts } from './gcs.ts';
import { objectPath } from './gcs-names.ts';
import type { GcsObject } from './gcs-object.ts';
import { type Expected, generationMatch } from './gcs-replace.ts';

/** A way to make or to remove an object, naming what it replaces. */
type Way = (key: string, expected: Expected) => Promise<unknown>;

/** A generation that no object of this probe has. */
const wrong = { generation: '1' };
/** Writers that want the same object at once. Few: Cloud Storage takes one change of an object a second ("Quotas & limits"). */
const racers = 4;
const refusals: ReadonlySet<UfsErrorKind> = new Set(['precondition-failed', 'conflict']);
/** What says nothing about abilities: the probe is to be made again. */
const inconclusive: ReadonlySet<UfsErrorKind> = new Set(['throttled', 'timeout', 'cancelled']);

/**
 * Finds out by trying which preconditions the storage decides (consistency rule 5): Cloud Storage all of them, what stands in for it
 * often few. Everything is tried with objects whose keys begin with `key`, which are removed again.
 */
export class GcsProbe {
  readonly #parts: GcsParts;
  readonly #key: string;
  readonly #options: ProbeOptions;
  readonly #keys = new Set<string>();

  constructor(parts: GcsParts, key: string, options: ProbeOptions) {
    this.#parts = parts;
    this.#key = key;
    this.#options = options;
  }

  /** Rejects with `UfsError` if nothing can be written at all, if the storage is too busy, or if it cannot be cleared up. */
  async run(): Promise<ProbedAbilities> {
    try {
      await this.#insert(this.#name('source'), 'anything');
      return await this.#proofs();
    } finally {
      await this.#clear();
    }
  }

  async #proofs(): Promise<ProbedAbilities> {
    const source = await this.#object(this.#name('source'));
    const insert: Way = (key, expected) => this.#insert(key, expected);
    const rewrite: Way = (key, expected) => this.#rewrite(source, key, expected);
    const compose: Way = (key, expected) => this.#compose(source, key, expected);
    const found: boolean[] = [];
    const proofs = [
      () => this.#creates('insert-create', insert),
      () => this.#replaces('insert', insert),
      () => this.#creates('rewrite-create', rewrite),
      () => this.#replaces('rewrite', rewrite),
      () => this.#creates('compose-create', compose),
      () => this.#replaces('compose', compose),
      () => this.#deletes('delete'),
      () => this.#amends('amend'),
    ];
    for (const proof of proofs) found.push(await this.#proves(proof));
    const [create, put, copyCreate, copy, completeCreate, complete, remove, tagging] = found as [
      boolean, boolean, boolean, boolean, boolean, boolean, boolean, boolean,
    ]; // biome-ignore format: one word each
    return {
      // Large bodies become objects by a rewrite.
      conditionalCreate: create && copyCreate,
      conditionalPut: create && put && copyCreate && copy,
      conditionalCopy: copyCreate && copy,
      conditionalCompleteCreate: completeCreate,
      conditionalComplete: completeCreate && complete,
      conditionalDelete: remove,
      checksumTrailers: true,
      signedChunks: true,
      metadataOnGet: false,
      tagging,
    };
  }

  /** Whether it makes an object where there is none, and none over another. */
  async #creates(name: string, way: Way): Promise<boolean> {
    const key = this.#name(name);
    await way(key, 'absent');
    const { generation } = await this.#object(key);
    if (!(await this.#isRefused(() => way(key, 'absent')))) return false;
    if ((await this.#object(key)).generation !== generation) return false;
    return this.#isWonByOne(() => way(this.#name(`${name}-race`), 'absent'));
  }

  /** Whether it replaces the generation that is named, and no other. */
  async #replaces(name: string, way: Way): Promise<boolean> {
    const key = this.#name(name);
    await this.#insert(key, 'anything');
    const first = await this.#object(key);
    if (!(await this.#isRefused(() => way(key, wrong)))) return false;
    if ((await this.#object(key)).generation !== first.generation) return false;
    await way(key, first);
    const second = await this.#object(key);
    if (second.generation === first.generation) return false;
    return this.#isWonByOne(() => way(key, second));
  }

  async #deletes(name: string): Promise<boolean> {
    const key = this.#name(name);
    await this.#insert(key, 'anything');
    const { generation } = await this.#object(key);
    if (!(await this.#isRefused(() => this.#delete(key, wrong)))) return false;
    if ((await this.#object(key)).generation !== generation) return false;
    await this.#delete(key, { generation });
    return (await this.#parts.reader.objectOnce(key)) === undefined;
  }

  /** Whether metadata changes without the bytes, and only where it is as it was seen. */
  async #amends(name: string): Promise<boolean> {
    const key = this.#name(name);
    await this.#insert(key, 'anything');
    const before = await this.#object(key);
    const patch = (ifMetagenerationMatch: string, value: string) =>
      this.#change('objects.patch', {
        method: 'PATCH',
        key,
        parameters: { ifGenerationMatch: before.generation, ifMetagenerationMatch },
        body: { metadata: { probe: value } },
      });
    if (!(await this.#isRefused(() => patch(`${before.metageneration}0`, 'wrong')))) return false;
    await patch(before.metageneration, 'right');
    const after = await this.#object(key);
    return after.generation === before.generation && after.metadata?.probe === 'right';
  }

  async #proves(proof: () => Promise<boolean>): Promise<boolean> {
    try {
      return await proof();
    } catch (error) {
      // What cannot be done at all is not decided either.
      if (error instanceof UfsError && !inconclusive.has(error.kind)) return false;
      throw error;
    }
  }

  async #isRefused(call: () => Promise<unknown>): Promise<boolean> {
    try {
      await call();
      return false;
    } catch (error) {
      if (error instanceof UfsError && refusals.has(error.kind)) return true;
      throw error;
    }
  }

  async #isWonByOne(call: () => Promise<unknown>): Promise<boolean> {
    const results = await Promise.allSettled(Array.from({ length: racers }, call));
    return results.filter(({ status }) => status === 'fulfilled').length === 1;
  }

  #insert(key: string, expected: Expected): Promise<GcsObject> {
    const call = { operation: 'objects.insert', key, signal: this.#signal() };
    const resource = { contentType: 'text/plain' };
    return this.#parts.uploader.insert({ call, key, resource, expected }, Buffer.from('probe'));
  }

  #rewrite({ generation }: GcsObject, key: string, expected: Expected): Promise<GcsObject> {
    const call = { operation: 'objects.rewrite', key, signal: this.#signal() };
    const source = { key: this.#name('source'), generation };
    return this.#parts.rewriter.rewrite(call, source, key, { contentType: 'text/plain' }, expected);
  }

  #compose({ generation }: GcsObject, key: string, expected: Expected): Promise<GcsObject> {
    const call = { operation: 'objects.compose', key, signal: this.#signal() };
    const source = { key: this.#name('source'), generation };
    return this.#parts.rewriter.compose(call, [source], key, { contentType: 'text/plain' }, expected);
  }

  #delete(key: string, expected: Expected): Promise<unknown> {
    const parameters = { ifGenerationMatch: generationMatch(expected) };
    return this.#change('objects.delete', { method: 'DELETE', key, parameters });
  }

  #change(
    operation: string,
    {
      method,
      key,
      parameters,
      body,
    }: {
      readonly method: 'PATCH' | 'DELETE';
      readonly key: string;
      readonly parameters: Readonly<Record<string, string | undefined>>;
      readonly body?: object;
    },
  ): Promise<unknown> {
    return this.#parts.connection.change({
      operation,
      key,
      signal: this.#signal(),
      method,
      path: objectPath(this.#parts.place, key),
      parameters,
      ...(body
        ? { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }
        : {}),
    });
  }

  #object(key: string): Promise<GcsObject> {
    return this.#parts.reader.object(key, this.#signal());
  }

  #name(name: string): string {
    const key = `${this.#key}-${name}`;
    this.#keys.add(key);
    return key;
  }

  #signal(): AbortSignal | undefined {
    const { signal, callTimeoutMs } = this.#options;
    if (callTimeoutMs === undefined) return signal;
    const each = AbortSignal.timeout(callTimeoutMs);
    return signal ? AbortSignal.any([signal, each]) : each;
  }

  async #clear(): Promise<void> {
    for (const key of this.#keys) {
      try {
        await this.#delete(key, 'anything');
      } catch (error) {
        if (!(error instanceof UfsError) || error.kind !== 'not-found') throw error;
      }
    }
  }
}
