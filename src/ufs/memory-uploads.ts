import { digestOf } from '../common/checksums.ts';
import type { Clock } from '../common/clock.ts';
import type { ObjectMeta } from '../common/object-meta.ts';
import type { Random } from '../common/random.ts';
import type {
  CompleteOptions,
  CompletePart,
  CreateUploadOptions,
  ListUploadsOptions,
  ListUploadsPage,
  UploadedPart,
  UploadInfo,
} from './backend.ts';
import { UfsError } from './errors.ts';
import {
  type CompletionPlan,
  objectParts,
  pageParts,
  pageUploads,
  planCompletion,
} from './multipart-rules.ts';
import { shownPart } from './part-checksums.ts';
import { UploadIds } from './upload-ids.ts';
import { uploadInfoOf } from './upload-info.ts';

export interface MemoryPart extends UploadedPart {
  readonly bytes: Buffer;
}

interface MemoryUpload {
  readonly info: UploadInfo;
  readonly parts: Map<number, MemoryPart>;
}

/** The multipart uploads under way in a `MemoryBackend`. */
export class MemoryUploads {
  private readonly backend: string;
  private readonly clock: Clock;
  private readonly ids: UploadIds;
  private readonly minSizeBytes: number;
  private readonly uploads = new Map<string, MemoryUpload>();

  constructor(backend: string, clock: Clock, random: Random, minSizeBytes: number) {
    this.backend = backend;
    this.clock = clock;
    this.ids = new UploadIds(clock, random);
    this.minSizeBytes = minSizeBytes;
  }

  create(key: string, options: CreateUploadOptions): UploadInfo {
    const info = uploadInfoOf(key, this.ids.next(), this.clock.nowMs(), options);
    this.uploads.set(info.uploadId, { info, parts: new Map() });
    return info;
  }

  /** no-such-upload. */
  get(key: string, uploadId: string): MemoryUpload {
    const upload = this.uploads.get(uploadId);
    if (upload?.info.key !== key) {
      throw new UfsError('no-such-upload', 'there is no such upload', { backend: this.backend, key });
    }
    return upload;
  }

  putPart(key: string, uploadId: string, part: MemoryPart): UploadedPart {
    this.get(key, uploadId).parts.set(part.partNumber, part);
    return withoutBytes(part);
  }

  listParts(key: string, uploadId: string, page: { afterPartNumber?: number; limit: number }) {
    const upload = this.get(key, uploadId);
    const { parts, truncated } = pageParts(upload.parts.values(), page);
    return {
      upload: upload.info,
      parts: parts.map((part) => shownPart(upload.info, withoutBytes(part))),
      truncated,
    };
  }

  async plan(
    key: string,
    uploadId: string,
    named: readonly CompletePart[],
    options: CompleteOptions,
  ): Promise<{
    info: UploadInfo;
    plan: CompletionPlan<MemoryPart> & { objectParts: ObjectMeta['parts'] };
    bytes: Buffer;
  }> {
    const { info, parts } = this.get(key, uploadId);
    const context = { backend: this.backend, minSizeBytes: this.minSizeBytes };
    const plan = await planCompletion(info, parts, named, options, context, async (all, algorithm) =>
      digestOf(algorithm, Buffer.concat(all.map((part) => part.bytes))).toString('base64'),
    );
    const bytes = Buffer.concat(plan.parts.map((part) => part.bytes));
    return { info, plan: { ...plan, objectParts: objectParts(plan.parts) }, bytes };
  }

  remove(uploadId: string): void {
    this.uploads.delete(uploadId);
  }

  list(options: ListUploadsOptions): ListUploadsPage {
    return pageUploads(
      [...this.uploads.values()].map((upload) => upload.info),
      options,
    );
  }
}

function withoutBytes({ bytes: _, ...part }: MemoryPart): UploadedPart {
  return part;
}
