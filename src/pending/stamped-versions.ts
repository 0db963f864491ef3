import type { ObjectMeta } from '../common/object-meta.ts';
import type { Backend, CallOptions, ListEntry } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { formatStamp, parseNote } from './stamp.ts';

const generationPrefix = 'pending:';
const maxRemembered = 10_000;

/** The generation of a version that has a stamp. */
export function generationOf(stampName: string): string {
  return generationPrefix + stampName;
}

interface Remembered {
  readonly generation: string;
  readonly inner: ObjectMeta;
  readonly lastModifiedMs: number;
}

/**
 * Versions that were pending once and lie at the storage now. They keep the generation, and the time, that they were acknowledged with, so that
 * what was cached of them counts still.
 */
export class StampedVersions {
  readonly #inner: Backend;
  readonly #remembered = new Map<string, Remembered>();

  constructor(inner: Backend) {
    this.#inner = inner;
  }

  /** What clients are told of a version of the storage's. */
  shown(key: string, inner: ObjectMeta): ObjectMeta {
    const { stamp, ...meta } = inner;
    const note = parseNote(key, stamp);
    // Others may have written other bytes and kept the note.
    if (!note || note.etag !== inner.etag) return inner;
    const generation = generationOf(formatStamp(note.stamp));
    const { lastModifiedMs } = note;
    this.#remembered.delete(key);
    this.#remembered.set(key, { generation, inner, lastModifiedMs });
    if (this.#remembered.size > maxRemembered) {
      this.#remembered.delete(this.#remembered.keys().next().value as string);
    }
    return { ...meta, generation, lastModifiedMs };
  }

  /** An entry of the storage's own list, which tells no stamps: of versions that are not remembered it has the storage's time. */
  listed(entry: ListEntry): ListEntry {
    const known = entry.kind === 'object' ? this.#remembered.get(entry.key) : undefined;
    if (entry.kind !== 'object' || known?.inner.etag !== entry.etag) return entry;
    return { ...entry, lastModifiedMs: known.lastModifiedMs };
  }

  lastModifiedMs(key: string): number | undefined {
    return this.#remembered.get(key)?.lastModifiedMs;
  }

  /** The storage's own metadata of a version that clients know by `meta`. Kinds: moved, and those of head. */
  async innerOf(
    key: string,
    meta: Pick<ObjectMeta, 'generation'>,
    options?: CallOptions,
  ): Promise<ObjectMeta> {
    // All that a storage looks at.
    if (!meta.generation.startsWith(generationPrefix)) return meta as ObjectMeta;
    const known = this.#remembered.get(key);
    if (known?.generation === meta.generation) return known.inner;
    const inner = await this.#headOrMoved(key, options);
    if (this.shown(key, inner).generation === meta.generation) return inner;
    throw this.moved(key);
  }

  /**
   * The storage turned out to have the version otherwise than it is remembered, as when it was written there once more. True if the next `innerOf`
   * asks the storage.
   */
  forget(key: string, { generation }: Pick<ObjectMeta, 'generation'>): boolean {
    if (this.#remembered.get(key)?.generation !== generation) return false;
    return this.#remembered.delete(key);
  }

  moved(key: string): UfsError {
    const message = 'the version is not the present one any more';
    return new UfsError('moved', message, { backend: this.#inner.uri, key });
  }

  async #headOrMoved(key: string, options: CallOptions | undefined): Promise<ObjectMeta> {
    try {
      return await this.#inner.head(key, options);
    } catch (error) {
      if (error instanceof UfsError && error.kind === 'not-found') throw this.moved(key);
      throw error;
    }
  }
}
