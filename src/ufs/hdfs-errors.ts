import { UfsError, type UfsErrorKind } from './errors.ts';
import { isDistrust, unreached } from './network-faults.ts';

/** What is known of a failed request beside its error. */
export interface HdfsFailure {
  readonly backend: string;
  readonly key: string | undefined;
  /** WebHDFS's own word (`op`), for messages. */
  readonly operation: string;
  /** Undefined where no answer came. */
  readonly status: number | undefined;
  /** True of a request that changes something and may have done so. */
  readonly mayHaveChanged: boolean;
}

/** What HDFS said instead of doing what it was asked for (WebHDFS REST API, "Error Responses"). */
export class HdfsRefusal extends Error {
  /** The Java exception's name, '' where the answer names none. */
  readonly exception: string;

  constructor(exception: string, message: string) {
    super(message);
    this.exception = exception;
  }
}

/** Exceptions that say more than the status does. Each says that nothing was done. */
const kindsOfExceptions: Readonly<Record<string, UfsErrorKind>> = {
  FileNotFoundException: 'not-found',
  // Another NameNode is the active one, or none is ready yet.
  StandbyException: 'unavailable',
  ObserverRetryOnActiveException: 'unavailable',
  SafeModeException: 'unavailable',
  RetriableException: 'unavailable',
  ServerNotActiveException: 'unavailable',
  AccessControlException: 'denied',
  AuthorizationException: 'denied',
  AuthenticationException: 'denied',
  SecurityException: 'denied',
  InvalidToken: 'denied',
  FileAlreadyExistsException: 'conflict',
  PathIsNotEmptyDirectoryException: 'conflict',
  AlreadyBeingCreatedException: 'conflict',
  ParentNotDirectoryException: 'key-conflict',
  InvalidPathException: 'invalid-key',
  PathComponentTooLongException: 'invalid-key',
  NSQuotaExceededException: 'no-space',
  DSQuotaExceededException: 'no-space',
  QuotaByStorageTypeExceededException: 'no-space',
  MaxDirectoryItemsExceededException: 'no-space',
  UnsupportedOperationException: 'not-implemented',
};

/** A DataNode, or HttpFS, asked the NameNode and did not hear from it; the status is 403 then. */
const lostNameNode = /\bjava\.(io\.EOFException|net\.\w+Exception)\b/;

function kindOf(exception: string, message: string, failure: HdfsFailure): UfsErrorKind {
  const { status } = failure;
  if (status === undefined) return 'unavailable';
  if (Object.hasOwn(kindsOfExceptions, exception)) return kindsOfExceptions[exception] as UfsErrorKind;
  // A DataNode, and HttpFS, wrap what the NameNode said, whose name stands in the message then.
  const wrapped = Object.keys(kindsOfExceptions).find((name) => message.includes(name));
  if (wrapped) return kindsOfExceptions[wrapped] as UfsErrorKind;
  if (lostNameNode.test(message)) return 'unavailable';
  if (status === 401 || status === 407) return 'denied';
  if (status === 404) return 'not-found';
  if (status === 405 || status === 501) return 'not-implemented';
  if (status === 429 || status === 503) return failure.mayHaveChanged ? 'unavailable' : 'throttled';
  return status >= 400 && status < 500 ? 'refused' : 'unavailable';
}

/** Any failure as one of the backend's. Nothing of a request is kept, since its URL holds the token. */
export function toHdfsError(error: unknown, failure: HdfsFailure): UfsError {
  if (error instanceof UfsError) return error;
  const { status, backend, key, operation } = failure;
  const exception = error instanceof HdfsRefusal ? error.exception : '';
  const system = systemCodeOf(error);
  const message = error instanceof Error ? firstLine(error.message) : String(error);
  const kind = kindOf(exception, message, failure);
  const text = [status, exception || system, message]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
  return new UfsError(kind, `${operation}: ${text}`, {
    backend,
    key,
    code: exception || system,
    retryable: isRetryable(kind, exception, system, failure),
    unresolved: failure.mayHaveChanged && isUndecided(exception, system, message, failure),
    cause: new Error(text),
  });
}

/** What gave such an answer is no HDFS: what it says of success or of emptiness counts for nothing. */
export function noHdfsAnswer(
  operation: string,
  lacks: string,
  backend: string,
  key?: string,
  unresolved = false,
): UfsError {
  const message = `${operation}: the answer lacks ${lacks}, so that it is not one of WebHDFS`;
  const details = { backend, key, code: 'NoHdfsAnswer', retryable: false, unresolved };
  return new UfsError('unavailable', message, details);
}

/** Whether the NameNode that answered is not the one that decides. */
export function isStandby(error: unknown): boolean {
  if (!(error instanceof UfsError)) return false;
  return error.code === 'StandbyException' || /StandbyException/.test(error.message);
}

/** Whether nothing of the request can have got there. */
export function isUnreached(error: unknown): boolean {
  return error instanceof UfsError && error.code !== undefined && unreached.has(error.code);
}

/** True only where nothing can have changed. */
function isRetryable(
  kind: UfsErrorKind,
  exception: string,
  system: string | undefined,
  failure: HdfsFailure,
): boolean {
  if ((kind !== 'throttled' && kind !== 'unavailable') || isDistrust(system)) return false;
  if (!failure.mayHaveChanged) return true;
  if (failure.status === undefined) return system !== undefined && unreached.has(system);
  return Object.hasOwn(kindsOfExceptions, exception);
}

/** Whether a change may have been made, or be made yet: the storage did not say that it refused it. */
function isUndecided(
  exception: string,
  system: string | undefined,
  message: string,
  { status }: HdfsFailure,
): boolean {
  if (lostNameNode.test(message)) return true;
  if (status === undefined) return system === undefined || !(unreached.has(system) || isDistrust(system));
  if (status < 300) return true;
  return status >= 500 && !Object.hasOwn(kindsOfExceptions, exception);
}

function systemCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const found = typeof code === 'string' ? code : cause?.code;
  return typeof found === 'string' ? found : undefined;
}

/** What follows is a Java stack. */
function firstLine(message: string): string {
  return (message.split('\n', 1)[0] as string).slice(0, 500);
}
