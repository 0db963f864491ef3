import { describe, expect, test } from '@jest/globals';
import { anonymous } from '../../src/auth/access.ts';
import type { SignedRequest } from '../../src/auth/authenticate.ts';
import { Authenticator } from '../../src/auth/authenticate.ts';
import {
  emptySha256,
  exampleAccessKeyId,
  exampleAuthenticator,
  exampleCredential,
  exampleDate,
  exampleSecret,
  exampleTimeMs,
  fixedClock,
  sha256Hex,
  thrown,
} from './fixtures.ts';
import { type Headers, headerSigned, presigned, usualHeaders, without } from './sign-request.ts';

describe('a rightly signed request', () => {
  test('in the header form gives its user and what its body is signed with', () => {
    const accepted = exampleAuthenticator().authenticate(headerSigned());
    expect(accepted.identity).toEqual({
      userName: 'ann',
      policy: 'readwrite',
      accessKeyId: exampleAccessKeyId,
    });
    expect(accepted.payload).toEqual({ kind: 'hashed', sha256: emptySha256 });
    expect(accepted.chunkSigning?.scope).toBe('20130524/us-east-1/s3/aws4_request');
  });

  test('is nobody’s where it brings no credentials, and only there', () => {
    const identify = (request: SignedRequest) => exampleAuthenticator().identify(request);
    const signed = headerSigned();
    const { authorization, ...others } = signed.headers;
    const unsigned = { ...signed, headers: others };
    expect(identify(unsigned).identity).toEqual(anonymous);
    expect(identify(unsigned).form).toBe('anonymous');
    expect(identify(signed).identity.userName).toBe('ann');
    const streaming = { ...others, 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' };
    expect(thrown(() => identify({ ...unsigned, headers: streaming })).code).toBe('AccessDenied');
    for (const half of ['?X-Amz-Signature=0', '?X-Amz-Credential=', '?AWSAccessKeyId=A', '?Signature=']) {
      const rawTarget = `${unsigned.rawPath}${half}`;
      expect(thrown(() => identify({ ...unsigned, rawTarget })).status).toBeGreaterThanOrEqual(400);
    }
    expect(String(authorization)).toMatch(/^AWS4-HMAC-SHA256 /);
    const empty = { ...unsigned, headers: { ...others, authorization: '' } };
    expect(thrown(() => identify(empty)).code).toBe('InvalidArgument');
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
    let secretAccessKey = exampleSecret;
    const credentials = { hasUser: () => true, lookup: () => ({ ...exampleCredential, secretAccessKey }) };
    const settings = { region: 'us-east-1', service: 's3' };
    const authenticator = new Authenticator(fixedClock(exampleTimeMs), credentials, settings);
    expect(authenticator.authenticate(headerSigned()).form).toBe('header');
    secretAccessKey = 'another-secret-under-the-same-id';
    expect(thrown(() => authenticator.authenticate(headerSigned())).code).toBe('SignatureDoesNotMatch');
    const signed = headerSigned({ secret: secretAccessKey });
    expect(authenticator.authenticate(signed).form).toBe('header');
  });

  test('may write a space of its query as a plus sign', () => {
    const signed = headerSigned({ target: '/bucket?prefix=a%20b%2Bc' });
    const plus = { ...signed, rawTarget: '/bucket?prefix=a+b%2bc' };
    expect(exampleAuthenticator().authenticate(plus).form).toBe('header');
  });
});

describe('a request that is not rightly signed', () => {
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
