import type { BucketName } from '../s3api/names.ts';
import type { ListInput, ListVersionsInput } from '../s3api/service.ts';
import type { ListUploadsOptions } from '../ufs/backend.ts';
import { toS3Error } from './error-map.ts';
import { listMerged } from './list-merge.ts';
import type { Namespace } from './namespace.ts';
import { listUploadsMerged, type UploadSource } from './upload-merge.ts';
import { listVersionsMerged } from './version-merge.ts';

/** What a bucket holds, over all the mounts that hold its keys. Reject with `S3Error`. */
export class Listings {
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  objects(bucket: BucketName, input: ListInput) {
    return this.#over(bucket, input.prefix, async (sources) => {
      const { entries, truncated } = await listMerged(sources, input);
      return { items: entries, truncated };
    });
  }

  versions(bucket: BucketName, input: ListVersionsInput) {
    return this.#over(bucket, input.prefix, (sources) => listVersionsMerged(sources, input));
  }

  uploads(bucket: BucketName, input: ListUploadsOptions) {
    return this.#over(bucket, input.prefix, (sources) => listUploadsMerged(sources, input));
  }

  async #over<T>(
    bucket: BucketName,
    prefix: string,
    list: (sources: readonly UploadSource[]) => Promise<T>,
  ): Promise<T> {
    try {
      return await list(await this.#namespace.sources(bucket, prefix));
    } catch (error) {
      throw toS3Error(error);
    }
  }
}
