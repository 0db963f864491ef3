import { ByteText } from '../../../src/common/byte-text.ts';
import type { Call, S3Request, S3Response } from '../../../src/s3api/call.ts';
import { errorResponse, S3Error } from '../../../src/s3api/errors.ts';
import { parseTarget } from '../../../src/s3api/path.ts';
import { matchRoute } from '../../../src/s3api/router.ts';
import type { ObjectService } from '../../../src/s3api/service.ts';
import { TestBody } from '../../support/upload-body.ts';
import { readAll } from './read-all.ts';

export interface SentRequest {
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** The length that the request claims, where it is not the body's. */
  readonly claimedBytes?: number;
  /** Actions and resources, `s3:GetObject bucket/key`, that the caller may not do. */
  readonly denied?: readonly string[];
  readonly region?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: S3Response['headers'];
  readonly text: string;
  readonly bytes: Buffer;
  /** The text of the first element of a name, undefined if there is none. */
  element(name: string): string | undefined;
  /** The texts of all elements of a name. */
  elements(name: string): readonly string[];
}

/** Takes a request the way the gateway does, from target to answer, without the wire and without signatures. */
export async function send(
  service: ObjectService,
  method: string,
  rawTarget: string,
  sent: SentRequest = {},
): Promise<Answer> {
  try {
    const target = parseTarget({ method, rawTarget, host: sent.headers?.host, domains: [] });
    const request: S3Request = {
      ...target,
      method,
      rawTarget,
      headers: sent.headers ?? {},
      requestId: 'REQUEST',
      baseUrl: 'http://127.0.0.1:9000',
    };
    return await toAnswer(await matchRoute(request).handler(callOf(service, request, sent)));
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    return toAnswer(errorResponse(error, { requestId: 'REQUEST', resource: rawTarget, method }));
  }
}

function callOf(service: ObjectService, request: S3Request, sent: SentRequest): Call {
  const bytes = Buffer.from(sent.body ?? '');
  return {
    request,
    service,
    caller: { userName: 'alice', policy: 'readwrite', accessKeyId: 'AKIAALICE' },
    region: sent.region ?? 'us-east-1',
    signal: new AbortController().signal,
    upload: () => Object.assign(new TestBody(bytes), { sizeBytes: sent.claimedBytes ?? bytes.length }),
    text: async (limitBytes) => {
      if (bytes.length > limitBytes) throw new S3Error('MaxMessageLengthExceeded');
      return bytes.toString();
    },
    authorise: async (action, bucket, key) => {
      const wanted = `${action} ${bucket}${key === undefined ? '' : `/${key}`}`;
      if (sent.denied?.includes(wanted)) throw new S3Error('AccessDenied');
      return () => {};
    },
    gate: undefined,
    mayReadTags: () => true,
    newObjectAccess: () => undefined,
    isUser: (name) => name === 'alice',
    noteFault: () => {},
  };
}

async function toAnswer({ status, headers, body = '' }: S3Response): Promise<Answer> {
  const whole = body instanceof ByteText ? body.toBuffer() : body;
  const bytes =
    typeof whole === 'string' || Buffer.isBuffer(whole) ? Buffer.from(whole) : await readAll(whole);
  const text = bytes.toString();
  const elements = (name: string) =>
    [...text.matchAll(new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`, 'g'))].map(
      (match) => match[1] ?? '',
    );
  return { status, headers, text, bytes, elements, element: (name) => elements(name)[0] };
}
