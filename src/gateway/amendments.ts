import type { ObjectMeta, Tag } from '../common/object-meta.ts';
import type { ObjectChange } from '../ufs/backend.ts';
import type { BackendVersions } from '../ufs/backend-versions.ts';
import { UfsError } from '../ufs/errors.ts';
import { nullVersionId } from '../ufs/version-ids.ts';
import type { MetadataSource } from '../worker/reader.ts';
import type { Place } from './namespace.ts';
import { checkHeld, versionTarget } from './version-reads.ts';

interface AmendOptions {
  /** Absent: the present version. */
  readonly versionId?: string;
  readonly signal?: AbortSignal;
}

const attempts = 4;

/**
 * Changes of what is kept beside an object's bytes. A version is known by two names, as the present one and by its id: what is known of
 * it under both goes before the change and is not learned again until it is done.
 */
export class Amendments {
  readonly #metadata: MetadataSource;

  constructor(metadata: MetadataSource) {
    this.#metadata = metadata;
  }

  /** Rejects with `UfsError`. `change.generation`: the version must be this one, otherwise `moved`. The backend has `amend`. */
  async amend(place: Place, change: ObjectChange, { versionId, signal }: AmendOptions): Promise<void> {
    const { backend, path } = place;
    const asked = { versionId: heldVersion(place, versionId), signal };
    if (backend.versions) return this.#amendVersion(place, backend.versions, change, asked);
    await this.#metadata.write(place, () => backend.amend?.(path, change, asked) as Promise<ObjectMeta>);
  }

  async #amendVersion(
    place: Place,
    versions: BackendVersions,
    change: ObjectChange,
    { versionId, signal }: AmendOptions,
  ): Promise<void> {
    const { backend, path } = place;
    for (let attempt = 1; ; attempt++) {
      const { generation, versionId: id = nullVersionId } =
        versionId === undefined
          ? await backend.head(path, { signal })
          : await versions.head(path, versionId, { signal });
      const amend = () =>
        backend.amend?.(path, { generation, ...change }, { versionId, signal }) as Promise<ObjectMeta>;
      try {
        await this.#metadata.write(place, async () => {
          const amended = await this.#metadata.write(versionTarget(place, id), amend);
          return versionId === undefined ? amended : 'unknown';
        });
        return;
      } catch (error) {
        const isOvertaken = error instanceof UfsError && error.kind === 'moved';
        if (!isOvertaken || change.generation !== undefined || attempt === attempts) throw error;
      }
    }
  }
}

/** Kinds: those of `Backend.getTags`, and of `checkHeld`. The backend has `getTags`. */
export async function tagsOfVersion(place: Place, options: AmendOptions): Promise<readonly Tag[]> {
  const versionId = heldVersion(place, options.versionId);
  return place.backend.getTags?.(place.path, { ...options, versionId }) ?? [];
}

/** Where no versions are kept the null version is the object. */
function heldVersion({ backend, path }: Place, versionId: string | undefined): string | undefined {
  if (versionId === undefined || backend.versions) return versionId;
  checkHeld(backend, path, versionId);
  return undefined;
}
