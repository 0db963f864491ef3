import { GetBucketVersioningCommand } from '@aws-sdk/client-s3';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { CallOptions, WriteCondition } from './backend.ts';
import type {
  BackendVersions,
  Deletion,
  ListVersionsOptions,
  ListVersionsPage,
  VersioningMode,
} from './backend-versions.ts';
import { UfsError, type UfsErrorKind } from './errors.ts';
import type { S3Connection } from './s3-connection.ts';
import { conditionHeaders, deletionOf } from './s3-headers.ts';
import type { S3Place } from './s3-place.ts';
import type { S3Reader } from './s3-read.ts';
import type { S3VersionLister } from './s3-version-list.ts';
import { nullVersionId } from './version-ids.ts';

/** For so long it is remembered whether deletions leave delete markers. */
const markingMs = 60_000;

/** Versions, handed on to the backend's own. Which ids there are it decides. */
export class S3Versions implements BackendVersions {
  readonly #connection: S3Connection;
  readonly #place: S3Place;
  readonly #reader: S3Reader;
  readonly #lister: S3VersionLister;
  #marking: { readonly askedMs: number; readonly answer: Promise<boolean> } | undefined;

  constructor(connection: S3Connection, place: S3Place, reader: S3Reader, lister: S3VersionLister) {
    this.#connection = connection;
    this.#place = place;
    this.#reader = reader;
    this.#lister = lister;
  }

  async head(key: string, versionId: string, { signal }: CallOptions = {}): Promise<ObjectMeta> {
    try {
      const meta = await this.#reader.head(key, { signal, versionId });
      // Not every server names the null version, which is to be read by its name all the same.
      if ((meta.versionId ?? nullVersionId) === versionId) return { ...meta, versionId };
    } catch (error) {
      throw this.#ofVersion(key, error);
    }
    throw this.#error('not-implemented', 'the backend does not tell versions apart', key);
  }

  async delete(
    key: string,
    versionId: string,
    { signal, condition }: CallOptions & { readonly condition?: WriteCondition } = {},
  ): Promise<Deletion> {
    const request = {
      method: 'DELETE',
      path: this.#place.pathOf(key),
      headers: conditionHeaders(condition),
      parameters: [['versionId', versionId]],
    } as const;
    try {
      const { headers } = await this.#connection.change(request, { operation: 'DeleteObject', key, signal });
      return { ...deletionOf(headers), versionId };
    } catch (error) {
      const asked = this.#ofVersion(key, error);
      // Some servers say that there was none, which is what was wanted.
      const isGone = asked instanceof UfsError && asked.kind === 'no-such-version' && !condition;
      if (isGone) return { versionId };
      throw condition ? error : asked;
    }
  }

  async list(options: ListVersionsOptions): Promise<ListVersionsPage> {
    try {
      return await this.#lister.list(options);
    } catch (error) {
      throw options.versionIdMarker === undefined ? error : this.#ofVersion(options.keyMarker, error);
    }
  }

  async mode({ signal }: CallOptions = {}): Promise<VersioningMode | undefined> {
    const { output } = await this.#connection.read(
      () => new GetBucketVersioningCommand({ Bucket: this.#place.bucket }),
      { operation: 'GetBucketVersioning', signal },
    );
    if (output.Status === 'Enabled') return 'enabled';
    return output.Status === 'Suspended' ? 'suspended' : undefined;
  }

  /**
   * Whether the bucket puts a delete marker in the place of what is deleted, and of what is not there, as it was set a minute ago at most.
   * Where nobody can tell it is taken to keep nothing.
   */
  marks(): Promise<boolean> {
    const nowMs = this.#connection.clock.monotonicMs();
    if (this.#marking === undefined || nowMs - this.#marking.askedMs > markingMs) {
      const answer = this.mode().then(
        (mode) => mode !== undefined,
        () => false,
      );
      this.#marking = { askedMs: nowMs, answer };
    }
    return this.#marking.answer;
  }

  /** What the backend says of a version that was asked for by its id. HEAD has no body to tell more in. */
  #ofVersion(key: string | undefined, error: unknown): unknown {
    if (!(error instanceof UfsError)) return error;
    if (error.kind === 'not-found' && !error.marker) {
      return this.#error('no-such-version', error.message, key, error.cause);
    }
    const saysNothing =
      error.code === undefined || !/^[A-Z]\w+$/.test(error.code) || error.code === 'Unknown';
    const isInvalid = error.kind === 'refused' && (error.code === 'InvalidArgument' || saysNothing);
    return isInvalid ? this.#error('invalid-version', error.message, key, error.cause) : error;
  }

  #error(kind: UfsErrorKind, message: string, key: string | undefined, cause?: unknown): UfsError {
    return new UfsError(kind, message, { backend: this.#place.uri, key, cause });
  }
}
