import type { ChecksumAlgorithm, ObjectMeta } from '../common/object-meta.ts';
import type { ListedObject } from './backend.ts';

/** What a list tells of an object. */
export function listedObject(
  key: string,
  meta: Pick<
    ObjectMeta,
    'sizeBytes' | 'etag' | 'lastModifiedMs' | 'storageClass' | 'checksums' | 'checksumType' | 'access'
  >,
): ListedObject {
  const algorithms = meta.checksums && (Object.keys(meta.checksums) as ChecksumAlgorithm[]);
  return {
    kind: 'object',
    key,
    sizeBytes: meta.sizeBytes,
    etag: meta.etag,
    lastModifiedMs: meta.lastModifiedMs,
    ...(meta.access?.owner === undefined ? {} : { owner: meta.access.owner }),
    ...(meta.storageClass === undefined ? {} : { storageClass: meta.storageClass }),
    ...(algorithms ? { checksumAlgorithms: algorithms, checksumType: meta.checksumType } : {}),
  };
}
