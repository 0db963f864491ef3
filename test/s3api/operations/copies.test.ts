import { beforeEach, describe, expect, test } from '@jest/globals';
import { bucketWith } from '../support/bucket.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { type SentRequest, send } from '../support/send.ts';

let service: MapObjectService;
const md5OfDigits = '781e5e245d69b566979b86e28d23f2c7';

beforeEach(async () => {
  service = await bucketWith();
  const headers = { 'content-type': 'text/plain', 'x-amz-meta-a': 'b' };
  await send(service, 'PUT', '/abc/digits', { body: '0123456789', headers });
  service.nowMs += 60_000;
});

function copy(target: string, source: string, headers: Record<string, string> = {}, more: SentRequest = {}) {
  return send(service, 'PUT', target, { ...more, headers: { 'x-amz-copy-source': source, ...headers } });
}

describe('CopyObject', () => {
  test('copies bytes, headers and metadata', async () => {
    const answer = await copy('/abc/new', 'abc/digits', { 'content-type': 'ignored/under-copy' });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(
      `<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-01-02T03:05:05.000Z</LastModified><ETag>&quot;${md5OfDigits}&quot;</ETag>`,
    );
    const stored = service.stored('abc', 'new');
    expect(stored?.bytes.toString()).toBe('0123456789');
    expect(stored?.meta).toMatchObject({ headers: { contentType: 'text/plain' }, userMetadata: { a: 'b' } });
  });

  test('replaces headers and metadata together', async () => {
    await copy('/abc/new', '/abc/digits', { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-c': 'd' });
    const { meta } = service.stored('abc', 'new') ?? {};
    expect([meta?.headers, meta?.userMetadata]).toEqual([{}, { c: 'd' }]);
  });

  test('gives storage class and redirect to the copy without touching the rest', async () => {
    const headers = { 'x-amz-storage-class': 'STANDARD_IA', 'x-amz-website-redirect-location': '/x' };
    await copy('/abc/digits', 'abc/digits', headers);
    expect(service.stored('abc', 'digits')?.meta).toMatchObject({
      storageClass: 'STANDARD_IA',
      headers: { contentType: 'text/plain', websiteRedirectLocation: '/x' },
      userMetadata: { a: 'b' },
    });
  });

  test('never puts the metadata of one version to the bytes of another', async () => {
    const original = service.headObject.bind(service);
    service.headObject = async (ref, options) => {
      const seen = await original(ref, options);
      await send(service, 'PUT', '/abc/digits', { body: 'moved' });
      return seen;
    };
    const answer = await copy('/abc/new', 'abc/digits', { 'x-amz-storage-class': 'STANDARD_IA' });
    expect([answer.status, answer.element('Code')]).toEqual([409, 'OperationAborted']);
    expect(service.stored('abc', 'new')).toBeUndefined();
  });

  test('of an object to itself must change something', async () => {
    expect((await copy('/abc/digits', '/abc/digits')).element('Code')).toBe('InvalidRequest');
    expect((await copy('/abc/digits', 'abc/digits', { 'x-amz-metadata-directive': 'REPLACE' })).status).toBe(
      200,
    );
    expect((await copy('/abc/digits', 'abc/digits', { 'x-amz-checksum-algorithm': 'CRC32' })).status).toBe(
      200,
    );
  });

  test.each([
    [{ 'x-amz-copy-source-if-match': '"x"' }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source-if-none-match': `"${md5OfDigits}"` }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source-if-modified-since': 'Fri, 02 Jan 2026 03:04:05 GMT' }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source-if-unmodified-since': 'Fri, 02 Jan 2026 03:04:04 GMT' }, 'PreconditionFailed'],
    [{ 'if-match': '"x"' }, 'NoSuchKey'],
    [{ 'if-none-match': '"x"' }, 'NotImplemented'],
    [{ 'x-amz-metadata-directive': 'MERGE' }, 'InvalidArgument'],
    [{ 'x-amz-checksum-algorithm': 'MD4' }, 'InvalidRequest'],
    [{ 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'a,b' }, 'InvalidTag'],
    [{ 'x-amz-copy-source': 'abc/none' }, 'NoSuchKey'],
    [{ 'x-amz-copy-source': 'nobucket/k' }, 'NoSuchBucket'],
    [{ 'x-amz-copy-source': 'abc' }, 'InvalidArgument'],
    [{ 'x-amz-copy-source': 'abc/digits?versionId=x' }, 'NoSuchVersion'],
  ])('with %j is %s and copies nothing', async (headers, code) => {
    const answer = await copy('/abc/new', 'abc/digits', headers as Record<string, string>);
    expect(answer.element('Code')).toBe(code);
    expect(service.stored('abc', 'new')).toBeUndefined();
  });

  test('holds where its conditions hold', async () => {
    const headers = { 'x-amz-copy-source-if-match': `"${md5OfDigits}"`, 'if-none-match': '*' };
    expect((await copy('/abc/new', 'abc/digits', headers)).status).toBe(200);
    expect((await copy('/abc/new', 'abc/digits', headers)).status).toBe(412);
  });

  test('needs the right to read the source', async () => {
    const answer = await copy('/abc/new', 'abc/digits', {}, { denied: ['s3:GetObject abc/digits'] });
    expect(answer.element('Code')).toBe('AccessDenied');
    expect(service.stored('abc', 'new')).toBeUndefined();
  });

  test('takes sources up to 5 GiB', async () => {
    service.amend('abc', 'digits', { sizeBytes: 5 * 1024 ** 3 + 1 });
    expect((await copy('/abc/new', 'abc/digits')).element('Code')).toBe('InvalidRequest');
  });
});

describe('UploadPartCopy', () => {
  let target: string;
  beforeEach(async () => {
    const uploadId = (await send(service, 'POST', '/abc/new?uploads')).element('UploadId');
    target = `/abc/new?partNumber=1&uploadId=${uploadId}`;
  });
  const sizes = async () =>
    (await send(service, 'GET', target.replace('partNumber=1&', ''))).elements('Size');

  test('copies the whole source', async () => {
    const answer = await copy(target, '/abc/digits');
    expect(answer.text).toContain(`<ETag>&quot;${md5OfDigits}&quot;</ETag></CopyPartResult>`);
    expect(await sizes()).toEqual(['10']);
  });

  test('copies a range of it', async () => {
    expect((await copy(target, 'abc/digits', { 'x-amz-copy-source-range': 'bytes=2-4' })).status).toBe(200);
    expect(await sizes()).toEqual(['3']);
  });

  test.each([
    [{ 'x-amz-copy-source-range': 'bytes=2-10' }, 'InvalidArgument'],
    [{ 'x-amz-copy-source-range': 'bytes=2-' }, 'InvalidArgument'],
    [{ 'x-amz-copy-source-range': '2-4' }, 'InvalidArgument'],
    [{ 'x-amz-copy-source-if-match': '"x"' }, 'PreconditionFailed'],
    [{ 'x-amz-copy-source': 'abc/none' }, 'NoSuchKey'],
  ])('with %j is %s and copies nothing', async (headers, code) => {
    expect((await copy(target, 'abc/digits', headers as Record<string, string>)).element('Code')).toBe(code);
    expect(await sizes()).toEqual([]);
  });

  test('needs the right to read the source', async () => {
    const answer = await copy(target, 'abc/digits', {}, { denied: ['s3:GetObject abc/digits'] });
    expect(answer.element('Code')).toBe('AccessDenied');
  });

  test('takes 5 GiB of a larger source, and no more', async () => {
    const size = 5 * 1024 ** 3;
    service.amend('abc', 'digits', { sizeBytes: size + 1 });
    expect((await copy(target, 'abc/digits')).element('Code')).toBe('InvalidRequest');
    const range = { 'x-amz-copy-source-range': `bytes=0-${size}` };
    expect((await copy(target, 'abc/digits', range)).element('Code')).toBe('InvalidRequest');
    const less = { 'x-amz-copy-source-range': `bytes=0-${size - 1}` };
    expect((await copy(target, 'abc/digits', less)).status).toBe(200);
  });
});
