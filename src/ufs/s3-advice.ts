import { UfsError } from './errors.ts';
import type { S3BackendSettings } from './s3-settings.ts';

const rights =
  's3:ListBucket on the bucket, s3:GetObject on its objects, and unless the mount is read-only s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload';
const renew = 'the session of these credentials is over or its token is wrong: renew them';

/** By S3's error code: what it means for a mount, and what to do. */
const advice: Readonly<Record<string, string>> = {
  InvalidAccessKeyId:
    'the storage does not know the access key id: check it, and that the endpoint is the right one',
  SignatureDoesNotMatch:
    'the secret does not go with the access key id: check the secret and its file, or something on the way changes requests',
  RequestTimeTooSkewed: "this machine's clock and the storage's differ too much: set the clock",
  AuthorizationHeaderMalformed:
    'the region is not the one that the storage expects: give the bucket’s with --region',
  PermanentRedirect: 'the bucket lies in another region or at another endpoint: give --region, or --endpoint',
  MovedPermanently: 'the bucket lies in another region or at another endpoint: give --region, or --endpoint',
  IllegalLocationConstraintException: 'the bucket lies in another region: give it with --region',
  ExpiredToken: renew,
  InvalidToken: renew,
  TokenRefreshRequired: renew,
  AccessDenied: `the storage knows the key, but gives it no right to do this: allow ${rights}`,
  AllAccessDisabled: 'the storage has shut the bucket',
  NoSuchBucket:
    'the storage has no bucket of this name: check the URI, and with --path-style or --virtual-host whether the bucket goes into the path or the host name',
  CredentialsProviderError:
    'no credentials were found: give --access-key-id and the secret, or let the AWS SDK find some (environment, ~/.aws, web identity, instance)',
  SlowDown: 'the storage asks for fewer requests: try again later',
};

const aboutSignature: ReadonlySet<string> = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'RequestTimeTooSkewed',
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
]);

export function isAboutSignature(code: string | undefined): boolean {
  return code !== undefined && aboutSignature.has(code);
}

/** A fault in plain words, with what the storage said in brackets. */
export function adviceOn(
  error: unknown,
  { region, endpoint }: Pick<S3BackendSettings, 'region' | 'endpoint'>,
): string {
  if (!(error instanceof UfsError)) throw error;
  const { code, message } = error;
  if (/region is missing/i.test(message)) return 'no region is known: give --region';
  if (code === 'NoS3Answer' || /deserialization error/i.test(message)) {
    return `what answers at ${endpoint ?? 'AWS'} is no S3: check host and port of the endpoint (${message})`;
  }
  const known = code !== undefined && Object.hasOwn(advice, code) ? advice[code] : undefined;
  if (known === undefined) return message;
  const where =
    isAboutSignature(code) && region === undefined && endpoint !== undefined
      ? '; the region is us-east-1'
      : '';
  return `${known}${where} (${message})`;
}
