import { beforeEach, describe, expect, test } from '@jest/globals';
import { bucketWith } from '../support/bucket.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { send } from '../support/send.ts';

let service: MapObjectService;
let uploadId: string;
const etags: string[] = [];

async function begin(target = '/abc/big', headers: Record<string, string> = {}): Promise<string> {
  const answer = await send(service, 'POST', `${target}?uploads`, { headers });
  return answer.element('UploadId') ?? '';
}

const putPart = (partNumber: number | string, body: string) =>
  send(service, 'PUT', `/abc/big?partNumber=${partNumber}&uploadId=${uploadId}`, { body });
const complete = (body: string, headers: Record<string, string> = {}) =>
  send(service, 'POST', `/abc/big?uploadId=${uploadId}`, { body, headers });
const part = (partNumber: number | string, etag: string | undefined, more = '') =>
  `<Part><PartNumber>${partNumber}</PartNumber><ETag>${etag}</ETag>${more}</Part>`;
const parts = (...elements: string[]) =>
  `<CompleteMultipartUpload>${elements.join('')}</CompleteMultipartUpload>`;

beforeEach(async () => {
  service = await bucketWith();
  uploadId = await begin('/abc/big', { 'content-type': 'text/plain', 'x-amz-meta-a': 'b' });
  etags.length = 0;
  for (const [index, body] of ['one', 'two', 'three'].entries()) {
    etags.push(String((await putPart(index + 1, body)).headers.etag));
  }
});

