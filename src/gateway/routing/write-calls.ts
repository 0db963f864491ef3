import type { ObjectAccess } from '../../common/access-control.ts';
import type { AtOnce } from '../../common/at-once.ts';
import type { ByteRange } from '../../common/byte-range.ts';
import type { AnnouncedChecksum, ObjectMeta, Tag, UploadBody } from '../../common/object-meta.ts';
import type { BucketName, VersionRef } from '../../s3api/names.ts';
import type {
  CompleteInput,
  CopyInput,
  CopyPartInput,
  ObjectService,
  PutObjectInput,
  WriteCondition,
} from '../../s3api/service.ts';
import type { Read } from './wire.ts';

/** The calls of the object service that change one object, each with what it is given besides body, callbacks and signal. */
export interface WriteInputs {
  readonly putObject: Omit<PutObjectInput, 'body' | 'signal'>;
  readonly deleteObject: { readonly condition?: WriteCondition };
  readonly copyObject: Omit<CopyInput, 'checkSource' | 'signal'>;
  readonly putObjectAccess: { readonly access: ObjectAccess; readonly generation: string };
  readonly putTags: { readonly tags: readonly Tag[] };
  readonly createUpload: Parameters<ObjectService['createUpload']>[1];
  readonly putPart: { readonly uploadId: string; readonly partNumber: number };
  readonly copyPart: Omit<CopyPartInput, 'selectSource' | 'signal'>;
  readonly completeUpload: Omit<CompleteInput, 'signal'>;
  readonly abortUpload: { readonly uploadId: string };
}
export type WriteCall = keyof WriteInputs;

/** A change as it goes to the object's owner. */
export interface Write
  extends Pick<Read, 'view' | 'hops' | 'sentMs' | 'bucket' | 'key' | 'incarnation' | 'versionId'> {
  readonly op: 'write';
  readonly call: WriteCall;
  readonly input: WriteInputs[WriteCall];
  /** How the bucket keeps versions, as the node knows it whose client asks. */
  readonly versioning?: string;
  /** Of the bytes that follow, where there are some. */
  readonly body?: { readonly sizeBytes: number; readonly announcedChecksum?: AnnouncedChecksum };
  /** The owner, where another node is asked to pass it on. */
  readonly relayTo?: string;
}

/** What comes behind the last byte of a body, when all that its client said of it was found to hold. */
export interface BodyEnd {
  readonly crc32: number;
  readonly sentChecksums: Readonly<Record<string, string>>;
}

/** What the owner asks back, in the middle of a copy, and is told. */
export interface SourceQuestion {
  readonly source: ObjectMeta;
}
export interface SourceAnswer {
  readonly range?: ByteRange;
}

/** What of a change cannot be written down. */
export interface WriteParts {
  readonly body?: UploadBody;
  readonly signal?: AbortSignal;
  /** As `checkSource` and `selectSource`. */
  readonly source?: (meta: ObjectMeta) => AtOnce<ByteRange | undefined>;
}

/** Carries a change out. What it gives is the call's own result. */
export function perform(
  service: ObjectService,
  write: Pick<Write, 'call' | 'input' | 'bucket' | 'key' | 'versionId'>,
  { body, signal, source }: WriteParts,
): Promise<unknown> {
  const { call, versionId } = write;
  const ref = { bucket: write.bucket as BucketName, key: write.key } as VersionRef;
  const version: VersionRef = { ...ref, versionId };
  const input = <Call extends WriteCall>(_: Call) => write.input as WriteInputs[Call];
  const whole = body as UploadBody;
  const ask = source ?? (() => undefined);
  switch (call) {
    case 'putObject':
      return service.putObject(ref, { ...input(call), body: whole, signal });
    case 'deleteObject':
      return service.deleteObject(version, { ...input(call), signal });
    case 'copyObject':
      return service.copyObject(ref, {
        ...input(call),
        checkSource: async (meta) => void (await ask(meta)),
        signal,
      });
    case 'putObjectAccess': {
      const { access, generation } = input(call);
      return service.putObjectAccess(version, access, { generation, signal });
    }
    case 'putTags':
      return service.putTags(version, input(call).tags, { signal });
    case 'createUpload':
      return service.createUpload(ref, input(call));
    case 'putPart':
      return service.putPart(ref, { ...input(call), body: whole, signal });
    case 'copyPart':
      return service.copyPart(ref, { ...input(call), selectSource: ask, signal });
    case 'completeUpload':
      return service.completeUpload(ref, { ...input(call), signal });
    default:
      return service.abortUpload(ref, input(call).uploadId);
  }
}
