import { S3Error } from '../s3api/errors.ts';

/**
 * SignatureDoesNotMatch with all that lets a client find its mistake. The expected signature is not among it, nor anything
 * from which it could be made without the secret.
 */
export function signatureMismatch(
  accessKeyId: string,
  given: string,
  stringToSign: string,
  canonicalRequest: string,
): S3Error {
  const canonicalBytes = Buffer.from(canonicalRequest, 'latin1');
  return new S3Error('SignatureDoesNotMatch', {
    extra: {
      AWSAccessKeyId: accessKeyId,
      StringToSign: stringToSign,
      SignatureProvided: given,
      StringToSignBytes: spacedHex(Buffer.from(stringToSign)),
      CanonicalRequest: canonicalBytes.toString('utf8'),
      CanonicalRequestBytes: spacedHex(canonicalBytes),
    },
  });
}

function spacedHex(bytes: Buffer): string {
  return bytes.toString('hex').replace(/../g, '$& ').trimEnd();
}
