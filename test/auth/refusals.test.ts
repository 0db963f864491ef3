import { describe, expect, test } from '@jest/globals';
import type { SignedRequest } from '../../src/auth/authenticate.ts';
import { formatAmzDate } from '../../src/common/amz-date.ts';
import {
  disabledKeyId,
  exampleAuthenticator,
  exampleSecret,
  exampleTimeMs,
  request,
  thrown,
} from './fixtures.ts';
import { type Headers, headerSigned, presigned, usualHeaders, without } from './sign-request.ts';

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
});
