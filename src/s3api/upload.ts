import type { UploadBody } from '../common/object-meta.ts';
import type { Call } from './call.ts';
import { S3Error } from './errors.ts';
import { maxUploadBytes } from './request.ts';

/**
 * The body of a PUT or of a part, which may be 5 GiB long. To be called once every header was found right, for the client
 * may be told to go on. MissingContentLength, EntityTooLarge.
 */
export function openUpload(call: Call): UploadBody {
  const body = call.upload();
  if (body.sizeBytes > maxUploadBytes) {
    throw new S3Error('EntityTooLarge', {
      extra: { ProposedSize: String(body.sizeBytes), MaxSizeAllowed: String(maxUploadBytes) },
    });
  }
  return body;
}
