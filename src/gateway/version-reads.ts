import type { ByteRange } from '../common/byte-range.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Backend, BackendCapabilities, CallOptions } from '../ufs/backend.ts';
import { UfsError } from '../ufs/errors.ts';
import { isVersionId, nullVersionId } from '../ufs/version-ids.ts';
import type { MetadataTarget } from '../worker/reader.ts';
import type { Place } from './namespace.ts';

/** One version of one key as a backend to read from. Its pages are kept apart from those of the key's present version. */
export class VersionReads implements Pick<Backend, 'uri' | 'capabilities' | 'head' | 'read' | 'pin'> {
  readonly pin?: NonNullable<Backend['pin']>;
  readonly #backend: Backend;
  readonly #key: string;
  readonly #versionId: string;

  constructor(backend: Backend, key: string, versionId: string) {
    this.#backend = backend;
    this.#key = key;
    this.#versionId = versionId;
    if (backend.pin) {
      this.pin = (_, meta, options) => backend.pin?.(key, meta, options) as Promise<() => Promise<void>>;
    }
  }

  get uri(): string {
    return this.#backend.uri;
  }

  get capabilities(): BackendCapabilities {
    return this.#backend.capabilities;
  }

  async head(_: string, options?: CallOptions): Promise<ObjectMeta> {
    const { versions } = this.#backend;
    if (versions) return versions.head(this.#key, this.#versionId, options);
    checkHeld(this.#backend, this.#key, this.#versionId);
    return this.#backend.head(this.#key, options);
  }

  read(_: string, meta: ObjectMeta, range: ByteRange, options?: CallOptions): AsyncIterable<Buffer> {
    return this.#backend.read(this.#key, meta, range, options);
  }
}

/** Where a version's metadata and pages are kept: beside those of its key, under a name that no write of the key concerns. */
export function versionTarget(place: Place, versionId: string): MetadataTarget {
  const { mount, incarnation, path, freshness, bucket, key, objectHash, policy, notBeforeSeconds } = place;
  const backend = new VersionReads(place.backend, path, versionId);
  const own = { backend, mount, incarnation, path: `${path}\0${versionId}`, freshness, versionId };
  return { ...own, bucket, key, objectHash, policy, notBeforeSeconds };
}

/** How answers name a version; undefined where none are kept. */
export function versionNamed(
  { versioning }: Pick<Place, 'versioning'>,
  { versionId }: Pick<ObjectMeta, 'versionId'>,
): string | undefined {
  return versionId ?? (versioning === undefined ? undefined : nullVersionId);
}

/**
 * Refuses every version of a backend that keeps none, but the null version, which there is the object. Kinds: invalid-version,
 * no-such-version.
 */
export function checkHeld({ uri }: Pick<Backend, 'uri'>, key: string, versionId: string): void {
  if (versionId === nullVersionId) return;
  const kind = isVersionId(versionId) ? 'no-such-version' : 'invalid-version';
  throw new UfsError(kind, 'no versions are kept here', { backend: uri, key });
}
