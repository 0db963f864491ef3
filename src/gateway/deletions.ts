import { inOrder } from '../common/in-order.ts';
import type { VersionRef } from '../s3api/names.ts';
import type { CallOptions, WriteCondition } from '../ufs/backend.ts';
import type { Deletion } from '../ufs/backend-versions.ts';
import { UfsError } from '../ufs/errors.ts';
import type { MetadataSource } from '../worker/reader.ts';
import { toS3Error } from './error-map.ts';
import type { Place } from './namespace.ts';
import { ofVersion } from './version-errors.ts';
import { checkHeld, versionTarget } from './version-reads.ts';

type DeleteOptions = CallOptions & { readonly condition?: WriteCondition };

/** Removes objects and versions of them; what is known of them goes too. */
export class Deletions {
  readonly #metadata: MetadataSource;

  constructor(metadata: MetadataSource) {
    this.#metadata = metadata;
  }

  /** The present version, or, where versions are kept, a delete marker is put in its place. */
  async remove(place: Place, options: DeleteOptions): Promise<Deletion> {
    const { backend, path, versioning } = place;
    let deletion: Deletion = {};
    await this.#metadata.write(place, async (beforeCommit) => {
      deletion = await backend.delete(path, { ...options, versioning, beforeCommit });
      return undefined;
    });
    return deletion;
  }

  /** One version, for good. Which one is the present version then the storage knows. */
  async removeVersion(place: Place, ref: Required<VersionRef>, options: DeleteOptions): Promise<Deletion> {
    const { backend, path } = place;
    const { versionId } = ref;
    const { versions } = backend;
    try {
      if (!versions) return await this.#removeOnly(place, versionId, options);
      let deletion: Deletion = {};
      await this.#metadata.write(place, async (checkStill) => {
        await this.#metadata.write(versionTarget(place, versionId), async (own) => {
          await inOrder(checkStill, own)();
          deletion = await versions.delete(path, versionId, options);
          return undefined;
        });
        return 'unknown';
      });
      return deletion;
    } catch (error) {
      throw ofVersion(toS3Error(error), ref, versionId);
    }
  }

  /** Where none are kept the null version is the object; others are not there, as was wanted. */
  async #removeOnly(place: Place, versionId: string, options: DeleteOptions): Promise<Deletion> {
    try {
      checkHeld(place.backend, place.path, versionId);
    } catch (error) {
      if (isAbsence(error)) return { versionId };
      throw error;
    }
    await this.remove(place, options);
    return { versionId };
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof UfsError && error.kind === 'no-such-version';
}
