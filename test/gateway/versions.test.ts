import { createHash } from 'node:crypto';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { someBytes } from '../support/upload-body.ts';
import { errorOf, idOf, texts } from './answer-fields.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { type SentRequest, sendSigned } from './signed-request.ts';

const unknownId = 'f'.repeat(32);

describe.each([1, 2])('versions over the wire, with %d threads', (ioThreads) => {
  let gateway: GatewayUnderTest;
  let buckets = 0;
  let bucket = '';

  beforeAll(async () => {
    const root = new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5, exclusive: true });
    const plain = new MemoryBackend(systemClock, systemRandom, { versions: false });
    gateway = await startGateway(root, [{ mount: mountOf('mounted', ''), backend: plain }], {
      ioThreads,
      removesDeadPages: true,
    });
    await gateway.buckets.create({ name: 'mounted', owner: 'root', kind: 'mount' });
  });
  afterAll(() => gateway.close());

  const send = (sent: SentRequest) => sendSigned(gateway.port, sent);
  const set = async (status: string) => {
    const body = Buffer.from(
      `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>${status}</Status></VersioningConfiguration>`,
    );
    return send({ method: 'PUT', target: `/${bucket}?versioning`, body });
  };
  const make = async (status?: string) => {
    bucket = `versions-${ioThreads}-${++buckets}`;
    await gateway.client.send(new CreateBucketCommand({ Bucket: bucket }));
    if (status) expect((await set(status)).status).toBe(200);
  };
  const put = async (key: string, body: string | Buffer, headers = {}) =>
    send({ method: 'PUT', target: `/${bucket}/${key}`, body: Buffer.from(body), headers });
  const get = (key: string, query = '', headers = {}) =>
    send({ target: `/${bucket}/${key}${query}`, headers });
  const remove = (key: string, query = '') => send({ method: 'DELETE', target: `/${bucket}/${key}${query}` });
  const list = (query = '') => send({ target: `/${bucket}?versions${query}` });

  test('a bucket says what was set, and nothing before', async () => {
    await make();
    const said = async () => texts(await send({ target: `/${bucket}?versioning` }), 'Status');
    expect(await said()).toEqual([]);
    await set('Enabled');
    expect(await said()).toEqual(['Enabled']);
    await set('Suspended');
    expect(await said()).toEqual(['Suspended']);
  });

  test('a configuration that is none is refused and changes nothing', async () => {
    await make();
    const tried = async (inner: string) => {
      const body = Buffer.from(`<VersioningConfiguration>${inner}</VersioningConfiguration>`);
      return errorOf(await send({ method: 'PUT', target: `/${bucket}?versioning`, body })).Code;
    };
    expect(await tried('')).toBe('IllegalVersioningConfigurationException');
    expect(await tried('<Status>On</Status>')).toBe('MalformedXML');
    expect(await tried('<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>')).toBe('NotImplemented');
    expect(texts(await send({ target: `/${bucket}?versioning` }), 'Status')).toEqual([]);
  });

  test('each write names its version, which is read by that name with ranges, parts and conditions', async () => {
    await make('Enabled');
    const first = await put('k', 'first body');
    const second = await put('k', 'second');
    expect(new Set([idOf(first), idOf(second), 'none']).size).toBe(3);
    expect(idOf(await get('k'))).toBe(idOf(second));
    const old = await get('k', `?versionId=${idOf(first)}`);
    expect([old.body.toString(), idOf(old), old.headers.etag]).toEqual([
      'first body',
      idOf(first),
      first.headers.etag,
    ]);
    const range = await get('k', `?versionId=${idOf(first)}`, { range: 'bytes=0-4' });
    expect([range.status, range.body.toString(), range.headers['content-range']]).toEqual([
      206,
      'first',
      'bytes 0-4/10',
    ]);
    const part = await get('k', `?versionId=${idOf(first)}&partNumber=1`);
    expect([part.status, part.body.toString()]).toEqual([206, 'first body']);
    const fresh = { 'if-none-match': first.headers.etag as string };
    const same = await get('k', `?versionId=${idOf(first)}`, fresh);
    expect([same.status, idOf(same)]).toEqual([304, idOf(first)]);
    const other = { 'if-match': second.headers.etag as string };
    expect((await get('k', `?versionId=${idOf(first)}`, other)).status).toBe(412);
    const head = await send({ method: 'HEAD', target: `/${bucket}/k?versionId=${idOf(first)}` });
    expect([head.status, head.headers['content-length'], idOf(head)]).toEqual([200, '10', idOf(first)]);
  });

  test('a delete makes a marker that answers tell of, and taking it away undoes it', async () => {
    await make('Enabled');
    const made = await put('k', 'body');
    const deleted = await remove('k');
    expect([deleted.status, deleted.headers['x-amz-delete-marker']]).toEqual([204, 'true']);
    const gone = await get('k');
    expect([gone.status, errorOf(gone), gone.headers['x-amz-delete-marker'], idOf(gone)]).toEqual([
      404,
      { Code: 'NoSuchKey', Message: 'The specified key does not exist.', Key: 'k' },
      'true',
      idOf(deleted),
    ]);
    const head = await send({ method: 'HEAD', target: `/${bucket}/k` });
    expect([head.status, head.headers['x-amz-delete-marker']]).toEqual([404, 'true']);
    const marker = await get('k', `?versionId=${idOf(deleted)}`);
    expect([
      marker.status,
      marker.headers.allow,
      marker.headers['x-amz-delete-marker'],
      idOf(marker),
    ]).toEqual([405, 'DELETE', 'true', idOf(deleted)]);
    expect(errorOf(marker)).toMatchObject({
      Code: 'MethodNotAllowed',
      Method: 'GET',
      ResourceType: 'DeleteMarker',
    });
    expect(Date.parse(marker.headers['last-modified'] ?? '')).toBeGreaterThan(0);
    const undone = await remove('k', `?versionId=${idOf(deleted)}`);
    expect([undone.status, undone.headers['x-amz-delete-marker'], idOf(undone)]).toEqual([
      204,
      'true',
      idOf(deleted),
    ]);
    expect([(await get('k')).body.toString(), idOf(await get('k'))]).toEqual(['body', idOf(made)]);
  });

  test('a removed version is gone at once, cached or not, and the one before it is the object', async () => {
    await make('Enabled');
    await put('k', 'one');
    const second = await put('k', 'two');
    for (let i = 0; i < 3; i++) expect((await get('k')).body.toString()).toBe('two');
    expect((await get('k', `?versionId=${idOf(second)}`)).body.toString()).toBe('two');
    const removed = await remove('k', `?versionId=${idOf(second)}`);
    expect([removed.status, removed.headers['x-amz-delete-marker'], idOf(removed)]).toEqual([
      204,
      undefined,
      idOf(second),
    ]);
    expect((await get('k')).body.toString()).toBe('one');
    const absent = await get('k', `?versionId=${idOf(second)}`);
    expect([absent.status, errorOf(absent)]).toEqual([
      404,
      {
        Code: 'NoSuchVersion',
        Message: 'The specified version does not exist.',
        Key: 'k',
        VersionId: idOf(second),
      },
    ]);
  });

  test('what was there before is the null version, and so is what a suspended bucket is given', async () => {
    await make();
    expect(idOf(await put('k', 'before'))).toBe('none');
    expect(idOf(await get('k'))).toBe('none');
    expect((await get('k', '?versionId=null')).body.toString()).toBe('before');
    await set('Enabled');
    expect(idOf(await get('k'))).toBe('null');
    const second = await put('k', 'second');
    expect((await get('k', '?versionId=null')).body.toString()).toBe('before');
    await set('Suspended');
    // S3 names no version in its answer to such a write (S3 API Reference, PutObject).
    expect(idOf(await put('k', 'third'))).toBe('none');
    expect(idOf(await get('k'))).toBe('null');
    expect((await get('k', '?versionId=null')).body.toString()).toBe('third');
    expect(texts(await list(), 'VersionId')).toEqual(['null', idOf(second)]);
    const deleted = await remove('k');
    expect([idOf(deleted), deleted.headers['x-amz-delete-marker']]).toEqual(['null', 'true']);
    expect(texts(await list(), 'VersionId')).toEqual(['null', idOf(second)]);
    expect((await get('k', '?versionId=null')).status).toBe(405);
  });

  test('ids that are none are told from those that no version has', async () => {
    await make('Enabled');
    await put('k', 'body');
    const invalid = {
      Code: 'InvalidArgument',
      Message: 'Invalid version id specified',
      ArgumentName: 'versionId',
      ArgumentValue: 'no-id',
    };
    expect(errorOf(await get('k', '?versionId=no-id'))).toEqual(invalid);
    expect(errorOf(await remove('k', '?versionId=no-id'))).toEqual(invalid);
    expect(errorOf(await get('k', `?versionId=${unknownId}`)).Code).toBe('NoSuchVersion');
    expect((await remove('k', `?versionId=${unknownId}`)).status).toBe(204);
    expect(errorOf(await get('k', '?versionId=null')).Code).toBe('NoSuchVersion');
    expect(errorOf(await get('k', '?versionId=')).Message).toBe('Version id cannot be the empty string');
    expect((await get('k')).body.toString()).toBe('body');
  });

  test('a list of deletions names versions and markers', async () => {
    await make('Enabled');
    const one = idOf(await put('a', 'one'));
    await put('b', 'two');
    const marker = idOf(await remove('c'));
    const body = Buffer.from(
      `<Delete><Object><Key>a</Key><VersionId>${one}</VersionId></Object><Object><Key>b</Key></Object>` +
        `<Object><Key>c</Key><VersionId>${marker}</VersionId></Object><Object><Key>d</Key><VersionId>x</VersionId></Object></Delete>`,
    );
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
    const answer = await send({ method: 'POST', target: `/${bucket}?delete`, body, headers });
    const text = answer.body.toString();
    expect(text).toContain(`<Deleted><Key>a</Key><VersionId>${one}</VersionId></Deleted>`);
    expect(text).toMatch(
      /<Deleted><Key>b<\/Key><DeleteMarker>true<\/DeleteMarker><DeleteMarkerVersionId>[0-9a-f]{32}<\/Delete/,
    );
    expect(text).toContain(
      `<Deleted><Key>c</Key><VersionId>${marker}</VersionId><DeleteMarker>true</DeleteMarker>` +
        `<DeleteMarkerVersionId>${marker}</DeleteMarkerVersionId></Deleted>`,
    );
    expect(text).toContain('<Error><Key>d</Key><VersionId>x</VersionId><Code>NoSuchVersion</Code>');
  });

  test('a version is copied, over its own object too, and a delete marker is not', async () => {
    await make('Enabled');
    const first = idOf(await put('k', 'first', { 'x-amz-meta-name': 'one' }));
    await put('k', 'second');
    const copy = (target: string, source: string) =>
      send({ method: 'PUT', target: `/${bucket}/${target}`, headers: { 'x-amz-copy-source': source } });
    const restored = await copy('k', `${bucket}/k?versionId=${first}`);
    expect([restored.status, restored.headers['x-amz-copy-source-version-id']]).toEqual([200, first]);
    const now = await get('k');
    expect([now.body.toString(), now.headers['x-amz-meta-name'], idOf(now)]).toEqual([
      'first',
      'one',
      idOf(restored),
    ]);
    const marker = idOf(await remove('k'));
    expect(errorOf(await copy('x', `${bucket}/k?versionId=${marker}`))).toEqual({
      Code: 'InvalidRequest',
      Message: 'The source of a copy request may not specifically refer to a delete marker by version id.',
    });
    expect(errorOf(await copy('x', `${bucket}/k`)).Code).toBe('NoSuchKey');
    expect(errorOf(await copy('x', `${bucket}/k?versionId=${unknownId}`)).Code).toBe('NoSuchVersion');
  });

  test('conditions of writes are about the present version, which a marker is not', async () => {
    await make('Enabled');
    const { etag } = (await put('k', 'body')).headers;
    await remove('k');
    expect(errorOf(await put('k', 'x', { 'if-match': etag as string })).Code).toBe('NoSuchKey');
    expect((await put('k', 'again', { 'if-none-match': '*' })).status).toBe(200);
    expect((await put('k', 'again', { 'if-none-match': '*' })).status).toBe(412);
    expect(texts(await list(), 'VersionId')).toHaveLength(3);
  });

  test('a list of versions is written as S3 writes it', async () => {
    await make('Enabled');
    const first = idOf(await put('a%20b', 'one'));
    const marker = idOf(await remove('a%20b'));
    const text = (await list('&encoding-type=url&delimiter=%2F')).body.toString();
    expect(text.replace(/<LastModified>[^<]*</g, '<LastModified>then<')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        `<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name><Prefix></Prefix>` +
        '<KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>' +
        '<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>' +
        `<DeleteMarker><Key>a+b</Key><VersionId>${marker}</VersionId><IsLatest>true</IsLatest>` +
        '<LastModified>then</LastModified><Owner><ID>root</ID><DisplayName>root</DisplayName></Owner></DeleteMarker>' +
        `<Version><Key>a+b</Key><VersionId>${first}</VersionId><IsLatest>false</IsLatest>` +
        '<LastModified>then</LastModified><ETag>&quot;f97c5d29941bfb1b2fdab0874906ab82&quot;</ETag>' +
        '<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>3</Size>' +
        '<Owner><ID>root</ID><DisplayName>root</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Version>' +
        '</ListVersionsResult>',
    );
  });

  test('pages of a list go on with both markers, within one key too', async () => {
    await make('Enabled');
    const ids: string[] = [];
    for (const body of ['1', '2', '3']) ids.unshift(idOf(await put('k', body)));
    const found: string[] = [];
    let query = '&max-keys=1';
    for (;;) {
      const page = await list(query);
      found.push(...texts(page, 'VersionId'));
      if (texts(page, 'IsTruncated')[0] === 'false') break;
      const [key] = texts(page, 'NextKeyMarker');
      const [id] = texts(page, 'NextVersionIdMarker');
      query = `&max-keys=1&key-marker=${key}&version-id-marker=${id}`;
    }
    expect(found).toEqual(ids);
    expect(texts(await list('&key-marker=k'), 'VersionId')).toEqual([]);
    expect(texts(await list('&max-keys=0'), 'IsTruncated')).toEqual(['false']);
    expect(errorOf(await list('&version-id-marker=null'))).toEqual({
      Code: 'InvalidArgument',
      Message: 'A version-id marker cannot be specified without a key marker.',
      ArgumentName: 'version-id-marker',
      ArgumentValue: 'null',
    });
    expect(errorOf(await list('&key-marker=k&version-id-marker=x')).Message).toBe(
      'Invalid version id specified',
    );
  });

  test('a bucket goes when its last version has gone, and not before', async () => {
    await make('Enabled');
    const id = idOf(await put('k', 'body'));
    const marker = idOf(await remove('k'));
    const drop = () => send({ method: 'DELETE', target: `/${bucket}` });
    expect(errorOf(await drop()).Code).toBe('BucketNotEmpty');
    await remove('k', `?versionId=${id}`);
    expect(errorOf(await drop()).Code).toBe('BucketNotEmpty');
    await remove('k', `?versionId=${marker}`);
    expect((await drop()).status).toBe(204);
  });

  test('pages of an older version stay while newer ones are put, and none is ever mixed with another', async () => {
    await make('Enabled');
    const bodies = [1, 2, 3].map((seed) => someBytes(9_000_000, seed));
    const ids: string[] = [];
    for (const body of bodies) ids.push(idOf(await put('k', body)));
    const old = `?versionId=${ids[0]}`;
    expect((await get('k', old)).headers['x-forebay-cache']).toBe('miss');
    await put('k', bodies[1] as Buffer);
    expect((await get('k')).body.equals(bodies[1] as Buffer)).toBe(true);
    const again = await get('k', old);
    expect([again.headers['x-forebay-cache'], again.body.equals(bodies[0] as Buffer)]).toEqual(['hit', true]);
    for (const [i, id] of ids.entries()) {
      const read = await get('k', `?versionId=${id}`, { range: 'bytes=4000000-8999999' });
      expect(read.body.equals((bodies[i] as Buffer).subarray(4_000_000))).toBe(true);
    }
  });

  test('a bucket over storage that keeps no versions refuses to, and lists its objects as null versions', async () => {
    bucket = 'mounted';
    await put('k', 'body');
    expect(errorOf(await set('Enabled')).Code).toBe('NotImplemented');
    expect(texts(await send({ target: '/mounted?versioning' }), 'Status')).toEqual([]);
    expect(texts(await list(), 'VersionId')).toEqual(['null']);
    expect((await get('k', '?versionId=null')).body.toString()).toBe('body');
    expect(errorOf(await get('k', `?versionId=${unknownId}`)).Code).toBe('NoSuchVersion');
    expect(errorOf(await get('k', '?versionId=x')).Code).toBe('InvalidArgument');
    expect((await remove('k', `?versionId=${unknownId}`)).status).toBe(204);
    expect((await get('k')).status).toBe(200);
    expect((await remove('k', '?versionId=null')).status).toBe(204);
    expect((await get('k')).status).toBe(404);
  });
});
