import type { ObjectMeta } from '../common/object-meta.ts';
import type { CompleteOptions, CompletePart, UploadInfo } from './backend.ts';
import { digestFiles } from './body-file.ts';
import type { FileSystem } from './file-system.ts';
import { planCompletion } from './multipart-rules.ts';
import type { RootCommits } from './root-commits.ts';
import type { RootObjects } from './root-objects.ts';
import type { RootPaths } from './root-paths.ts';
import { DamagedRecordError, metaOf, type StoredPart } from './root-record.ts';
import type { RootPart, RootUploads } from './root-uploads.ts';

export type UploadFate = 'open' | 'object' | 'unknown';

/**
 * Completes uploads without copying a byte: the record that makes the object visible names the upload, whose directory is then moved
 * from the uploads under way to the objects. A process that is killed in between leaves this for the next start.
 */
export class RootCompletion {
  private readonly uri: string;
  private readonly fs: FileSystem;
  private readonly paths: RootPaths;
  private readonly objects: RootObjects;
  private readonly uploads: RootUploads;
  private readonly commits: RootCommits;
  private readonly minPartSizeBytes: number;

  constructor(
    uri: string,
    fs: FileSystem,
    paths: RootPaths,
    objects: RootObjects,
    uploads: RootUploads,
    commits: RootCommits,
    settings: { readonly minPartSizeBytes: number },
  ) {
    this.uri = uri;
    this.fs = fs;
    this.paths = paths;
    this.objects = objects;
    this.uploads = uploads;
    this.commits = commits;
    this.minPartSizeBytes = settings.minPartSizeBytes;
  }

  complete(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<ObjectMeta> {
    return this.uploads.exclusively(uploadId, async () => {
      const made = await this.commits.exclusively(key, () => this.commits.findBody(key, uploadId));
      if (made) return metaOf(made);
      const upload = await this.uploads.get(key, uploadId);
      const stored = await this.uploads.parts(uploadId);
      const context = { backend: this.uri, minSizeBytes: this.minPartSizeBytes };
      const plan = await planCompletion(upload, stored, named, options, context, (parts, algorithm) =>
        digestFiles(this.fs, this.paths.upload(uploadId), parts, algorithm),
      );
      await this.commits.checkEarly(key, options);
      const { etag, sizeBytes, checksums, checksumType } = plan;
      const facts = { etag, sizeBytes, ...(checksums ? { checksums, checksumType } : {}) };
      const parts = plan.parts.map(storedPart);
      const files = new Set(parts.map((part) => part.file));
      const { access, stamp } = upload;
      return this.objects.commitParts(
        key,
        uploadId,
        parts,
        facts,
        upload,
        { ...options, access, stamp },
        () => this.uploads.finish(uploadId, files),
      );
    });
  }

  /** Brings those completions to their end that were committed by a process that was killed then. */
  async finishCommitted(): Promise<void> {
    for (const upload of await this.uploads.all()) await this.finishIfCommitted(upload);
  }

  /**
   * What became of an upload that still lies among those under way: it is an object's already where its completion broke off behind the
   * commit, and is brought to its end then; unknown where the key's record is damaged, which may be that completion's. The caller has the
   * upload to itself.
   */
  finishIfCommitted({ key, uploadId }: Pick<UploadInfo, 'key' | 'uploadId'>): Promise<UploadFate> {
    return this.commits.exclusively(key, async () => {
      const made = await this.commits.findBody(key, uploadId);
      if (!made) return (await this.commits.present(key)) instanceof DamagedRecordError ? 'unknown' : 'open';
      await this.uploads.finish(uploadId, new Set(made.parts?.map((part) => part.file)));
      return 'object';
    });
  }
}

function storedPart({ partNumber, sizeBytes, file, checksums }: RootPart): StoredPart {
  const any = Object.keys(checksums).length > 0;
  return { partNumber, sizeBytes, file, ...(any ? { checksums } : {}) };
}
