import type { CreateUploadOptions, UploadInfo } from './backend.ts';
import { keptAccess } from './kept-access.ts';
import { keptTags } from './tags.ts';

/** What is remembered of an upload, out of the call that creates it; nothing of the call itself is kept. */
export function uploadInfoOf(
  key: string,
  uploadId: string,
  initiatedMs: number,
  options: CreateUploadOptions,
): UploadInfo {
  const {
    headers,
    userMetadata,
    storageClass,
    access,
    initiator,
    checksumAlgorithm,
    checksumType,
    tags,
    stamp,
  } = options;
  return {
    key,
    uploadId,
    initiatedMs,
    headers,
    userMetadata,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(checksumAlgorithm === undefined ? {} : { checksumAlgorithm }),
    ...(checksumType === undefined ? {} : { checksumType }),
    ...keptTags(tags),
    ...keptAccess(access),
    ...(stamp === undefined ? {} : { stamp }),
    ...(initiator === undefined ? {} : { initiator }),
  };
}
