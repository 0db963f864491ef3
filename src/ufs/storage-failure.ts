import { UfsError, type UfsErrorKind } from './errors.ts';
import { isDistrust, unreached } from './network-faults.ts';

/** What is known of a failed request beside its error. */
export interface StorageFailure {
  readonly backend: string;
  readonly key: string | undefined;
  /** The storage's own word for what was asked for, for messages. */
  readonly operation: string;
  /** Undefined where no answer came. */
  readonly status: number | undefined;
  /** True of a request that changes something and may have done so. */
  readonly mayHaveChanged: boolean;
}

/** Asks what an answer with this status tells by the storage's own rules. */
type Said = (status: number) => boolean;

/** True only where nothing can have changed. `system`: the system's word for a fault of the network, such as ECONNREFUSED. */
export function isRetryable(
  kind: UfsErrorKind,
  system: string | undefined,
  { status, mayHaveChanged }: StorageFailure,
  said: Said,
): boolean {
  if ((kind !== 'throttled' && kind !== 'unavailable') || isDistrust(system)) return false;
  if (!mayHaveChanged) return true;
  if (status === undefined) return system !== undefined && unreached.has(system);
  return said(status);
}

/** Whether a change may have been made, or be made yet: the storage did not say that it refused it. */
export function isUndecided(system: string | undefined, { status }: StorageFailure, said: Said): boolean {
  if (status === undefined) return system === undefined || !(unreached.has(system) || isDistrust(system));
  return status < 300 || said(status);
}

/** Parts of a message that are there, one behind the other. */
export function joined(parts: readonly (string | number | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
}

/** The system's word for a fault of the network; undefined where there is none. */
export function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const found = typeof code === 'string' ? code : cause?.code;
  return typeof found === 'string' ? found : undefined;
}

/** The error of an answer that is none of `storage`'s: what it says of success or of emptiness counts for nothing. */
export function noAnswerOf(storage: string, code: string) {
  return (operation: string, lacks: string, backend: string, key?: string, unresolved = false): UfsError => {
    const message = `${operation}: the answer lacks ${lacks}, so that it is not one of ${storage}`;
    return new UfsError('unavailable', message, { backend, key, code, retryable: false, unresolved });
  };
}
