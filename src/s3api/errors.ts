import type { S3Response } from './call.ts';
import { errorCodes, type S3ErrorCode } from './error-codes.ts';
import { element, textElement, xmlDocument } from './xml.ts';

export type { S3ErrorCode } from './error-codes.ts';

export interface S3ErrorDetails {
  /** Replaces the code's own message. Shown to clients: holds no secret and nothing about backends. */
  readonly message?: string;
  /** The `Resource` element; the pipeline gives the request's path where it is absent. */
  readonly resource?: string;
  /** Further elements of the answer, such as `ArgumentName`, in this order. */
  readonly extra?: Readonly<Record<string, string>>;
  /** Headers of the answer, names in lower case. */
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly cause?: unknown;
  /** Which rule refused the request. Kept for the operator, never sent. */
  readonly refusal?: RuleOfRefusal;
}

/** The rule that refused a request. */
export interface RuleOfRefusal {
  /** Its name. */
  readonly rule: string;
  /** What was not allowed, such as `s3:GetObject`. */
  readonly action?: string;
  /** The statement of the bucket's policy that denies it. */
  readonly statement?: string;
}

/** What an S3 client is told went wrong. */
export class S3Error extends Error {
  override name = 'S3Error';
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly resource: string | undefined;
  readonly extra: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly refusal: RuleOfRefusal | undefined;

  constructor(code: S3ErrorCode, details: S3ErrorDetails = {}) {
    const [status, message] = errorCodes[code];
    super(details.message ?? message, { cause: details.cause });
    this.code = code;
    this.status = status;
    this.resource = details.resource;
    this.extra = details.extra ?? {};
    this.refusal = details.refusal;
    this.headers = status === 503 ? { 'retry-after': 1, ...details.headers } : (details.headers ?? {});
  }

  /** The same error with headers more. */
  withHeaders(headers: Readonly<Record<string, string | number>>): S3Error {
    return new S3Error(this.code, { ...this.#details(), headers: { ...this.headers, ...headers } });
  }

  /** The same error with these elements, and no others, beside those that each has. */
  withExtra(extra: Readonly<Record<string, string>>): S3Error {
    return new S3Error(this.code, { ...this.#details(), extra });
  }

  #details(): S3ErrorDetails {
    const { message, resource, extra, headers, cause, refusal } = this;
    return { message, resource, extra, headers, cause, refusal };
  }
}

/** `InvalidArgument` as S3 words it: which argument, and what its value was. */
export function invalidArgument(name: string, value: string, message?: string): S3Error {
  return new S3Error('InvalidArgument', { message, extra: { ArgumentName: name, ArgumentValue: value } });
}

/** `NotImplemented` for a header or parameter that asks for something not offered. */
export function notImplemented(header: string, message?: string): S3Error {
  return new S3Error('NotImplemented', { message, extra: { Header: header } });
}

/**
 * The answer for an error: S3's XML, or headers alone for HEAD requests and 304
 * (S3 API Reference, "REST error responses").
 */
export function errorResponse(
  error: S3Error,
  request: { readonly requestId: string; readonly resource: string; readonly method: string | undefined },
): S3Response {
  if (error.status === 304) return { status: 304, headers: error.headers };
  // S3 names the host that answered here; clients show it and nothing more, so the request stands for it.
  const hostId = Buffer.from(request.requestId).toString('base64');
  const headers = { 'content-type': 'application/xml', 'x-amz-id-2': hostId, ...error.headers };
  if (request.method === 'HEAD') return { status: error.status, headers };
  const fields =
    error.code === 'MethodNotAllowed' ? { Method: request.method ?? '', ...error.extra } : error.extra;
  const extra = Object.entries(fields).map(([name, value]) => textElement(name, value));
  const body = xmlDocument(
    element('Error', [
      textElement('Code', error.code),
      textElement('Message', error.message),
      ...extra,
      textElement('Resource', error.resource ?? request.resource),
      textElement('RequestId', request.requestId),
      textElement('HostId', hostId),
    ]),
  );
  return { status: error.status, headers, body };
}
