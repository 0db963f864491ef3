import type { SignedRequest } from '../../src/auth/authenticate.ts';
import {
  canonicalHeaderValue,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  deriveSigningKey,
  queryParameters,
  sign,
  stringToSign,
} from '../../src/common/sigv4.ts';
import { emptySha256, exampleAccessKeyId, exampleDate, exampleSecret, request } from './fixtures.ts';

export type Headers = readonly (readonly [string, string])[];

export interface Signing {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Headers;
  /** Headers that are sent and not signed. */
  readonly unsigned?: Headers;
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly scope?: string;
  readonly amzDate?: string;
  /** Changes the Authorization header, or the target, after it was signed. */
  readonly change?: (text: string) => string;
}

export const usualHeaders: Headers = [
  ['host', 'localhost:9000'],
  ['x-amz-content-sha256', emptySha256],
  ['x-amz-date', exampleDate],
];

function signature(signing: Signing, headers: Headers, target: string, payloadHash: string): string {
  const [path = '', query = ''] = target.split('?');
  const [date = '', region = '', service = ''] = (
    signing.scope ?? '20130524/us-east-1/s3/aws4_request'
  ).split('/');
  const canonical = canonicalRequest({
    method: signing.method ?? 'GET',
    path: canonicalPath(path),
    query: canonicalQuery(queryParameters(query)),
    headers: headers.map(([name, value]) => [name.toLowerCase(), canonicalHeaderValue(value)]),
    signedHeaders: headers.map(([name]) => name.toLowerCase()).join(';'),
    payloadHash,
  });
  const scope = `${date}/${region}/${service}/aws4_request`;
  const key = deriveSigningKey(signing.secret ?? exampleSecret, date, region, service);
  return sign(key, stringToSign(signing.amzDate ?? exampleDate, scope, canonical));
}

/** A request signed in its header. */
export function headerSigned(signing: Signing = {}): SignedRequest {
  const headers = [...(signing.headers ?? usualHeaders)].sort(([a], [b]) => (a < b ? -1 : 1));
  const target = signing.target ?? '/bucket/key';
  const scope = signing.scope ?? '20130524/us-east-1/s3/aws4_request';
  const hash = headers.find(([name]) => name === 'x-amz-content-sha256')?.[1] ?? emptySha256;
  const names = headers.map(([name]) => name).join(';');
  const credential = `${signing.accessKeyId ?? exampleAccessKeyId}/${scope}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature(signing, headers, target, hash)}`;
  return request(signing.method ?? 'GET', target, [
    ...headers,
    ...(signing.unsigned ?? []),
    ['Authorization', signing.change ? signing.change(authorization) : authorization],
  ]);
}

/** A request signed in its query; `parameters` replace the usual ones, an empty value leaves one out. */
export function presigned(
  parameters: Readonly<Record<string, string>> = {},
  signing: Signing = {},
): SignedRequest {
  const headers = signing.headers ?? [['host', 'localhost:9000']];
  const all: Record<string, string> = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${signing.accessKeyId ?? exampleAccessKeyId}/${signing.scope ?? '20130524/us-east-1/s3/aws4_request'}`,
    'X-Amz-Date': exampleDate,
    'X-Amz-Expires': '3600',
    'X-Amz-SignedHeaders': headers.map(([name]) => name).join(';'),
    ...parameters,
  };
  const query = Object.entries(all)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const target = `/bucket/key?${query}`;
  const given = parameters['X-Amz-Signature'];
  const made = signature({ amzDate: all['X-Amz-Date'], ...signing }, headers, target, 'UNSIGNED-PAYLOAD');
  const whole = given === undefined ? `${target}&X-Amz-Signature=${made}` : target;
  const changed = signing.change ? signing.change(whole) : whole;
  return request(signing.method ?? 'GET', changed, [...headers, ...(signing.unsigned ?? [])]);
}

export const without = (name: string): Headers => usualHeaders.filter(([header]) => header !== name);
