import { inOrder } from '../common/in-order.ts';
import type { ObjectMeta, Tag } from '../common/object-meta.ts';
import type { ObjectChange } from '../ufs/backend.ts';
import type { BackendVersions } from '../ufs/backend-versions.ts';
import { UfsError } from '../ufs/errors.ts';
import { nullVersionId } from '../ufs/version-ids.ts';
import type { CheckStill, MetadataSource } from '../worker/reader.ts';
import type { Place } from './namespace.ts';
import { checkHeld, versionNamed, versionTarget } from './version-reads.ts';

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

  /**
   * Gives the version's id, as answers name it. Rejects with `UfsError`, kinds as `findVersion`. `change.generation`: the version must be
   * this one, otherwise `moved`. The backend has `amend`.
   */
  async amend(
    place: Place,
    change: ObjectChange,
    { versionId, signal }: AmendOptions,
  ): Promise<string | undefined> {
    const { backend, path } = place;
    const asked = { versionId: heldVersion(place, versionId), signal };
    if (backend.versions) return this.#amendVersion(place, backend.versions, change, asked);
    await this.#metadata.write(place, async (checkStill) => {
      await checkStill();
      return backend.amend?.(path, change, asked) as Promise<ObjectMeta>;
    });
    return undefined;
  }

  async #amendVersion(
    place: Place,
    versions: BackendVersions,
    change: ObjectChange,
    { versionId, signal }: AmendOptions,
  ): Promise<string | undefined> {
    const { backend, path } = place;
    for (let attempt = 1; ; attempt++) {
      const found = await findVersion(place, versions, { versionId, signal });
      const { generation, versionId: id = nullVersionId } = found;
      const amend = async (checkStill: CheckStill) => {
        await checkStill();
        return backend.amend?.(path, { generation, ...change }, { versionId, signal }) as Promise<ObjectMeta>;
      };
      try {
        await this.#metadata.write(place, async (checkStill) => {
          const amendBoth = (own: CheckStill) => amend(inOrder(checkStill, own));
          const amended = await this.#metadata.write(versionTarget(place, id), amendBoth);
          return versionId === undefined ? amended : 'unknown';
        });
        return versionNamed(place, found);
      } catch (error) {
        if (!isOvertaken(error) || change.generation !== undefined || attempt === attempts) throw error;
      }
    }
  }
}

/** With the version's id, as answers name it. Kinds: as `findVersion`, and those of `checkHeld`. The backend has `getTags`. */
export async function tagsOfVersion(
  place: Place,
  { versionId, signal }: AmendOptions,
): Promise<{ readonly tags: readonly Tag[]; readonly versionId?: string }> {
  const { backend, path, isRoot, versioning } = place;
  const asked = heldVersion(place, versionId);
  const tagsOf = async (id: string | undefined) =>
    (await backend.getTags?.(path, { versionId: id, signal })) ?? [];
  const isOnlyOne = asked === undefined && isRoot && versioning === undefined;
  if (!backend.versions || isOnlyOne) return { tags: await tagsOf(asked) };
  for (let attempt = 1; ; attempt++) {
    const found = await findVersion(place, backend.versions, { versionId: asked, signal });
    const named = versionNamed(place, found);
    try {
      return { tags: await tagsOf(asked ?? named), versionId: named };
    } catch (error) {
      if (!isOvertaken(error) || asked !== undefined || attempt === attempts) throw error;
    }
  }
}

/**
 * Kinds: not-found, no-such-version, invalid-version, moved; delete-marker, also where that is the present version: where tags are asked for
 * or changed, S3 tells it from an object that is not there.
 */
async function findVersion(
  { backend, path }: Place,
  versions: BackendVersions,
  { versionId, signal }: AmendOptions,
): Promise<ObjectMeta> {
  if (versionId !== undefined) return versions.head(path, versionId, { signal });
  try {
    return await backend.head(path, { signal });
  } catch (error) {
    if (!(error instanceof UfsError) || error.kind !== 'not-found' || !error.marker) throw error;
    const { marker } = error;
    const details = { backend: backend.uri, key: path, marker, cause: error };
    throw new UfsError('delete-marker', 'the present version is a delete marker', details);
  }
}

/** Another version took the place of the one that was found, or that one is gone. */
function isOvertaken(error: unknown): boolean {
  return error instanceof UfsError && (error.kind === 'moved' || error.kind === 'no-such-version');
}

/** Where no versions are kept the null version is the object. */
function heldVersion({ backend, path }: Place, versionId: string | undefined): string | undefined {
  if (versionId === undefined || backend.versions) return versionId;
  checkHeld(backend, path, versionId);
  return undefined;
}
