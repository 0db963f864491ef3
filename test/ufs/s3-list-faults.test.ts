import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { openS3Backend, type S3Backend } from '../../src/ufs/s3.ts';
import { kindOf } from '../contracts/backend.ts';
import { credentials } from '../gateway/memory-node.ts';

let server: Server | undefined;
let backend: S3Backend | undefined;
let requests = 0;
afterEach(async () => {
  await backend?.close();
  server?.closeAllConnections();
  server?.close();
});

/** A server that answers each list with what `bodyOf` makes of the number of the request, from 0. */
async function serve(bodyOf: (request: number) => string): Promise<S3Backend> {
  requests = 0;
  server = createServer((_, res) => {
    res.writeHead(200, { 'content-type': 'application/xml' }).end(bodyOf(requests++));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { uri: 's3://under/', endpoint, credentials };
  backend = openS3Backend(systemClock, systemRandom, settings);
  return backend;
}

function objects(keys: readonly string[], end: string): string {
  const contents = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>1</Size></Contents>`,
  );
  return `<ListBucketResult><Name>under</Name>${contents.join('')}${end}</ListBucketResult>`;
}

const more = (token: string) =>
  `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`;
const done = '<IsTruncated>false</IsTruncated>';
const all = { prefix: '', limit: 900 };

test('a list that is not whole and does not say where it goes on is no list', async () => {
  const one = await serve(() =>
    objects(['a', 'b'], '<IsTruncated>true</IsTruncated><NextMarker>b</NextMarker>'),
  );
  expect(await kindOf(one.list(all))).toBe('io');
  expect(requests).toBe(1);
});

test('a list that gives the same token again ends', async () => {
  const one = await serve(() => objects(['a'], more('same')));
  expect(await kindOf(one.list({ ...all, after: 'z' }))).toBe('io');
  expect(requests).toBe(2);
});

test('a list whose pages do not get ahead ends', async () => {
  const one = await serve((request) => objects(['a', 'b'], more(`token-${request}`)));
  expect(await kindOf(one.list({ ...all, after: 'z' }))).toBe('io');
  expect(requests).toBe(2);
});

test('empty pages are passed over, but not without end', async () => {
  const one = await serve((request) =>
    request < 5 ? objects([], more(`token-${request}`)) : objects(['a'], done),
  );
  expect((await one.list(all)).entries).toHaveLength(1);
  await one.close();
  server?.close();
  const other = await serve((request) => objects([], more(`token-${request}`)));
  expect(await kindOf(other.list(all))).toBe('io');
  expect(requests).toBeLessThan(200);
});

test('a list of uploads that does not go on ends', async () => {
  const uploads = (end: string) =>
    `<ListMultipartUploadsResult><Bucket>under</Bucket><IsTruncated>true</IsTruncated>${end}<Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>`;
  const one = await serve(() => uploads(''));
  expect(await kindOf(one.listUploads(all))).toBe('io');
  expect(requests).toBe(1);
  await one.close();
  server?.close();
  const other = await serve(() =>
    uploads('<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>'),
  );
  expect(await kindOf(other.listUploads(all))).toBe('io');
  expect(requests).toBe(2);
});
