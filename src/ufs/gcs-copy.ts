import { createDigest } from '../common/checksums.ts';
import type { ChecksumAlgorithm, Checksums, NewObject, ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type { CopyOptions } from './backend.ts';
import { UfsError } from './errors.ts';
import { type GcsObject, metaOf, type Recorded, recordOf, resourceOf } from './gcs-object.ts';
import type { GcsPlace } from './gcs-place.ts';
import type { GcsReader } from './gcs-read.ts';
import type { GcsReplacer } from './gcs-replace.ts';
import type { GcsRewriter } from './gcs-rewrite.ts';
import { copyChecksum } from './write-rules.ts';

/** Copies within the bucket, by rewrite: no byte passes through this process unless a checksum is wanted that nobody knows. */
export class GcsCopier {
  readonly #random: Random;
  readonly #place: GcsPlace;
  readonly #reader: GcsReader;
  readonly #replacer: GcsReplacer;
  readonly #rewriter: GcsRewriter;

  constructor(
    random: Random,
    place: GcsPlace,
    reader: GcsReader,
    replacer: GcsReplacer,
    rewriter: GcsRewriter,
  ) {
    this.#random = random;
    this.#place = place;
    this.#reader = reader;
    this.#replacer = replacer;
    this.#rewriter = rewriter;
  }

  async copy(sourceKey: string, key: string, options: CopyOptions): Promise<ObjectMeta> {
    const { signal, condition } = options;
    this.#place.checkHeld(key, 'invalid-key');
    const source = await this.#reader.object(sourceKey, signal);
    if (source.generation !== options.sourceGeneration) throw this.#moved(sourceKey);
    const meta = metaOf(source, this.#place.uri, sourceKey);
    const stamp = this.#random.uuid();
    const recorded = { stamp, ...(await this.#recordedOf(sourceKey, source, meta, options)) };
    const about = this.#aboutOf(source, meta, options);
    const resource = resourceOf(about, recorded, { backend: this.#place.uri, key });
    const made = await this.#replacer.replace(
      { key, ability: 'conditionalCopy', condition, signal, stamp },
      async (expected) => {
        const from = { key: sourceKey, generation: source.generation };
        const call = { operation: 'objects.rewrite', key, signal, beforeCommit: options.beforeCommit };
        return this.#rewriter.rewrite(call, from, key, resource, expected);
      },
    );
    return this.#reader.shown(key, made as GcsObject);
  }

  #aboutOf(source: GcsObject, meta: ObjectMeta, { replace, tags }: CopyOptions): NewObject {
    const { headers, userMetadata, storageClass } = replace ?? meta;
    return { headers, userMetadata, storageClass, tags: tags ?? recordOf(source).tags };
  }

  /** The copy's checksum and ETag: those of the source as far as they speak of the bytes as a whole. */
  async #recordedOf(
    key: string,
    source: GcsObject,
    meta: ObjectMeta,
    { checksumAlgorithm, signal }: CopyOptions,
  ): Promise<Omit<Recorded, 'stamp'>> {
    const { crc32c = '' } = source;
    const algorithm = copyChecksum(meta, checksumAlgorithm);
    const known = meta.checksumType === 'COMPOSITE' ? undefined : meta.checksums?.[algorithm];
    const value = known ?? (algorithm === 'CRC32C' && crc32c !== '' ? crc32c : undefined);
    // A rewrite keeps the MD5 where Cloud Storage has one.
    const etag = source.md5Hash ? undefined : meta.etag;
    if (value !== undefined)
      return { crc32c, etag, checksums: { [algorithm]: value }, checksumType: 'FULL_OBJECT' };
    const { checksums, md5 } = await this.#digest(key, meta, algorithm, signal);
    return { crc32c, etag: source.md5Hash ? undefined : md5, checksums, checksumType: 'FULL_OBJECT' };
  }

  /** Reads the source through, for a checksum that nobody has computed of it. */
  async #digest(
    key: string,
    meta: ObjectMeta,
    algorithm: ChecksumAlgorithm,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly checksums: Checksums; readonly md5: string }> {
    const wanted = createDigest(algorithm);
    const md5 = createDigest('MD5');
    if (meta.sizeBytes > 0) {
      for await (const piece of this.#reader.read(key, meta, { start: 0, end: meta.sizeBytes }, { signal })) {
        wanted.update(piece);
        md5.update(piece);
      }
    }
    return {
      checksums: { [algorithm]: wanted.digest().toString('base64') },
      md5: md5.digest().toString('hex'),
    };
  }

  #moved(key: string): UfsError {
    const message = 'the source is not the expected version';
    return new UfsError('moved', message, { backend: this.#place.uri, key });
  }
}
