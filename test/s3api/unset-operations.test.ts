import { beforeEach, describe, expect, test } from '@jest/globals';
import { refusedOperations } from '../../src/s3api/refused-operations.ts';
import { unsetOperations } from '../../src/s3api/unset-operations.ts';
import { bucketWith } from './support/bucket.ts';
import type { MapObjectService } from './support/map-object-service.ts';
import { send } from './support/send.ts';

let service: MapObjectService;

beforeEach(async () => {
  service = await bucketWith();
  await send(service, 'PUT', '/abc/digits', { body: '0123456789' });
});

describe('what was never set', () => {
  test.each([
    ['lifecycle', 'NoSuchLifecycleConfiguration'],
    ['website', 'NoSuchWebsiteConfiguration'],
    ['encryption', 'ServerSideEncryptionConfigurationNotFoundError'],
    ['replication', 'ReplicationConfigurationNotFoundError'],
    ['object-lock', 'ObjectLockConfigurationNotFoundError'],
    ['publicAccessBlock', 'NoSuchPublicAccessBlockConfiguration'],
    ['analytics&id=a', 'NoSuchConfiguration'],
    ['inventory&id=a', 'NoSuchConfiguration'],
    ['metrics&id=a', 'NoSuchConfiguration'],
    ['intelligent-tiering&id=a', 'NoSuchConfiguration'],
  ])('as ?%s is answered with 404 and %s', async (query, code) => {
    const answer = await send(service, 'GET', `/abc?${query}`);
    expect([answer.status, answer.element('Code')]).toEqual([404, code]);
    if (code !== 'NoSuchConfiguration') expect(answer.element('BucketName')).toBe('abc');
  });

  test.each([
    ['accelerate', 'AccelerateConfiguration', ''],
    ['logging', 'BucketLoggingStatus', ''],
    ['notification', 'NotificationConfiguration', ''],
    ['requestPayment', 'RequestPaymentConfiguration', '<Payer>BucketOwner</Payer>'],
    ['analytics', 'ListBucketAnalyticsConfigurationResult', '<IsTruncated>false</IsTruncated>'],
    ['inventory', 'ListInventoryConfigurationsResult', '<IsTruncated>false</IsTruncated>'],
    ['metrics', 'ListMetricsConfigurationsResult', '<IsTruncated>false</IsTruncated>'],
  ])('as ?%s is an empty %s', async (query, root, inside) => {
    const answer = await send(service, 'GET', `/abc?${query}`);
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(
      `<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inside}</${root}>`,
    );
  });

  test('of an object is told to need a configuration of its bucket', async () => {
    for (const query of ['retention', 'legal-hold']) {
      const answer = await send(service, 'GET', `/abc/digits?${query}`);
      expect([answer.status, answer.element('Code'), answer.element('Message')]).toEqual([
        400,
        'InvalidRequest',
        'Bucket is missing Object Lock Configuration',
      ]);
    }
  });

  test.each(['lifecycle', 'website', 'encryption', 'replication', 'publicAccessBlock'])(
    'as ?%s can be deleted, which changes nothing',
    async (query) => {
      expect((await send(service, 'DELETE', `/abc?${query}`)).status).toBe(204);
      expect((await send(service, 'HEAD', '/abc')).status).toBe(200);
    },
  );

  test.each(unsetOperations.map(({ operation, method, scope, query }) => [operation, method, scope, query]))(
    '%s is nothing where there is no bucket',
    async (_, method, scope, query) => {
      const target = scope === 'bucket' ? '/none' : '/none/k';
      const answer = await send(service, String(method), `${target}?${(query as string[]).join('&')}`);
      expect([answer.status, answer.element('Code')]).toEqual([404, 'NoSuchBucket']);
    },
  );
});

test.each(refusedOperations.filter((route) => route.query).map((route) => [route.operation, route] as const))(
  '%s is not offered, and says so',
  async (_, { method, scope, query }) => {
    const target = scope === 'bucket' ? '/abc' : '/abc/digits';
    const answer = await send(service, method, `${target}?${query?.join('&')}`);
    expect([answer.status, answer.element('Code')]).toEqual([501, 'NotImplemented']);
    expect(service.stored('abc', 'digits')).toBeDefined();
  },
);
