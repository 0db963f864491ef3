import {
  DeleteObjectTaggingCommand,
  GetObjectTaggingCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import type { Tag } from '../common/object-meta.ts';
import type { VersionOptions } from './backend.ts';
import type { S3Connection } from './s3-connection.ts';
import { noS3Answer } from './s3-errors.ts';
import type { S3Place } from './s3-place.ts';

/** Tags of objects, handed on to the backend's own. */
export class S3Tags {
  readonly #connection: S3Connection;
  readonly #place: S3Place;

  constructor(connection: S3Connection, place: S3Place) {
    this.#connection = connection;
    this.#place = place;
  }

  async get(key: string, { signal, versionId }: VersionOptions = {}): Promise<readonly Tag[]> {
    this.#place.checkHeld(key, 'not-found');
    const { output } = await this.#connection.read(
      () => new GetObjectTaggingCommand(this.#names(key, versionId)),
      {
        operation: 'GetObjectTagging',
        key,
        signal,
      },
    );
    if (output.TagSet === undefined) throw noS3Answer('GetObjectTagging', 'a TagSet', this.#place.uri, key);
    return output.TagSet.map(({ Key = '', Value = '' }) => ({ key: Key, value: Value }));
  }

  /** Replaces all tags; none removes them. */
  async put(key: string, tags: readonly Tag[], { signal, versionId }: VersionOptions = {}): Promise<void> {
    this.#place.checkHeld(key, 'not-found');
    const call = { operation: 'PutObjectTagging', key, signal };
    if (tags.length === 0) {
      await this.#connection.write(new DeleteObjectTaggingCommand(this.#names(key, versionId)), call);
      return;
    }
    const TagSet = tags.map(({ key: Key, value: Value }) => ({ Key, Value }));
    const input = { ...this.#names(key, versionId), Tagging: { TagSet } };
    await this.#connection.write(new PutObjectTaggingCommand(input), call);
  }

  #names(key: string, VersionId: string | undefined) {
    return { Bucket: this.#place.bucket, Key: this.#place.pathOf(key), VersionId };
  }
}
