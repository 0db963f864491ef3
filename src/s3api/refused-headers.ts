import { notImplemented } from './errors.ts';
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
] as const;

/** NotImplemented. */
export function refuseOnRead(headers: RequestHeaders): void {
  for (const name of readHeaders) {
    if (headers[name] !== undefined) throw notImplemented(name);
  }
}

/** NotImplemented. */
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
}
