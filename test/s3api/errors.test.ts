import { describe, expect, test } from '@jest/globals';
import { errorCodes } from '../../src/s3api/error-codes.ts';
import { errorResponse, invalidArgument, S3Error } from '../../src/s3api/errors.ts';

const request = { requestId: '4442587FB7D0A2F9', resource: '/mybucket/myfoto.jpg', method: 'GET' };

describe('an error as an answer', () => {
  test("is S3's XML, as the S3 API Reference shows it under REST error responses", () => {
    const { status, headers, body } = errorResponse(
      new S3Error('NoSuchKey', { resource: '/mybucket/myfoto.jpg' }),
      request,
    );
    expect(status).toBe(404);
    expect(headers).toEqual({ 'content-type': 'application/xml', 'x-amz-id-2': 'NDQ0MjU4N0ZCN0QwQTJGOQ==' });
    expect(body).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.' +
        '</Message><Resource>/mybucket/myfoto.jpg</Resource><RequestId>4442587FB7D0A2F9</RequestId>' +
        '<HostId>NDQ0MjU4N0ZCN0QwQTJGOQ==</HostId></Error>',
    );
  });

  test('shows further elements, and escapes what a client sent', () => {
    const { body } = errorResponse(invalidArgument('max-keys', '<&>', 'No "such" number'), request);
    expect(body).toContain('<Message>No &quot;such&quot; number</Message>');
    expect(body).toContain(
      '<ArgumentName>max-keys</ArgumentName><ArgumentValue>&lt;&amp;&gt;</ArgumentValue>',
    );
  });

  test('names the path of the request where no resource is given', () => {
    expect(errorResponse(new S3Error('AccessDenied'), request).body).toContain(
      '<Resource>/mybucket/myfoto.jpg</Resource>',
    );
  });

  test('has no body for HEAD', () => {
    const response = errorResponse(new S3Error('NoSuchKey'), { ...request, method: 'HEAD' });
    expect(response.status).toBe(404);
    expect(response.body).toBeUndefined();
  });

  test('has neither body nor content type for 304', () => {
    const error = new S3Error('NotModified', { headers: { etag: '"a"' } });
    expect(errorResponse(error, request)).toEqual({ status: 304, headers: { etag: '"a"' } });
  });

  test('asks a client that is too fast to come back later', () => {
    expect(errorResponse(new S3Error('SlowDown'), request).headers['retry-after']).toBe(1);
    expect(new S3Error('SlowDown', { headers: { 'retry-after': 5 } }).headers).toEqual({ 'retry-after': 5 });
  });

  test('keeps its cause to itself', () => {
    const error = new S3Error('InternalError', { cause: new Error('disk 7 is on fire') });
    expect(errorResponse(error, request).body).not.toContain('disk');
    expect((error.cause as Error).message).toBe('disk 7 is on fire');
  });
});

test('every code has an HTTP status that says error, redirect or not modified, and a message', () => {
  for (const [status, message] of Object.values(errorCodes)) {
    expect(status).toBeGreaterThan(300);
    expect(status).toBeLessThan(600);
    expect(message).toMatch(/^[A-Z].{3,}/);
  }
});
