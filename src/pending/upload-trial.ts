import { join } from 'node:path';
import { digestOf } from '../common/checksums.ts';
import type { Random } from '../common/random.ts';
import type { Backend } from '../ufs/backend.ts';
import { type FileSystem, isErrno, readWhole, removeQuietly, replaceDurably } from '../ufs/file-system.ts';
import { KeyLock } from '../ufs/key-lock.ts';
import { multipartEtag } from '../ufs/multipart-rules.ts';
import { PlainBody } from '../ufs/plain-body.ts';

const smallFileBytes = 1024 * 1024;

/**
 * Whether places of a storage give objects that came in parts the ETag that can be told before, and keep their stamp. Tried once for each place, and
 * remembered over restarts, so that uploads begin while the storage is away.
 */
export class UploadTrials {
  readonly #fs: FileSystem;
  readonly #random: Random;
  readonly #directory: string;
  readonly #lock = new KeyLock();
  #known: Map<string, boolean> | undefined;

  constructor(fs: FileSystem, random: Random, directory: string) {
    this.#fs = fs;
    this.#random = random;
    this.#directory = directory;
  }

  /** Rejects with what the storage rejects with, where it has to be tried. */
  async isFit(place: string, backend: Backend): Promise<boolean> {
    const { uploadStamps, conditionalComplete, conditionalCompleteCreate } = backend.capabilities;
    if (!uploadStamps || !conditionalComplete || !conditionalCompleteCreate) return false;
    const known = this.#known?.get(place);
    return known ?? this.#lock.run('', () => this.#findOut(place, backend));
  }

  async #findOut(place: string, backend: Backend): Promise<boolean> {
    this.#known ??= await this.#read();
    const known = this.#known.get(place);
    if (known !== undefined) return known;
    const isFit = await tried(this.#random, backend);
    this.#known.set(place, isFit);
    await this.#write(this.#known);
    return isFit;
  }

  async #read(): Promise<Map<string, boolean>> {
    try {
      const bytes = await readWhole(this.#fs, join(this.#directory, 'upload-trials.json'), smallFileBytes);
      return new Map(JSON.parse(bytes.toString()) as [string, boolean][]);
    } catch (error) {
      if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return new Map();
      throw error;
    }
  }

  async #write(known: ReadonlyMap<string, boolean>): Promise<void> {
    const [tmp, path] = ['upload-trials.new', 'upload-trials.json'].map((name) =>
      join(this.#directory, name),
    );
    await removeQuietly(this.#fs, tmp as string);
    const bytes = Buffer.from(JSON.stringify([...known]));
    await replaceDurably(this.#fs, tmp as string, path as string, [bytes]);
  }
}

/** Tries it with an object of its own, which is removed again. */
async function tried(random: Random, backend: Backend): Promise<boolean> {
  const key = `.forebay-check-${random.uuid()}`;
  const bytes = Buffer.from('written to try write mode back');
  const stamp = `forebay ${random.uuid()}`;
  const { uploadId } = await backend.createUpload(key, { headers: {}, userMetadata: {}, stamp });
  try {
    const { etag } = await backend.putPart(key, uploadId, 1, PlainBody.of(bytes));
    const parts = [{ partNumber: 1, etag, checksums: {} }];
    await backend.completeUpload(key, uploadId, parts, { condition: { ifNoneMatch: '*' } });
  } catch (error) {
    await backend.abortUpload(key, uploadId).catch(() => undefined);
    throw error;
  }
  const md5 = digestOf('MD5', bytes).toString('hex');
  const expected = multipartEtag([
    { partNumber: 1, sizeBytes: bytes.length, etag: md5, lastModifiedMs: 0, checksums: {} },
  ]);
  try {
    const found = await backend.head(key);
    return found.etag === expected && found.stamp === stamp;
  } finally {
    await backend.delete(key);
  }
}
