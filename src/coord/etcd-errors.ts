import {
  EtcdAuthenticationFailedError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
} from 'etcd3';
import { CoordError } from './store.ts';

/** What a failed call to etcd means to its caller. */
export type EtcdFault =
  /** The connection, or the member at its other end, is of no use at the moment: another may be. */
  | 'connection'
  /** The user may not, or its name or password is wrong. */
  | 'refused'
  | 'lease-gone'
  /** What was asked of an old revision is not known any more. */
  | 'compacted'
  /** The answer is longer than this end takes, or the request longer than the other end does, or etcd's disk quota is used up. */
  | 'too-large'
  /** etcd looked at the request and said no. */
  | 'other';

export function faultOf(error: unknown): EtcdFault {
  const message = messageOf(error);
  if (error instanceof EtcdLeaseInvalidError) return 'lease-gone';
  if (error instanceof EtcdPermissionDeniedError || error instanceof EtcdAuthenticationFailedError)
    return 'refused';
  if (/etcdserver: user name is empty/.test(message)) return 'refused';
  if (error instanceof GRPCOutOfRangeError) return 'compacted';
  if (error instanceof GRPCResourceExhastedError) return 'too-large';
  return isOwnWord(message) ? 'other' : 'connection';
}

/** etcd's own words, but for those by which a member says that it cannot decide anything at the moment. */
function isOwnWord(message: string): boolean {
  return (
    /etcdserver: /.test(message) &&
    !/no leader|leader changed|timed out|stopped|not ready|not capable|too many requests|invalid auth token/.test(
      message,
    )
  );
}

/** Whether the request certainly never left this process, so that a write may be tried again. */
export function wasNeverSent(error: unknown): boolean {
  return /No connection established|ECONNREFUSED/.test(messageOf(error));
}

export function isOutOfTime(error: unknown): boolean {
  return /DEADLINE_EXCEEDED|no answer within/.test(messageOf(error));
}

export function unavailable(doing: string, cause: unknown): CoordError {
  const why = faultOf(cause) === 'refused' ? 'etcd refuses this user: ' : '';
  // The client ends its message with a title of which nothing follows.
  const message = messageOf(cause).replace(/\s*Resolution note:\s*$/, '');
  return new CoordError('unavailable', `cannot ${doing} etcd: ${why}${message}`, { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
