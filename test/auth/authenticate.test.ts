import { describe, expect, test } from '@jest/globals';
import { formatAmzDate } from '../../src/auth/amz-date.ts';
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
} from '../../src/auth/sigv4.ts';
import {
  disabledKeyId,
  emptySha256,
  exampleAccessKeyId,
  exampleAuthenticator,
  exampleDate,
  exampleSecret,
  exampleTimeMs,
  request,
  sha256Hex,
  thrown,
} from './fixtures.ts';

type Headers = readonly (readonly [string, string])[];

interface Signing {
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

const usualHeaders: Headers = [
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
function headerSigned(signing: Signing = {}): SignedRequest {
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
function presigned(parameters: Readonly<Record<string, string>> = {}, signing: Signing = {}): SignedRequest {
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

const without = (name: string): Headers => usualHeaders.filter(([header]) => header !== name);

describe('a rightly signed request', () => {
  test('in the header form gives its user and what its body is signed with', () => {
    const accepted = exampleAuthenticator().authenticate(headerSigned());
    expect(accepted.identity).toEqual({
      userName: 'ann',
      policy: 'readwrite',
      accessKeyId: exampleAccessKeyId,
    });
    expect(accepted.payload).toEqual({ kind: 'hashed', sha256: emptySha256 });
    expect(accepted.chunkSigning.scope).toBe('20130524/us-east-1/s3/aws4_request');
  });

  test('in the query form is accepted, whatever host it was made for, only for that host', () => {
    expect(exampleAuthenticator().authenticate(presigned()).form).toBe('query');
    const elsewhere = presigned();
    const moved = { ...elsewhere, headers: { host: 'other:9000' }, rawHeaders: ['host', 'other:9000'] };
    expect(thrown(() => exampleAuthenticator().authenticate(moved)).code).toBe('SignatureDoesNotMatch');
  });

  test('is accepted up to 15 minutes off in either direction', () => {
    for (const minutes of [-15, 15]) {
      const now = exampleTimeMs + minutes * 60_000;
      // The day of the scope must stay that of the request's own time.
      expect(exampleAuthenticator(now).authenticate(headerSigned()).form).toBe('header');
    }
  });

  test('may say its time in the Date header alone', () => {
    const dates = ['Fri, 24 May 2013 00:00:00 GMT', exampleDate];
    for (const date of dates) {
      const headers: Headers = [...without('x-amz-date'), ['date', date]];
      expect(exampleAuthenticator().authenticate(headerSigned({ headers })).form).toBe('header');
    }
  });

  test('may repeat a header, which is signed as its values joined by commas', () => {
    const repeated: Headers = [...usualHeaders, ['x-amz-meta-a', 'one,two']];
    const signed = headerSigned({ headers: repeated });
    const rawHeaders = signed.rawHeaders.flatMap((text) =>
      text === 'one,two' ? ['one', 'X-Amz-Meta-A', 'two'] : [text],
    );
    const headers = { ...signed.headers, 'x-amz-meta-a': 'one, two' };
    expect(exampleAuthenticator().authenticate({ ...signed, headers, rawHeaders }).form).toBe('header');
  });

  test('for another service and region is checked by an authenticator of that service and region', () => {
    const scope = '20130524/eu-north-1/forebay/aws4_request';
    const settings = { region: 'eu-north-1', service: 'forebay' };
    const signed = headerSigned({ scope });
    expect(exampleAuthenticator(exampleTimeMs, settings).authenticate(signed).form).toBe('header');
    expect(thrown(() => exampleAuthenticator().authenticate(signed)).code).toBe(
      'AuthorizationHeaderMalformed',
    );
  });

  test('is refused once its key has another secret, though its signing key was kept', () => {
    const authenticator = exampleAuthenticator();
    expect(authenticator.authenticate(headerSigned()).form).toBe('header');
    const other = headerSigned({ secret: 'another-secret-key-of-the-same-id' });
    expect(thrown(() => authenticator.authenticate(other)).code).toBe('SignatureDoesNotMatch');
  });
});

const longAgo = formatAmzDate(exampleTimeMs - 16 * 60_000);
const tooEarly = formatAmzDate(exampleTimeMs + 16 * 60_000);
const upload: Headers = [
  ...without('x-amz-content-sha256'),
  ['x-amz-content-sha256', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'],
];

const refusals: readonly (readonly [name: string, request: SignedRequest, code: string, message: RegExp])[] =
  [
    ['no credentials', request('GET', '/bucket/key', usualHeaders), 'AccessDenied', /^Access Denied$/],
    [
      'credentials in header and query',
      { ...headerSigned(), rawTarget: presigned().rawTarget },
      'InvalidArgument',
      /^Only one auth mechanism allowed/,
    ],
    [
      'two Authorization headers',
      { ...headerSigned(), rawHeaders: [...headerSigned().rawHeaders, 'authorization', 'x y'] },
      'InvalidArgument',
      /^Only one auth mechanism allowed/,
    ],
    [
      'an Authorization header without a space',
      headerSigned({ change: () => 'nonsense' }),
      'InvalidArgument',
      /one and only one ' ' \(space\) required/,
    ],
    [
      'another kind of authorization',
      headerSigned({ change: () => 'Bearer abc' }),
      'InvalidArgument',
      /^Unsupported Authorization Type$/,
    ],
    [
      'Signature Version 2',
      headerSigned({ change: () => 'AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=' }),
      'InvalidRequest',
      /Please use AWS4-HMAC-SHA256/,
    ],
    [
      'Signature Version 2 in the query',
      request('GET', '/bucket/key?AWSAccessKeyId=A&Signature=b&Expires=1', usualHeaders),
      'InvalidRequest',
      /Please use AWS4-HMAC-SHA256/,
    ],
    [
      'Signature Version 4A',
      headerSigned({ change: (text) => text.replace('AWS4-HMAC', 'AWS4-ECDSA-P256') }),
      'NotImplemented',
      /Please use AWS4-HMAC-SHA256/,
    ],
    [
      'Signature Version 4A in the query',
      presigned({ 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256' }),
      'NotImplemented',
      /Please use/,
    ],
    [
      'no Credential',
      headerSigned({ change: (text) => text.replace(/Credential=[^,]*, /, '') }),
      'AuthorizationHeaderMalformed',
      /missing Credential/,
    ],
    [
      'no SignedHeaders',
      headerSigned({ change: (text) => text.replace(/SignedHeaders=[^,]*, /, '') }),
      'AuthorizationHeaderMalformed',
      /missing SignedHeaders/,
    ],
    [
      'no Signature',
      headerSigned({ change: (text) => text.replace(/, Signature=.*/, '') }),
      'AuthorizationHeaderMalformed',
      /missing Signature/,
    ],
    [
      'a component twice',
      headerSigned({ change: (text) => `${text}, Signature=00` }),
      'AuthorizationHeaderMalformed',
      /requires three components/,
    ],
    [
      'an unknown component',
      headerSigned({ change: (text) => `${text}, Extra=1` }),
      'AuthorizationHeaderMalformed',
      /requires three components/,
    ],
    [
      'a component that is none',
      headerSigned({ change: (text) => `${text}, extra` }),
      'AuthorizationHeaderMalformed',
      /"extra" is malformed/,
    ],
    [
      'a credential of four parts',
      headerSigned({ scope: '20130524/us-east-1/s3' }),
      'AuthorizationHeaderMalformed',
      /the Credential is mal-formed/,
    ],
    [
      'another terminal',
      headerSigned({ scope: '20130524/us-east-1/s3/aws5_request' }),
      'AuthorizationHeaderMalformed',
      /incorrect terminal "aws5_request"/,
    ],
    [
      'another service',
      headerSigned({ scope: '20130524/us-east-1/ec2/aws4_request' }),
      'AuthorizationHeaderMalformed',
      /incorrect service "ec2"/,
    ],
    [
      'another region',
      headerSigned({ scope: '20130524/eu-west-1/s3/aws4_request' }),
      'AuthorizationHeaderMalformed',
      /the region 'eu-west-1' is wrong; expecting 'us-east-1'/,
    ],
    [
      'a scope date that is none',
      headerSigned({ scope: '2013-5-4/us-east-1/s3/aws4_request' }),
      'AuthorizationHeaderMalformed',
      /incorrect date format/,
    ],
    [
      'a scope date of another day',
      headerSigned({ scope: '20130523/us-east-1/s3/aws4_request' }),
      'AuthorizationHeaderMalformed',
      /not the same as X-Amz-Date/,
    ],
    [
      'an unknown key',
      headerSigned({ accessKeyId: 'AKIAUNKNOWN' }),
      'InvalidAccessKeyId',
      /does not exist in our records/,
    ],
    [
      'an unknown key in the query',
      presigned({}, { accessKeyId: 'AKIAUNKNOWN' }),
      'InvalidAccessKeyId',
      /does not exist/,
    ],
    [
      'a disabled key',
      headerSigned({ accessKeyId: disabledKeyId }),
      'InvalidAccessKeyId',
      /does not exist in our records/,
    ],
    [
      'a disabled key in the query',
      presigned({}, { accessKeyId: disabledKeyId }),
      'InvalidAccessKeyId',
      /does not exist/,
    ],
    [
      'a session token',
      headerSigned({ headers: [...usualHeaders, ['x-amz-security-token', 'abc']] }),
      'InvalidToken',
      /malformed or otherwise invalid/,
    ],
    [
      'a session token in the query',
      presigned({ 'X-Amz-Security-Token': 'abc' }),
      'InvalidToken',
      /malformed/,
    ],
    [
      'a wrong secret',
      headerSigned({ secret: 'wrong' }),
      'SignatureDoesNotMatch',
      /we calculated does not match/,
    ],
    [
      'a wrong secret in the query',
      presigned({}, { secret: 'wrong' }),
      'SignatureDoesNotMatch',
      /does not match/,
    ],
    [
      'an empty-handed signature',
      headerSigned({ change: (text) => text.replace(/Signature=.*/, 'Signature=abc') }),
      'SignatureDoesNotMatch',
      /does not match/,
    ],
    [
      'a changed path',
      { ...headerSigned(), rawPath: '/bucket/other' },
      'SignatureDoesNotMatch',
      /does not match/,
    ],
    [
      'an added parameter',
      { ...headerSigned(), rawTarget: '/bucket/key?acl' },
      'SignatureDoesNotMatch',
      /does not match/,
    ],
    [
      'a signed header that is not there',
      headerSigned({ change: (text) => text.replace('host;', 'host;range;') }),
      'SignatureDoesNotMatch',
      /does not match/,
    ],
    [
      'no time at all',
      headerSigned({ headers: without('x-amz-date') }),
      'AccessDenied',
      /requires a valid Date or x-amz-date header/,
    ],
    [
      'a time that is none',
      headerSigned({ headers: [...without('x-amz-date'), ['x-amz-date', '20130524T250000Z']] }),
      'AccessDenied',
      /valid Date or x-amz-date/,
    ],
    [
      'a Date that is none',
      headerSigned({ headers: [...without('x-amz-date'), ['date', 'yesterday']] }),
      'AccessDenied',
      /valid Date or x-amz-date/,
    ],
    [
      'a request of long ago',
      headerSigned({
        amzDate: longAgo,
        scope: '20130523/us-east-1/s3/aws4_request',
        headers: [...without('x-amz-date'), ['x-amz-date', longAgo]],
      }),
      'RequestTimeTooSkewed',
      /too large/,
    ],
    [
      'a request of the future',
      headerSigned({ amzDate: tooEarly, headers: [...without('x-amz-date'), ['x-amz-date', tooEarly]] }),
      'RequestTimeTooSkewed',
      /too large/,
    ],
    [
      'no x-amz-content-sha256',
      headerSigned({ headers: without('x-amz-content-sha256') }),
      'InvalidRequest',
      /Missing required header for this request: x-amz-content-sha256/,
    ],
    [
      'an x-amz-content-sha256 that is none',
      headerSigned({ headers: [...without('x-amz-content-sha256'), ['x-amz-content-sha256', 'abc']] }),
      'InvalidArgument',
      /must be UNSIGNED-PAYLOAD/,
    ],
    [
      'chunks signed with an elliptic curve',
      headerSigned({ headers: upload }),
      'NotImplemented',
      /chunk encoding algorithm/,
    ],
    [
      'host not signed',
      headerSigned({ headers: without('host'), unsigned: [['host', 'localhost:9000']] }),
      'AccessDenied',
      /headers present in the request which were not signed/,
    ],
    [
      'an x-amz header not signed',
      headerSigned({ unsigned: [['x-amz-acl', 'public-read']] }),
      'AccessDenied',
      /which were not signed/,
    ],
    [
      'an x-amz header beside a presigned query',
      presigned({}, { unsigned: [['x-amz-copy-source', '/b/k']] }),
      'AccessDenied',
      /which were not signed/,
    ],
    [
      'more signed headers than a request has',
      headerSigned({ change: (text) => text.replace('host;', `host;${'a;'.repeat(200)}`) }),
      'AuthorizationHeaderMalformed',
      /too many SignedHeaders/,
    ],
    ...['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders'].map(
      (name) =>
        [
          `no ${name}`,
          presigned({ [name]: '' }),
          'AuthorizationQueryParametersError',
          /requires the X-Amz-Algorithm/,
        ] as const,
    ),
    [
      'no X-Amz-Signature',
      presigned({ 'X-Amz-Signature': '' }),
      'AuthorizationQueryParametersError',
      /requires the X-Amz-Algorithm/,
    ],
    [
      'X-Amz-Expires twice',
      presigned({}, { change: (target) => `${target}&X-Amz-Expires=9999` }),
      'AuthorizationQueryParametersError',
      /requires/,
    ],
    [
      'another algorithm in the query',
      presigned({ 'X-Amz-Algorithm': 'HMAC' }),
      'AuthorizationQueryParametersError',
      /only supports/,
    ],
    [
      'another region in the query',
      presigned({}, { scope: '20130524/eu-west-1/s3/aws4_request' }),
      'AuthorizationQueryParametersError',
      /region 'eu-west-1' is wrong/,
    ],
    [
      'a malformed credential in the query',
      presigned({ 'X-Amz-Credential': 'abc' }),
      'AuthorizationQueryParametersError',
      /Credential is mal-formed/,
    ],
    [
      'a malformed date in the query',
      presigned({ 'X-Amz-Date': '2013-05-24' }),
      'AuthorizationQueryParametersError',
      /ISO8601 Long Format/,
    ],
    [
      'a date of another day in the query',
      presigned({ 'X-Amz-Date': '20130525T000000Z' }),
      'AuthorizationQueryParametersError',
      /not the same as X-Amz-Date/,
    ],
    [
      'X-Amz-Expires that is no number',
      presigned({ 'X-Amz-Expires': 'soon' }),
      'AuthorizationQueryParametersError',
      /should be a number/,
    ],
    [
      'negative X-Amz-Expires',
      presigned({ 'X-Amz-Expires': '-1' }),
      'AuthorizationQueryParametersError',
      /must be non-negative/,
    ],
    [
      'X-Amz-Expires above a week',
      presigned({ 'X-Amz-Expires': '604801' }),
      'AuthorizationQueryParametersError',
      /less than 604800 seconds/,
    ],
    [
      'a presigned request that is not valid yet',
      presigned({ 'X-Amz-Date': tooEarly }),
      'AccessDenied',
      /^Request is not valid yet$/,
    ],
    [
      'a presigned request that has expired',
      presigned({ 'X-Amz-Date': '20130524T000000Z', 'X-Amz-Expires': '0' }),
      'AccessDenied',
      /^Request has expired$/,
    ],
  ];

describe('a request that is not rightly signed', () => {
  test.each(refusals)('with %s is refused', (name, refused, code, message) => {
    const now = name.endsWith('has expired') ? exampleTimeMs + 1000 : exampleTimeMs;
    const error = thrown(() => exampleAuthenticator(now).authenticate(refused));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(JSON.stringify([error.message, error.extra])).not.toContain(exampleSecret);
  });

  test('with a changed bit anywhere in its signature is refused', () => {
    for (let index = 0; index < 64; index++) {
      const change = (text: string): string => {
        const at = text.length - 64 + index;
        return text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1);
      };
      const error = thrown(() => exampleAuthenticator().authenticate(headerSigned({ change })));
      expect(error.code).toBe('SignatureDoesNotMatch');
    }
  });

  test('is told what was to be signed, and not the signature that was expected', () => {
    const error = thrown(() => exampleAuthenticator().authenticate(headerSigned({ secret: 'wrong' })));
    const {
      AWSAccessKeyId,
      StringToSign,
      CanonicalRequest,
      SignatureProvided,
      StringToSignBytes,
      CanonicalRequestBytes,
    } = error.extra as Record<string, string>;
    expect(AWSAccessKeyId).toBe(exampleAccessKeyId);
    expect(CanonicalRequest).toMatch(/^GET\n\/bucket\/key\n\nhost:localhost:9000\n/);
    expect(StringToSign).toBe(
      `AWS4-HMAC-SHA256\n${exampleDate}\n20130524/us-east-1/s3/aws4_request\n${sha256Hex(CanonicalRequest ?? '')}`,
    );
    expect(Buffer.from((StringToSignBytes ?? '').replaceAll(' ', ''), 'hex').toString()).toBe(StringToSign);
    expect(Buffer.from((CanonicalRequestBytes ?? '').replaceAll(' ', ''), 'hex').toString()).toBe(
      CanonicalRequest,
    );
    const right = headerSigned().headers.authorization as string;
    expect(SignatureProvided).not.toBe(right.slice(-64));
    expect(JSON.stringify(error.extra)).not.toContain(right.slice(-64));
  });

  test('for the wrong region is told the right one', () => {
    const wrong = headerSigned({ scope: '20130524/eu-west-1/s3/aws4_request' });
    expect(thrown(() => exampleAuthenticator().authenticate(wrong)).extra).toEqual({ Region: 'us-east-1' });
  });

  test('is told which headers are not signed', () => {
    const unsigned: Headers = [
      ['x-amz-acl', 'private'],
      ['x-amz-tagging', 'a=b'],
    ];
    const error = thrown(() => exampleAuthenticator().authenticate(headerSigned({ unsigned })));
    expect(error.extra).toEqual({ HeadersNotSigned: 'x-amz-acl, x-amz-tagging' });
  });
});
