import { beforeEach, describe, expect, test } from '@jest/globals';
import { MapObjectService } from '../support/map-object-service.ts';
import { send } from '../support/send.ts';

let service: MapObjectService;
beforeEach(async () => {
  service = new MapObjectService();
  for (const name of ['logs-b', 'photos', 'logs-a']) await send(service, 'PUT', `/${name}`);
  await service.createBucket({ userName: 'bob', policy: 'admin', accessKeyId: 'B' }, 'bobs' as never);
});

const list = (query = '') => send(service, 'GET', `/${query}`);

describe('ListBuckets', () => {
  test("shows the caller's own, in order", async () => {
    const answer = await list();
    expect(answer.headers['content-type']).toBe('application/xml');
    expect(answer.text).toContain(
      '<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>alice</ID><DisplayName>alice</DisplayName></Owner>',
    );
    expect(answer.elements('Name')).toEqual(['logs-a', 'logs-b', 'photos']);
    expect(answer.element('CreationDate')).toBe('2026-01-02T03:04:05.000Z');
    expect(answer.element('ContinuationToken')).toBeUndefined();
  });

  test('goes page by page', async () => {
    const first = await list('?max-buckets=2');
    expect(first.elements('Name')).toEqual(['logs-a', 'logs-b']);
    const token = first.element('ContinuationToken');
    const second = await list(`?max-buckets=2&continuation-token=${token}`);
    expect(second.elements('Name')).toEqual(['photos']);
    expect(second.element('ContinuationToken')).toBeUndefined();
  });

  test('keeps to a prefix and a region', async () => {
    expect((await list('?prefix=logs-')).elements('Name')).toEqual(['logs-a', 'logs-b']);
    expect((await list('?bucket-region=us-east-1')).elements('Name')).toHaveLength(3);
    expect((await list('?bucket-region=eu-west-1')).elements('Name')).toEqual([]);
  });

  test.each(['?max-buckets=0', '?max-buckets=10001', '?max-buckets=x', '?continuation-token=bad'])(
    '%s is an invalid argument',
    async (query) => {
      expect((await list(query)).element('Code')).toBe('InvalidArgument');
    },
  );
});

describe('CreateBucket', () => {
  const create = (body: string, region: string, headers: Record<string, string> = {}) =>
    send(service, 'PUT', '/fresh', { body, region, headers });
  const located = (place: string) =>
    `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${place}</LocationConstraint></CreateBucketConfiguration>`;

  test('answers where the bucket is', async () => {
    expect(await create('', 'us-east-1')).toMatchObject({
      status: 200,
      headers: { location: '/fresh' },
      text: '',
    });
  });

  test('of a bucket one owns succeeds in us-east-1 alone', async () => {
    await create('', 'us-east-1');
    expect((await create('', 'us-east-1')).status).toBe(200);
    expect((await create('', 'eu-central-1')).element('Code')).toBe('BucketAlreadyOwnedByYou');
  });

  test('takes the region it is in', async () => {
    expect((await create(located('eu-central-1'), 'eu-central-1')).status).toBe(200);
  });

  test.each([
    [located('eu-central-1'), 'us-east-1', 'IllegalLocationConstraintException'],
    [located('nowhere'), 'us-east-1', 'InvalidLocationConstraint'],
    [located('nowhere'), 'eu-west-1', 'IllegalLocationConstraintException'],
    ['<CreateBucketConfiguration>', 'us-east-1', 'MalformedXML'],
    ['<Other/>', 'us-east-1', 'MalformedXML'],
    ['<CreateBucketConfiguration><Nonsense/></CreateBucketConfiguration>', 'us-east-1', 'MalformedXML'],
    [
      '<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>',
      'us-east-1',
      'NotImplemented',
    ],
    ['x'.repeat(70_000), 'us-east-1', 'MaxMessageLengthExceeded'],
  ])('refuses %.60j in %s with %s', async (body, region, code) => {
    expect((await create(body, region)).element('Code')).toBe(code);
    expect((await list('?prefix=fresh')).elements('Name')).toEqual([]);
  });

  test('refuses object lock', async () => {
    const answer = await create('', 'us-east-1', { 'x-amz-bucket-object-lock-enabled': 'true' });
    expect(answer.element('Code')).toBe('NotImplemented');
  });
});
