import type { ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import { UfsError } from './errors.ts';
import { type For, type HdfsClient, type HdfsStatus, isAbsent } from './hdfs-client.ts';
import { entriesOf } from './hdfs-fence.ts';
import type { HdfsPart, HdfsParts } from './hdfs-parts.ts';
import type { HdfsPlace } from './hdfs-place.ts';
import type { HdfsReader } from './hdfs-read.ts';
import { generationOf } from './hdfs-record.ts';
import type { HdfsStaging, StagedFile } from './hdfs-staging.ts';
import { parseRunFolder } from './run-folders.ts';

type About = For & { readonly key: string };

/** What a Complete has begun to make of parts: which ones, in order. Those that went into the whole are no files of their own any more. */
export interface Assembly {
  readonly parts: readonly HdfsPart[];
}

/** Bytes of names in one CONCAT: Hadoop's web servers take heads of 64 KiB (core-default.xml, hadoop.http.max.request.header.size). */
const maxNamesBytes = 32_768;
const planName = 'plan';
const wholePrefix = 'whole.';

/**
 * Makes one file of an upload's parts by CONCAT, which moves no byte and uses its sources up. What is planned is written down first, so
 * that a Complete which broke off, here or elsewhere, is gone on with.
 */
export class HdfsAssembler {
  readonly #random: Random;
  readonly #client: HdfsClient;
  readonly #place: HdfsPlace;
  readonly #reader: HdfsReader;
  readonly #staging: HdfsStaging;
  readonly #parts: HdfsParts;

  constructor(
    random: Random,
    client: HdfsClient,
    place: HdfsPlace,
    reader: HdfsReader,
    staging: HdfsStaging,
    parts: HdfsParts,
  ) {
    this.#random = random;
    this.#client = client;
    this.#place = place;
    this.#reader = reader;
    this.#staging = staging;
    this.#parts = parts;
  }

  /** The assembly that was begun; undefined if none of the parts was used up yet. */
  async begun(uploadId: string, about: About): Promise<Assembly | undefined> {
    const { whole, hasPlan } = await this.#state(uploadId, about);
    if (!whole && !(hasPlan && (await this.#elsewhere(uploadId, about)))) return undefined;
    const path = `${this.#parts.folder(uploadId)}/${planName}`;
    const status = await this.#client.status(path, about);
    const meta = { generation: generationOf(status) } as Pick<ObjectMeta, 'generation'>;
    const pieces: Buffer[] = [];
    const range = { start: 0, end: status.length };
    for await (const piece of this.#reader.read(about.key, path, meta, range, about)) pieces.push(piece);
    return JSON.parse(Buffer.concat(pieces).toString()) as Assembly;
  }

  /** The whole of the parts as one file, in the upload's folder. */
  async assemble(uploadId: string, parts: readonly HdfsPart[], about: About): Promise<StagedFile> {
    const folder = this.#parts.folder(uploadId);
    const full = parts.filter(({ sizeBytes }) => sizeBytes > 0);
    const first = full[0] ?? (parts[0] as HdfsPart);
    const state = await this.#state(uploadId, about);
    let whole = state.whole ?? (state.hasPlan ? await this.#reclaimed(uploadId, about) : undefined);
    if (!whole) {
      await this.#plan(folder, { parts }, about);
      await this.#client.rename(`${folder}/${first.name}`, `${folder}/${this.#wholeName()}`, 'NONE', about);
      whole = await this.#whole(uploadId, about);
    }
    const sizeBytes = full.reduce((sum, part) => sum + part.sizeBytes, 0);
    for (;;) {
      if (!whole) throw this.#broken('the whole is not there', about.key);
      const path = `${folder}/${whole.pathSuffix}`;
      const rest = partsBehind(full, whole.length);
      if (!rest)
        throw this.#broken(`the whole has ${whole.length} bytes, which is no sum of its parts`, about.key);
      if (rest.length === 0) break;
      const before = whole.length;
      await this.#append(folder, path, rest, about);
      whole = await this.#whole(uploadId, about);
      if (whole && whole.length <= before) throw this.#broken('CONCAT adds nothing', about.key);
    }
    if (whole.length !== sizeBytes) throw this.#broken(`the whole has not ${sizeBytes} bytes`, about.key);
    return { path: `${folder}/${whole.pathSuffix}`, status: whole };
  }

  /** Takes the whole into this process's folder, out of which it is made visible, and out of which others can take it. */
  async adopt(uploadId: string, whole: StagedFile, about: About): Promise<StagedFile> {
    const to = await this.#staging.room(about, uploadId);
    try {
      await this.#client.rename(whole.path, to, 'NONE', about);
    } catch (error) {
      throw asHarmless(error);
    }
    return { path: to, status: whole.status };
  }

  /** Puts the whole back into the upload's folder, so that a rename of it comes too late; whether it was there. */
  async giveBack(uploadId: string, staged: StagedFile, about: About): Promise<boolean> {
    try {
      const to = `${this.#parts.folder(uploadId)}/${this.#wholeName()}`;
      await this.#client.rename(staged.path, to, 'NONE', about);
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  /** As many of them as one request holds. Where the answer is lost, the whole tells by its length whether it was done. */
  async #append(folder: string, path: string, parts: readonly HdfsPart[], about: About): Promise<void> {
    const sources: string[] = [];
    let bytes = 0;
    for (const { name } of parts) {
      const source = `${folder}/${name}`;
      bytes += encodeURIComponent(source).length + 3;
      if (sources.length > 0 && bytes > maxNamesBytes) break;
      sources.push(source);
    }
    const before = (await this.#client.status(path, about)).length;
    try {
      await this.#client.concat(path, sources, about);
    } catch (error) {
      const lost = error instanceof UfsError && error.unresolved;
      if (!lost || (await this.#client.find(path, about))?.length === before) throw asHarmless(error);
    }
  }

  async #plan(folder: string, assembly: Assembly, about: About): Promise<void> {
    const staged = await this.#staging.writeText(JSON.stringify(assembly), about);
    try {
      await this.#client.rename(staged.path, `${folder}/${planName}`, 'OVERWRITE', about);
    } catch (error) {
      this.#staging.removeLater(staged.path);
      throw asHarmless(error);
    }
  }

  async #whole(uploadId: string, about: About): Promise<HdfsStatus | undefined> {
    return (await this.#state(uploadId, about)).whole;
  }

  async #state(uploadId: string, about: About): Promise<{ whole: HdfsStatus | undefined; hasPlan: boolean }> {
    // Behind the parts, in order of name.
    const { entries } = await this.#client.list(this.#parts.folder(uploadId), 'pl', about);
    const whole = entries.find(({ pathSuffix }) => pathSuffix.startsWith(wholePrefix));
    return { whole, hasPlan: entries.some(({ pathSuffix }) => pathSuffix === planName) };
  }

  /** The whole, brought back from the folder of whoever was about to make it visible and did not come to it. */
  async #reclaimed(uploadId: string, about: About): Promise<HdfsStatus | undefined> {
    const path = await this.#elsewhere(uploadId, about);
    if (path === undefined) return undefined;
    try {
      const to = `${this.#parts.folder(uploadId)}/${this.#wholeName()}`;
      await this.#client.rename(path, to, 'NONE', about);
    } catch (error) {
      throw asHarmless(error);
    }
    return this.#whole(uploadId, about);
  }

  /** Where the whole lies, in the folder of some run, if there. */
  async #elsewhere(uploadId: string, about: About): Promise<string | undefined> {
    for await (const { pathSuffix, type } of entriesOf(this.#client, this.#place.own)) {
      if (type !== 'DIRECTORY' || !parseRunFolder(pathSuffix)) continue;
      const path = `${this.#place.own}/${pathSuffix}/${uploadId}`;
      if (await this.#client.find(path, about)) return path;
    }
    return undefined;
  }

  #wholeName(): string {
    return wholePrefix + this.#random.uuid().slice(0, 8);
  }

  #broken(message: string, key: string): UfsError {
    return new UfsError('io', message, { backend: this.#client.connection.uri, key });
  }
}

/** The parts that are not in the first `length` bytes of all; undefined if that is no border between two. */
function partsBehind(parts: readonly HdfsPart[], length: number): readonly HdfsPart[] | undefined {
  let sum = 0;
  for (const [index, { sizeBytes }] of parts.entries()) {
    if (sum === length && length > 0) return parts.slice(index);
    sum += sizeBytes;
  }
  return sum === length ? [] : undefined;
}

/** Of a step of which nothing is visible. */
function asHarmless(error: unknown): unknown {
  if (!(error instanceof UfsError) || !error.unresolved) return error;
  const { kind, message, backend, key, code, cause } = error;
  return new UfsError(kind, message, { backend, key, code, retryable: kind === 'unavailable', cause });
}
