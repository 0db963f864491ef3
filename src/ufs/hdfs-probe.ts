import type { ProbedAbilities, ProbeOptions } from './backend.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import type { HdfsParts } from './hdfs.ts';

/** Writers that want the same name at once. */
const racers = 4;
/** What says nothing about abilities: the probe is to be made again. */
const inconclusive: ReadonlySet<UfsErrorKind> = new Set(['throttled', 'timeout', 'cancelled']);
const attribute = 'forebay.probe';

/**
 * Finds out by trying what the storage does in one step (consistency rule 5): a NameNode renames with and without replacing what is
 * there; what stands before one, such as HttpFS, may not. Works in a folder of its own below Forebay's, which is removed again.
 */
export class HdfsProbe {
  readonly #parts: HdfsParts;
  readonly #folder: string;
  readonly #options: ProbeOptions;

  constructor(parts: HdfsParts, key: string, options: ProbeOptions) {
    this.#parts = parts;
    this.#folder = `${parts.place.own}/probe-${Buffer.from(key).toString('base64url').slice(0, 100)}`;
    this.#options = options;
  }

  /** Rejects with `UfsError` if nothing can be written at all, or nothing kept beside a file. */
  async run(): Promise<ProbedAbilities> {
    const { client, place } = this.#parts;
    const root = place.path([]);
    if ((await client.find(root, { signal: this.#signal() }))?.type !== 'DIRECTORY') {
      throw new UfsError('unavailable', `there is no directory ${root}`, {
        backend: place.uri,
        retryable: false,
      });
    }
    try {
      await client.makeDirectory(this.#folder, { signal: this.#signal() });
      await this.#attributes();
      const creates = await this.#proves(() => this.#creates());
      return {
        conditionalCreate: creates,
        conditionalCompleteCreate: creates,
        // Nothing of HDFS compares what is there with anything else before it replaces or removes it.
        conditionalPut: false,
        conditionalComplete: false,
        conditionalCopy: false,
        conditionalDelete: false,
        checksumTrailers: true,
        signedChunks: true,
        metadataOnGet: false,
        tagging: true,
      };
    } finally {
      await client.remove(this.#folder, { recursive: true }).catch(() => false);
      await this.#parts.staging.clear();
    }
  }

  /** Attributes are there, and stay with a file that is renamed. */
  async #attributes(): Promise<void> {
    const { client, place } = this.#parts;
    const path = await this.#file('attributed');
    const value = Buffer.from('probe');
    const options = { signal: this.#signal() };
    try {
      await client.setAttribute(path, attribute, value, options);
      if ((await client.attributes(path, options)).get(attribute)?.equals(value)) return;
    } catch (error) {
      if (!(error instanceof UfsError) || inconclusive.has(error.kind)) throw error;
      const message = `files take no extended attributes, which hold what HDFS has no place for: set dfs.namenode.xattrs.enabled (${error.message})`;
      throw new UfsError('refused', message, { backend: place.uri, cause: error });
    }
    throw new UfsError('refused', 'extended attributes do not keep what they are given', {
      backend: place.uri,
    });
  }

  /** A rename without OVERWRITE refuses what is there and leaves it, with it replaces it, and of several at once one wins. */
  async #creates(): Promise<boolean> {
    const { client } = this.#parts;
    const options = { signal: this.#signal() };
    const target = `${this.#folder}/target`;
    await client.rename(await this.#file('first'), target, 'NONE', options);
    const first = await client.status(target, options);
    const second = await this.#file('second');
    if (!(await this.#isRefused(() => client.rename(second, target, 'NONE', options)))) return false;
    if ((await client.status(target, options)).fileId !== first.fileId) return false;
    await client.rename(second, target, 'OVERWRITE', options);
    if ((await client.status(target, options)).fileId === first.fileId) return false;
    const files = await Promise.all(Array.from({ length: racers }, (_, i) => this.#file(`racer-${i}`)));
    const races = files.map((file) => client.rename(file, `${this.#folder}/race`, 'NONE', options));
    const results = await Promise.allSettled(races);
    return results.filter(({ status }) => status === 'fulfilled').length === 1;
  }

  async #file(name: string): Promise<string> {
    const { client, staging } = this.#parts;
    const signal = this.#signal();
    const path = `${this.#folder}/${name}`;
    const staged = await staging.writeText(name, { key: name, signal });
    try {
      await client.rename(staged.path, path, 'NONE', { signal });
    } catch (error) {
      // A server without options says so; then the file lies where it was told to all the same.
      if (!(error instanceof UfsError) || !(await client.find(path, { signal }))) throw error;
    }
    return path;
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
      if (error instanceof UfsError && error.kind === 'conflict') return true;
      throw error;
    }
  }

  #signal(): AbortSignal | undefined {
    const { signal, callTimeoutMs } = this.#options;
    if (callTimeoutMs === undefined) return signal;
    const each = AbortSignal.timeout(callTimeoutMs);
    return signal ? AbortSignal.any([signal, each]) : each;
  }
}
