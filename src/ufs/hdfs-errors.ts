import { UfsError, type UfsErrorKind } from './errors.ts';
import { unreached } from './network-faults.ts';
import {
  isRetryable,
  isUndecided,
  joined,
  noAnswerOf,
  type StorageFailure,
  systemCodeOf,
} from './storage-failure.ts';

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

/** A path through a file, where a NameNode speaks of rights (FSPermissionChecker.checkTraverse). */
function exceptionOf(exception: string, message: string): string {
  const isThroughFile = exception === 'AccessControlException' && message.endsWith('(is not a directory)');
  return isThroughFile ? 'ParentNotDirectoryException' : exception;
}

/** What a NameNode says, of a call that it has not begun, when too many wait for it (RPC's backoff, `ipc.<port>.backoff.enable`). */
const tooBusy = /\bServer (is )?too busy\b/i;

function kindOf(exception: string, message: string, failure: StorageFailure): UfsErrorKind {
  const { status } = failure;
  if (status === undefined) return 'unavailable';
  if (tooBusy.test(message)) return 'throttled';
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
export function toHdfsError(error: unknown, failure: StorageFailure): UfsError {
  if (error instanceof UfsError) return error;
  const { status, backend, key, operation } = failure;
  const system = systemCodeOf(error);
  const message = error instanceof Error ? firstLine(error.message) : String(error);
  const exception = error instanceof HdfsRefusal ? exceptionOf(error.exception, message) : '';
  const kind = kindOf(exception, message, failure);
  const text = joined([status, exception || system, message]);
  // A word of HDFS itself says that nothing was done.
  const isSaid = Object.hasOwn(kindsOfExceptions, exception) || tooBusy.test(message);
  const undecided =
    lostNameNode.test(message) || isUndecided(system, failure, (answered) => answered >= 500 && !isSaid);
  return new UfsError(kind, `${operation}: ${text}`, {
    backend,
    key,
    code: exception || system,
    retryable: isRetryable(kind, system, failure, () => isSaid),
    unresolved: failure.mayHaveChanged && undecided,
    cause: new Error(text),
  });
}

/** What gave such an answer is no HDFS. */
export const noHdfsAnswer = noAnswerOf('WebHDFS', 'NoHdfsAnswer');

/** Whether the NameNode that answered is not the one that decides. */
export function isStandby(error: unknown): boolean {
  if (!(error instanceof UfsError)) return false;
  return error.code === 'StandbyException' || /StandbyException/.test(error.message);
}

/** Whether nothing of the request can have got there. */
export function isUnreached(error: unknown): boolean {
  return error instanceof UfsError && error.code !== undefined && unreached.has(error.code);
}

/** What follows is a Java stack. */
function firstLine(message: string): string {
  return (message.split('\n', 1)[0] as string).slice(0, 500);
}
