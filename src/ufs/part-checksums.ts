import type { ChecksumAlgorithm, Checksums, UploadBody } from '../common/object-meta.ts';
import type { UploadedPart, UploadInfo } from './backend.ts';
import { UfsError } from './errors.ts';
import { defaultChecksumAlgorithm } from './write-rules.ts';

type Upload = Pick<UploadInfo, 'checksumAlgorithm' | 'key'>;

/**
 * Asks, before a part's body is read, for the checksum that is kept of it: of the upload's algorithm, or of the default one, of which
 * nothing is told before the object is made. upload-mismatch, if the client sends another than the upload was created with.
 */
export function needPartChecksum(upload: Upload, body: UploadBody, backend: string): ChecksumAlgorithm {
  const created = upload.checksumAlgorithm;
  const sent = body.announcedChecksum?.algorithm;
  if (created !== undefined && sent !== undefined && sent !== created) {
    const fault = { what: 'other-algorithm', created, sent } as const;
    const message = `the part comes with ${sent}, and its upload was created with ${created}`;
    throw new UfsError('upload-mismatch', message, { backend, key: upload.key, fault });
  }
  const algorithm = created ?? defaultChecksumAlgorithm;
  body.need(algorithm);
  return algorithm;
}

/** What is kept of a part that was read: the checksum that was asked for, and the one that the client sent. */
export function partChecksums(body: UploadBody, algorithm: ChecksumAlgorithm): Checksums {
  return { ...body.sentChecksums(), [algorithm]: body.digest(algorithm).toString('base64') };
}

/** A part as the answer to its upload tells it: of an upload without an algorithm, with the checksum that the client itself sent. */
export function answeredPart(upload: Upload, part: UploadedPart, body: UploadBody): UploadedPart {
  return upload.checksumAlgorithm === undefined ? { ...part, checksums: body.sentChecksums() } : part;
}

/** A part as lists tell it: of an upload without an algorithm, without its checksum. */
export function shownPart(upload: Upload, part: UploadedPart): UploadedPart {
  return upload.checksumAlgorithm === undefined ? { ...part, checksums: {} } : part;
}
