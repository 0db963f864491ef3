import { unreachable } from '../common/assert.ts';
import { S3Error, type S3ErrorCode } from '../s3api/errors.ts';
import type { UfsError, UploadFault } from '../ufs/errors.ts';

/** A fault of a call for a multipart upload in S3's words, with the fields that S3 gives; `code` is the error's without them. */
export function uploadError(code: S3ErrorCode, cause: UfsError): S3Error {
  const { fault } = cause;
  return new S3Error(code, fault ? { cause, ...detailsOf(fault) } : { cause });
}

interface Details {
  readonly message?: string;
  readonly extra?: Readonly<Record<string, string>>;
}

/** As S3 was seen to answer CompleteMultipartUpload and UploadPart: it writes the algorithms of an upload in lower case there. */
function detailsOf(fault: UploadFault): Details {
  switch (fault.what) {
    case 'part':
      return { extra: { PartNumber: String(fault.partNumber), ETag: fault.etag } };
    case 'part-too-small':
      return {
        extra: {
          ProposedSize: String(fault.sizeBytes),
          MinSizeAllowed: String(fault.leastBytes),
          PartNumber: String(fault.partNumber),
          ETag: fault.etag,
        },
      };
    case 'size':
      return {
        message: `The provided 'x-amz-mp-object-size' header value ${fault.expectedBytes} does not match what was computed: ${fault.sizeBytes}`,
      };
    case 'checksum-type':
      return {
        message: `The upload was created using the ${fault.created ?? 'null'} checksum mode. The complete request must use the same checksum mode.`,
      };
    case 'part-lacks-checksum':
      return {
        message: `The upload was created using a ${fault.created.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${fault.partNumber} in the request.`,
      };
    case 'part-other-checksum':
      return {
        message: `The ${fault.named.toLowerCase()} you specified for part ${fault.partNumber} did not match what we received.`,
      };
    case 'other-algorithm':
      return {
        message: `Checksum Type mismatch occurred, expected checksum Type: ${fault.created.toLowerCase()}, actual checksum Type: ${fault.sent.toLowerCase()}`,
      };
    case 'checksum':
      return {
        message: `The ${fault.algorithm.toLowerCase()} you specified did not match the calculated checksum.`,
      };
    case 'as-told':
      return { message: fault.words };
    default:
      return unreachable(fault);
  }
}
