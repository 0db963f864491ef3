import { GetObjectAttributesCommand } from '@aws-sdk/client-s3';
import {
  type ChecksumAlgorithm,
  checksumAlgorithms,
  type ObjectMeta,
  type ObjectPart,
} from '../common/object-meta.ts';
import type { ObjectPartsOptions, ObjectPartsPage } from './backend.ts';
import { UfsError } from './errors.ts';
import type { S3Connection } from './s3-connection.ts';
import { plainEtag } from './s3-headers.ts';
import type { S3Place } from './s3-place.ts';

const maxParts = 1_000;

/** The parts that an object was made of, as S3 tells them of those with a composite checksum. Kinds: moved. */
export async function listS3ObjectParts(
  connection: S3Connection,
  place: S3Place,
  key: string,
  meta: ObjectMeta,
  { afterPartNumber, limit, signal }: ObjectPartsOptions,
): Promise<ObjectPartsPage> {
  const input = {
    Bucket: place.bucket,
    Key: place.pathOf(key),
    ObjectAttributes: ['ETag' as const, 'ObjectParts' as const],
    MaxParts: Math.min(limit, maxParts),
    ...(afterPartNumber ? { PartNumberMarker: String(afterPartNumber) } : {}),
  };
  const about = { operation: 'GetObjectAttributes', key, signal };
  const { output } = await connection.read(() => new GetObjectAttributesCommand(input), about);
  if (plainEtag(output.ETag ?? '') !== meta.etag) {
    throw new UfsError('moved', 'the backend has another version now', { backend: place.uri, key });
  }
  const { Parts = [], IsTruncated = false } = output.ObjectParts ?? {};
  const parts = Parts.map((part): ObjectPart => {
    const checksums: { [Name in ChecksumAlgorithm]?: string } = {};
    for (const name of checksumAlgorithms) {
      const value = part[`Checksum${name}`];
      if (value) checksums[name] = value;
    }
    return { partNumber: part.PartNumber ?? 0, sizeBytes: part.Size ?? 0, checksums };
  });
  return { parts, truncated: IsTruncated };
}