describe('CreateMultipartUpload', () => {
  test('answers bucket, key and upload', async () => {
    const answer = await send(service, 'POST', '/abc/some%20key?uploads');
    expect(answer.text).toContain(
      '<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>abc</Bucket><Key>some key</Key><UploadId>',
    );
    expect(answer.headers).toEqual({ 'content-type': 'application/xml' });
  });

  test('answers the checksum that was agreed on', async () => {
    const headers = { 'x-amz-checksum-algorithm': 'CRC32' };
    expect((await send(service, 'POST', '/abc/k?uploads', { headers })).headers).toMatchObject({
      'x-amz-checksum-algorithm': 'CRC32',
      'x-amz-checksum-type': 'COMPOSITE',
    });
  });

  test.each([
    [{ 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' }, 'InvalidRequest'],
    [{ 'x-amz-server-side-encryption': 'aws:kms' }, 'NotImplemented'],
    [{ 'x-amz-storage-class': 'X' }, 'InvalidStorageClass'],
  ])('with %j is %s', async (headers, code) => {
    const answer = await send(service, 'POST', '/abc/k?uploads', {
      headers: headers as Record<string, string>,
    });
    expect(answer.element('Code')).toBe(code);
  });
});

describe('UploadPart', () => {
  test('answers the ETag of the part', () => {
    expect(etags[0]).toBe('"f97c5d29941bfb1b2fdab0874906ab82"');
  });

  test.each(['0', '10001', 'x', '-1', '1e3', ''])('number %j is an invalid argument', async (partNumber) => {
    expect((await putPart(partNumber, 'x')).element('Code')).toBe('InvalidArgument');
  });

  test('takes the numbers from 1 to 10,000', async () => {
    expect((await putPart(10_000, 'last')).status).toBe(200);
  });

  test('needs an upload that is there', async () => {
    uploadId = 'none';
    expect((await putPart(1, 'x')).element('Code')).toBe('NoSuchUpload');
    uploadId = '';
    const answer = await putPart(1, 'x');
    expect([answer.element('Code'), answer.element('UploadId')]).toEqual(['NoSuchUpload', '']);
  });

  test('takes 5 GiB and not a byte more', async () => {
    const target = `/abc/big?partNumber=4&uploadId=${uploadId}`;
    const answer = await send(service, 'PUT', target, { claimedBytes: 5 * 1024 ** 3 + 1 });
    expect(answer.element('Code')).toBe('EntityTooLarge');
  });
});

describe('CompleteMultipartUpload', () => {
  test('makes the object of the parts named', async () => {
    const answer = await complete(parts(part(1, etags[0]), part(3, etags[2]?.replaceAll('"', ''))));
    expect(answer.status).toBe(200);
    expect(answer.element('Location')).toBe('http://127.0.0.1:9000/abc/big');
    expect([answer.element('Bucket'), answer.element('Key')]).toEqual(['abc', 'big']);
    expect(answer.element('ETag')).toMatch(/^&quot;[0-9a-f]{32}-2&quot;$/);
    const stored = service.stored('abc', 'big');
    expect(stored?.bytes.toString()).toBe('onethree');
    expect(stored?.meta).toMatchObject({ headers: { contentType: 'text/plain' }, userMetadata: { a: 'b' } });
    expect((await send(service, 'GET', '/abc/big?partNumber=2')).text).toBe('three');
  });

  test('reads the XML as clients write it', async () => {
    const body =
      '<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n' +
      `  <Part>\n    <ETag>&quot;${etags[0]?.slice(1, -1)}&quot;</ETag>\n    <PartNumber> 1 </PartNumber>\n  </Part>\n</CompleteMultipartUpload>\n`;
    expect((await complete(body)).status).toBe(200);
  });

  test.each([
    [() => '', 'InvalidRequest'],
    [() => parts(), 'MalformedXML'],
    [() => '<CompleteMultipartUpload>', 'MalformedXML'],
    [() => parts('<Piece/>'), 'MalformedXML'],
    [() => parts('<Part><PartNumber>1</PartNumber></Part>'), 'MalformedXML'],
    [() => parts(`<Part><ETag>${etags[0]}</ETag></Part>`), 'MalformedXML'],
    [() => parts(part(1, etags[0], '<Color>blue</Color>')), 'MalformedXML'],
    [() => parts(part(0, etags[0])), 'InvalidArgument'],
    [() => parts(part('one', etags[0])), 'InvalidArgument'],
    [() => parts(part(10_001, etags[0])), 'InvalidArgument'],
    [() => parts(part(2, etags[1]), part(1, etags[0])), 'InvalidPartOrder'],
    [() => parts(part(1, etags[0]), part(1, etags[0])), 'InvalidPartOrder'],
    [() => parts(part(1, etags[1])), 'InvalidPart'],
    [() => parts(part(4, etags[0])), 'InvalidPart'],
    [() => parts(part(1, etags[0], '<ChecksumCRC32>short</ChecksumCRC32>')), 'InvalidPart'],
    [() => parts(part(1, etags[0])).padEnd(5_000_000), 'MaxMessageLengthExceeded'],
  ])('of a body like %s makes nothing', async (body, code) => {
    expect((await complete(body())).element('Code')).toBe(code);
    expect(service.stored('abc', 'big')).toBeUndefined();
  });

  test('hands on what the client expects', async () => {
    const inputs: unknown[] = [];
    const original = service.completeUpload.bind(service);
    service.completeUpload = async (ref, input) => {
      inputs.push(input);
      return { ...(await original(ref, input)), checksumType: 'COMPOSITE' };
    };
    const checksum = '<ChecksumCRC32>NhCmhg==</ChecksumCRC32>';
    const answer = await complete(parts(part(1, etags[0], checksum)), {
      'if-none-match': '*',
      'x-amz-checksum-crc32': 'NhCmhg==-1',
      'x-amz-checksum-type': 'COMPOSITE',
      'x-amz-mp-object-size': '3',
    });
    expect(inputs).toMatchObject([
      {
        uploadId,
        parts: [{ partNumber: 1, etag: etags[0]?.slice(1, -1), checksums: { CRC32: 'NhCmhg==' } }],
        condition: { ifNoneMatch: '*' },
        checksums: { CRC32: 'NhCmhg==-1' },
        checksumType: 'COMPOSITE',
        expectedSizeBytes: 3,
      },
    ]);
    expect([answer.element('ChecksumCRC32'), answer.element('ChecksumType')]).toEqual([
      'NhCmhg==-1',
      'COMPOSITE',
    ]);
  });

  test.each([
    [{ 'x-amz-mp-object-size': '-1' }, 'InvalidRequest'],
    [{ 'x-amz-mp-object-size': 'big' }, 'InvalidRequest'],
    [{ 'x-amz-copy-source': 'abc/k' }, 'InvalidArgument'],
    [{ 'x-amz-checksum-crc32': 'x' }, 'InvalidRequest'],
    [{ 'x-amz-checksum-type': 'x' }, 'InvalidRequest'],
    [{ 'if-none-match': '"x"' }, 'NotImplemented'],
    [{ 'if-match': '"x"' }, 'NoSuchKey'],
  ])('with %j is %s', async (headers, code) => {
    const answer = await complete(parts(part(1, etags[0])), headers as Record<string, string>);
    expect(answer.element('Code')).toBe(code);
    expect(service.stored('abc', 'big')).toBeUndefined();
  });
});

test('AbortMultipartUpload gives the parts up', async () => {
  const target = `/abc/big?uploadId=${uploadId}`;
  expect(await send(service, 'DELETE', target)).toMatchObject({ status: 204, text: '' });
  expect((await send(service, 'DELETE', target)).element('Code')).toBe('NoSuchUpload');
  expect((await complete(parts(part(1, etags[0])))).element('Code')).toBe('NoSuchUpload');
});

describe('ListParts', () => {
  const list = (query = '') => send(service, 'GET', `/abc/big?uploadId=${uploadId}${query}`);

  test('shows the parts in order', async () => {
    const answer = await list();
    expect(answer.elements('PartNumber')).toEqual(['1', '2', '3']);
    expect(answer.elements('Size')).toEqual(['3', '3', '5']);
    expect(answer.elements('ETag')[0]).toBe(etags[0]?.replaceAll('"', '&quot;'));
    const names = [
      'Key',
      'UploadId',
      'StorageClass',
      'PartNumberMarker',
      'NextPartNumberMarker',
      'MaxParts',
      'IsTruncated',
    ];
    expect(names.map(answer.element)).toEqual(['big', uploadId, 'STANDARD', '0', '3', '1000', 'false']);
  });

  test('goes page by page', async () => {
    const first = await list('&max-parts=2');
    expect([first.elements('PartNumber'), first.element('IsTruncated')]).toEqual([['1', '2'], 'true']);
    const second = await list(`&max-parts=2&part-number-marker=${first.element('NextPartNumberMarker')}`);
    expect([second.elements('PartNumber'), second.element('IsTruncated')]).toEqual([['3'], 'false']);
    const none = await list('&max-parts=0');
    expect([none.elements('PartNumber'), none.element('IsTruncated')]).toEqual([[], 'false']);
  });

  test.each([
    '&max-parts=x',
    '&max-parts=-1',
    '&part-number-marker=x',
    '&part-number-marker=-1',
    '&encoding-type=x',
  ])('%s is an invalid argument', async (query) => {
    expect((await list(query)).element('Code')).toBe('InvalidArgument');
  });
});

describe('ListMultipartUploads', () => {
  const list = (query = '') => send(service, 'GET', `/abc?uploads${query}`);

  beforeEach(async () => {
    for (const key of ['a', 'big', 'dir/x', 'dir/y', 'z(1)']) await begin(`/abc/${key}`);
  });

  test('shows uploads in order of key, two of one key too', async () => {
    const answer = await list('&encoding-type=url');
    expect(answer.elements('Key')).toEqual(['a', 'big', 'big', 'dir/x', 'dir/y', 'z%281%29']);
    expect(answer.element('Initiated')).toBe('2026-01-02T03:04:05.000Z');
    expect([answer.element('MaxUploads'), answer.element('IsTruncated')]).toEqual(['1000', 'false']);
  });

  test('every upload and every common prefix appears exactly once, whatever the page size', async () => {
    for (const limit of [1, 2, 3]) {
      const seen: string[] = [];
      let markers = '';
      for (let page = 0; page < 20; page++) {
        const answer = await list(`&delimiter=/&max-uploads=${limit}${markers}`);
        seen.push(...answer.elements('Key'), ...answer.elements('Prefix').filter((prefix) => prefix !== ''));
        if (answer.element('IsTruncated') === 'false') break;
        markers = `&key-marker=${answer.element('NextKeyMarker')}&upload-id-marker=${answer.element('NextUploadIdMarker')}`;
      }
      expect(seen.sort()).toEqual(['a', 'big', 'big', 'dir/', 'z(1)']);
    }
  });

  test('keeps to a prefix, and gives none when none are wanted', async () => {
    expect((await list('&prefix=dir/')).elements('Key')).toEqual(['dir/x', 'dir/y']);
    expect((await list('&max-uploads=0')).elements('Key')).toEqual([]);
    expect((await list('&max-uploads=x')).element('Code')).toBe('InvalidArgument');
  });

  test('an upload id counts only with its key', async () => {
    expect((await list('&upload-id-marker=zzz')).elements('Key')).toHaveLength(6);
  });
});
