import type { Call, Operation, Route, S3Response } from './call.ts';
import { S3Error, type S3ErrorCode } from './errors.ts';
import { bucketOf } from './request.ts';
import { rootElement, textElement, xmlResponse } from './xml.ts';

/**
 * What can be asked of a bucket or an object and can never have been set here, since setting it is not offered: each is answered as S3
 * answers where it is not set (S3 API Reference, the operation's own page), and taking it away changes nothing.
 */
type Answer = (bucket: string) => S3Response;

const empty =
  (root: string, ...children: readonly string[]): Answer =>
  () =>
    xmlResponse(rootElement(root, children));

const none =
  (code: S3ErrorCode): Answer =>
  (bucket) => {
    throw new S3Error(code, { extra: { BucketName: bucket } });
  };

const noSuchConfiguration: Answer = () => {
  throw new S3Error('NoSuchConfiguration');
};

const withoutLock: Answer = () => {
  throw new S3Error('InvalidRequest', { message: 'Bucket is missing Object Lock Configuration' });
};

const removed: Answer = () => ({ status: 204, headers: {} });

const whole = textElement('IsTruncated', false);

/** Operation, query keys that name it, IAM action (without `s3:`), answer. */
type Row = readonly [operation: string, query: readonly string[], action: string, answer: Answer];

const bucketReads: readonly Row[] = [
  [
    'GetBucketAccelerateConfiguration',
    ['accelerate'],
    'GetAccelerateConfiguration',
    empty('AccelerateConfiguration'),
  ],
  ['GetBucketAnalyticsConfiguration', ['analytics', 'id'], 'GetAnalyticsConfiguration', noSuchConfiguration],
  [
    'ListBucketAnalyticsConfigurations',
    ['analytics'],
    'GetAnalyticsConfiguration',
    empty('ListBucketAnalyticsConfigurationResult', whole),
  ],
  [
    'GetBucketEncryption',
    ['encryption'],
    'GetEncryptionConfiguration',
    none('ServerSideEncryptionConfigurationNotFoundError'),
  ],
  [
    'GetBucketIntelligentTieringConfiguration',
    ['intelligent-tiering', 'id'],
    'GetIntelligentTieringConfiguration',
    noSuchConfiguration,
  ],
  [
    'ListBucketIntelligentTieringConfigurations',
    ['intelligent-tiering'],
    'GetIntelligentTieringConfiguration',
    empty('ListBucketIntelligentTieringConfigurationsOutput', whole),
  ],
  ['GetBucketInventoryConfiguration', ['inventory', 'id'], 'GetInventoryConfiguration', noSuchConfiguration],
  [
    'ListBucketInventoryConfigurations',
    ['inventory'],
    'GetInventoryConfiguration',
    empty('ListInventoryConfigurationsResult', whole),
  ],
  [
    'GetBucketLifecycleConfiguration',
    ['lifecycle'],
    'GetLifecycleConfiguration',
    none('NoSuchLifecycleConfiguration'),
  ],
  ['GetBucketLogging', ['logging'], 'GetBucketLogging', empty('BucketLoggingStatus')],
  ['GetBucketMetricsConfiguration', ['metrics', 'id'], 'GetMetricsConfiguration', noSuchConfiguration],
  [
    'ListBucketMetricsConfigurations',
    ['metrics'],
    'GetMetricsConfiguration',
    empty('ListMetricsConfigurationsResult', whole),
  ],
  [
    'GetBucketNotificationConfiguration',
    ['notification'],
    'GetBucketNotification',
    empty('NotificationConfiguration'),
  ],
  [
    'GetObjectLockConfiguration',
    ['object-lock'],
    'GetBucketObjectLockConfiguration',
    none('ObjectLockConfigurationNotFoundError'),
  ],
  [
    'GetPublicAccessBlock',
    ['publicAccessBlock'],
    'GetBucketPublicAccessBlock',
    none('NoSuchPublicAccessBlockConfiguration'),
  ],
  [
    'GetBucketReplication',
    ['replication'],
    'GetReplicationConfiguration',
    none('ReplicationConfigurationNotFoundError'),
  ],
  [
    'GetBucketRequestPayment',
    ['requestPayment'],
    'GetBucketRequestPayment',
    empty('RequestPaymentConfiguration', textElement('Payer', 'BucketOwner')),
  ],
  ['GetBucketWebsite', ['website'], 'GetBucketWebsite', none('NoSuchWebsiteConfiguration')],
];

const bucketRemovals: readonly Row[] = [
  ['DeleteBucketAnalyticsConfiguration', ['analytics'], 'PutAnalyticsConfiguration', noSuchConfiguration],
  ['DeleteBucketEncryption', ['encryption'], 'PutEncryptionConfiguration', removed],
  [
    'DeleteBucketIntelligentTieringConfiguration',
    ['intelligent-tiering'],
    'PutIntelligentTieringConfiguration',
    noSuchConfiguration,
  ],
  ['DeleteBucketInventoryConfiguration', ['inventory'], 'PutInventoryConfiguration', noSuchConfiguration],
  ['DeleteBucketLifecycle', ['lifecycle'], 'PutLifecycleConfiguration', removed],
  ['DeleteBucketMetricsConfiguration', ['metrics'], 'PutMetricsConfiguration', noSuchConfiguration],
  ['DeletePublicAccessBlock', ['publicAccessBlock'], 'PutBucketPublicAccessBlock', removed],
  ['DeleteBucketReplication', ['replication'], 'PutReplicationConfiguration', removed],
  ['DeleteBucketWebsite', ['website'], 'DeleteBucketWebsite', removed],
];

const objectReads: readonly Row[] = [
  ['GetObjectLegalHold', ['legal-hold'], 'GetObjectLegalHold', withoutLock],
  ['GetObjectRetention', ['retention'], 'GetObjectRetention', withoutLock],
];

/** A bucket that is not there has nothing unset. */
function answering(answer: Answer): Operation {
  return async ({ request, service }: Call) => {
    const { name } = await service.getBucket(bucketOf(request));
    return answer(name);
  };
}

function toRoute(scope: 'bucket' | 'object', method: string, [operation, query, action, answer]: Row): Route {
  const handler = answering(answer);
  return { operation, method, scope, query, action: `s3:${action}`, writes: method !== 'GET', handler };
}

export const unsetOperations: readonly Route[] = [
  ...bucketReads.map((row) => toRoute('bucket', 'GET', row)),
  ...bucketRemovals.map((row) => toRoute('bucket', 'DELETE', row)),
  ...objectReads.map((row) => toRoute('object', 'GET', row)),
];
