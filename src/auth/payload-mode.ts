import { invalidArgument, S3Error } from '../s3api/errors.ts';

/**
 * What the signature says about the body: its SHA-256, nothing, or that it is aws-chunked with what kind of chunks.
 * Source: S3 API Reference, "Authenticating Requests: Using the Authorization Header", x-amz-content-sha256.
 */
export type PayloadMode =
  /** 64 hex digits, in lower case. */
  | { readonly kind: 'hashed'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'signed-chunks'; readonly trailer: boolean }
  | { readonly kind: 'unsigned-chunks' };

/** SHA-256 of nothing: what requests without a body are signed with. */
const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const modes: ReadonlyMap<string, PayloadMode> = new Map<string, PayloadMode>([
  [emptySha256, { kind: 'hashed', sha256: emptySha256 }],
  ['UNSIGNED-PAYLOAD', { kind: 'unsigned' }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { kind: 'signed-chunks', trailer: false }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { kind: 'signed-chunks', trailer: true }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'unsigned-chunks' }],
]);

/** InvalidArgument; NotImplemented for chunks signed with an elliptic curve (SigV4A). */
export function parsePayloadMode(value: string): PayloadMode {
  const mode = modes.get(value);
  if (mode) return mode;
  if (/^[0-9A-Fa-f]{64}$/.test(value)) return { kind: 'hashed', sha256: value.toLowerCase() };
  if (/^STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD(-TRAILER)?$/.test(value)) {
    throw new S3Error('NotImplemented', {
      message: `The chunk encoding algorithm ${value} is not supported.`,
    });
  }
  throw invalidArgument(
    'x-amz-content-sha256',
    value,
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
  );
}
