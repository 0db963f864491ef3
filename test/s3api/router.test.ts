import * as sdk from '@aws-sdk/client-s3';
import { describe, expect, test } from '@jest/globals';
import type { S3Request } from '../../src/s3api/call.ts';
import type { S3Error } from '../../src/s3api/errors.ts';
import { parseTarget } from '../../src/s3api/path.ts';
import { matchRoute, routes } from '../../src/s3api/router.ts';

function request(method: string, rawTarget: string, headers: Record<string, string> = {}): S3Request {
  const target = parseTarget({ method, rawTarget, host: undefined, domains: [] });
  return { ...target, method, rawTarget, headers, requestId: 'R', baseUrl: 'http://localhost' };
}

function operationOf(method: string, rawTarget: string, headers?: Record<string, string>): string {
  return matchRoute(request(method, rawTarget, headers)).operation;
}

/** What the AWS SDK's own model says of each operation: its name, method and the path and query it is sent to. */
const modelled = Object.values(sdk as Record<string, unknown>)
  .filter((schema): schema is [9, string, string, { http: [string, string, number] }] => {
    return Array.isArray(schema) && schema[0] === 9;
  })
  .map(([, , name, { http }]) => ({ name, method: http[0], uri: http[1] }));

/** The members that each of these sends beside what its path names. */
const members: Readonly<Record<string, { query?: string; headers?: Record<string, string> }>> = {
  AbortMultipartUpload: { query: 'uploadId=u' },
  CompleteMultipartUpload: { query: 'uploadId=u' },
  CopyObject: { headers: { 'x-amz-copy-source': 'abc/k' } },
  GetBucketAnalyticsConfiguration: { query: 'id=1' },
  GetBucketIntelligentTieringConfiguration: { query: 'id=1' },
  GetBucketInventoryConfiguration: { query: 'id=1' },
  GetBucketMetricsConfiguration: { query: 'id=1' },
  GetObjectAnnotation: { query: 'annotationName=a' },
  ListParts: { query: 'uploadId=u' },
  UploadPart: { query: 'partNumber=1&uploadId=u' },
  UploadPartCopy: { query: 'partNumber=1&uploadId=u', headers: { 'x-amz-copy-source': 'abc/k' } },
  WriteGetObjectResponse: { headers: { 'x-amz-request-route': 'r' } },
};
/** Sent to another service's host, in the same form as ListBuckets. */
const elsewhere = new Set(['ListDirectoryBuckets']);
const serviceOperations = new Set(['ListBuckets', 'WriteGetObjectResponse']);

describe('the operation table', () => {
  const names = modelled.map(({ name }) => name).filter((name) => !elsewhere.has(name));

  test('has every operation of the AWS SDK, and the form upload, which SDKs do not send', () => {
    expect(names.length).toBeGreaterThan(90);
    expect([...names, 'PostObject'].sort()).toEqual(
      [...new Set(routes.map((route) => route.operation))].sort(),
    );
  });

  test.each(modelled.filter(({ name }) => !elsewhere.has(name)))(
    '$name is $method $uri',
    ({ name, method, uri }) => {
      const bucket = serviceOperations.has(name) ? '' : '/abc';
      const { query, headers } = members[name] ?? {};
      const target = bucket + uri.replace('{Key+}', 'some/key');
      const withQuery = query === undefined ? target : `${target}${target.includes('?') ? '&' : '?'}${query}`;
      expect(operationOf(method, withQuery, headers)).toBe(name);
    },
  );

  test('has an action to authorise in every row that concerns a bucket', () => {
    for (const route of routes) {
      if (route.scope === 'service') expect(route.action).toBeUndefined();
      else expect(route.action).toMatch(/^s3:[A-Z][A-Za-z]+$/);
    }
  });

  test('says of every method but GET and HEAD, and of no read, that it writes', () => {
    for (const route of routes)
      expect([route.operation, route.writes]).toEqual([route.operation, !/^(GET|HEAD)$/.test(route.method)]);
  });
});

describe('matching', () => {
  test.each([
    ['GET', '/abc?prefix=x', 'ListObjects'],
    ['GET', '/abc?list-type=2&prefix=x', 'ListObjectsV2'],
    ['GET', '/abc/k?partNumber=2', 'GetObject'],
    ['GET', '/abc/k?versionId=null', 'GetObject'],
    ['GET', '/abc/k?X-Amz-Signature=1&response-content-type=a', 'GetObject'],
    ['PUT', '/abc/k?x-id=PutObject&whatever=1', 'PutObject'],
    ['POST', '/abc', 'PostObject'],
    ['DELETE', '/abc/k?versionId=null', 'DeleteObject'],
    ['GET', '/abc/k?prefix=x&delete', 'GetObject'],
    ['HEAD', '/abc/k?versions', 'HeadObject'],
  ])('%s %s is %s', (method, target, operation) => {
    expect(operationOf(method, target)).toBe(operation);
  });

  test('a copy is told from a put by its header', () => {
    expect(operationOf('PUT', '/abc/k', { 'x-amz-copy-source': 'abc/o' })).toBe('CopyObject');
  });

  test.each([
    ['PATCH', '/abc/k'],
    ['OPTIONS', '/abc/k'],
    ['POST', '/abc/k'],
    ['PUT', '/'],
    ['POST', '/'],
    // A sub-resource that this method does not have must not fall back to the resource itself.
    ['DELETE', '/abc/k?acl'],
    ['PUT', '/abc/k?torrent'],
    ['PUT', '/abc/k?uploads'],
    ['PUT', '/abc/k?uploadId=u'],
    ['DELETE', '/abc?acl'],
    ['DELETE', '/abc?uploads'],
    ['DELETE', '/abc?versioning'],
    ['PUT', '/abc?location'],
    ['HEAD', '/abc/k?acl'],
  ])('%s %s is no operation', (method, target) => {
    expect(() => operationOf(method, target)).toThrow(
      expect.objectContaining({ code: 'MethodNotAllowed', status: 405 }),
    );
  });

  test.each([
    ['PUT', '/abc/k?uploadId=u', 'UPLOAD', ['DELETE', 'GET', 'POST']],
    ['DELETE', '/abc/k?acl', 'ACL', ['GET', 'PUT']],
    ['POST', '/abc/k', 'OBJECT', ['DELETE', 'GET', 'HEAD', 'PUT']],
    ['PATCH', '/abc', 'BUCKET', ['DELETE', 'GET', 'HEAD', 'POST', 'PUT']],
    ['POST', '/', 'SERVICE', ['GET']],
  ])('%s %s is about %s, and told what would be one', (method, target, ResourceType, methods) => {
    let error: unknown;
    try {
      operationOf(method, target);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'MethodNotAllowed', extra: { ResourceType } });
    const { allow } = (error as S3Error).headers;
    expect(String(allow).split(', ').toSorted()).toEqual(methods);
  });

  test('a key has no versions that could be listed', () => {
    expect(() => operationOf('GET', '/abc/k?versions')).toThrow(
      expect.objectContaining({
        code: 'InvalidRequest',
        message: 'There is no such thing as the ?versions sub-resource for a key',
      }),
    );
  });

  test('two sub-resources at once are a conflict', () => {
    expect(() => operationOf('GET', '/abc?acl&policy')).toThrow(
      expect.objectContaining({
        code: 'InvalidArgument',
        message: 'Conflicting query string parameters: acl, policy',
      }),
    );
  });

  test('an operation that is not offered says so', async () => {
    const route = matchRoute(request('PUT', '/abc?inventory'));
    await expect(route.handler({} as never)).rejects.toMatchObject({ code: 'NotImplemented', status: 501 });
  });
});
