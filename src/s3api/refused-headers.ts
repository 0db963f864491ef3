import { invalidArgument, notImplemented } from './errors.ts';
import type { RequestHeaders } from './headers.ts';

/**
 * Headers that ask for what is not offered. A client that is answered 200 believes that it was done, so that each of them
 * is refused with NotImplemented unless its value asks for nothing.
 */
const readHeaders = [
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-server-side-encryption-customer-key',
  'x-amz-server-side-encryption-customer-key-md5',
] as const;

const writeHeaders = [
  ...readHeaders,
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-context',
  'x-amz-copy-source-server-side-encryption-customer-algorithm',
  'x-amz-copy-source-server-side-encryption-customer-key',
  'x-amz-copy-source-server-side-encryption-customer-key-md5',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
  'x-amz-write-offset-bytes',
  'x-amz-if-match-initiated-time',
  'x-amz-if-match-last-modified-time',
  'x-amz-if-match-size',
] as const;

/** Switches, with the value that asks for nothing. */
const switches = [
  ['x-amz-server-side-encryption-bucket-key-enabled', 'false'],
  ['x-amz-object-lock-legal-hold', 'off'],
  ['x-amz-bucket-object-lock-enabled', 'false'],
  ['x-amz-object-ownership', 'bucketownerenforced'],
] as const;

const cannedAcls: ReadonlySet<string> = new Set([
  'private',
  'public-read',
  'public-read-write',
  'aws-exec-read',
  'authenticated-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
  'log-delivery-write',
]);
/** Under them an object belongs to the bucket's owner alone, as it always does. */
const heldAcls: ReadonlySet<string> = new Set(['private', 'bucket-owner-full-control']);

/** NotImplemented. */
export function refuseOnRead(headers: RequestHeaders): void {
  for (const name of readHeaders) {
    if (headers[name] !== undefined) throw notImplemented(name);
  }
}

/** NotImplemented; InvalidArgument for an ACL of a name that S3 does not know. */
export function refuseOnWrite(headers: RequestHeaders): void {
  for (const name of writeHeaders) {
    if (headers[name] !== undefined) throw notImplemented(name);
  }
  for (const [name, idle] of switches) {
    const value = headers[name];
    if (value !== undefined && value.toLowerCase() !== idle) {
      throw notImplemented(name);
    }
  }
  const acl = headers['x-amz-acl'];
  if (acl === undefined || heldAcls.has(acl)) return;
  if (!cannedAcls.has(acl)) throw invalidArgument('x-amz-acl', acl);
  throw notImplemented('x-amz-acl');
}
