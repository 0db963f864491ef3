import type { Route, S3Response } from './call.ts';
import { S3Error } from './errors.ts';

/** Method, operation, query keys that name it, IAM action (without `s3:`). */
type Row = readonly [method: string, operation: string, query: readonly string[], action: string];

const bucketRows: readonly Row[] = [
  ['PUT', 'PutBucketAbac', ['abac'], 'PutBucketAbac'],
  ['GET', 'GetBucketAbac', ['abac'], 'GetBucketAbac'],
  ['PUT', 'PutBucketAccelerateConfiguration', ['accelerate'], 'PutAccelerateConfiguration'],
  ['PUT', 'PutBucketAnalyticsConfiguration', ['analytics'], 'PutAnalyticsConfiguration'],
  ['PUT', 'PutBucketEncryption', ['encryption'], 'PutEncryptionConfiguration'],
  [
    'PUT',
    'PutBucketIntelligentTieringConfiguration',
    ['intelligent-tiering'],
    'PutIntelligentTieringConfiguration',
  ],
  ['PUT', 'PutBucketInventoryConfiguration', ['inventory'], 'PutInventoryConfiguration'],
  ['PUT', 'PutBucketLifecycleConfiguration', ['lifecycle'], 'PutLifecycleConfiguration'],
  ['PUT', 'PutBucketLogging', ['logging'], 'PutBucketLogging'],
  [
    'POST',
    'CreateBucketMetadataConfiguration',
    ['metadataConfiguration'],
    'CreateBucketMetadataTableConfiguration',
  ],
  ['GET', 'GetBucketMetadataConfiguration', ['metadataConfiguration'], 'GetBucketMetadataTableConfiguration'],
  [
    'DELETE',
    'DeleteBucketMetadataConfiguration',
    ['metadataConfiguration'],
    'DeleteBucketMetadataTableConfiguration',
  ],
  [
    'POST',
    'CreateBucketMetadataTableConfiguration',
    ['metadataTable'],
    'CreateBucketMetadataTableConfiguration',
  ],
  ['GET', 'GetBucketMetadataTableConfiguration', ['metadataTable'], 'GetBucketMetadataTableConfiguration'],
  [
    'DELETE',
    'DeleteBucketMetadataTableConfiguration',
    ['metadataTable'],
    'DeleteBucketMetadataTableConfiguration',
  ],
  [
    'PUT',
    'UpdateBucketMetadataAnnotationTableConfiguration',
    ['metadataAnnotationTable'],
    'UpdateBucketMetadataAnnotationTableConfiguration',
  ],
  [
    'PUT',
    'UpdateBucketMetadataInventoryTableConfiguration',
    ['metadataInventoryTable'],
    'UpdateBucketMetadataInventoryTableConfiguration',
  ],
  [
    'PUT',
    'UpdateBucketMetadataJournalTableConfiguration',
    ['metadataJournalTable'],
    'UpdateBucketMetadataJournalTableConfiguration',
  ],
  ['PUT', 'PutBucketMetricsConfiguration', ['metrics'], 'PutMetricsConfiguration'],
  ['PUT', 'PutBucketNotificationConfiguration', ['notification'], 'PutBucketNotification'],
  ['PUT', 'PutObjectLockConfiguration', ['object-lock'], 'PutBucketObjectLockConfiguration'],
  ['PUT', 'PutPublicAccessBlock', ['publicAccessBlock'], 'PutBucketPublicAccessBlock'],
  ['PUT', 'PutBucketReplication', ['replication'], 'PutReplicationConfiguration'],
  ['PUT', 'PutBucketRequestPayment', ['requestPayment'], 'PutBucketRequestPayment'],
  ['GET', 'CreateSession', ['session'], 'CreateSession'],
  ['PUT', 'PutBucketWebsite', ['website'], 'PutBucketWebsite'],
  // An upload by an HTML form. Its key is inside the form, so that it is authorised on the bucket.
  ['POST', 'PostObject', [], 'PutObject'],
];

const objectRows: readonly Row[] = [
  ['PUT', 'PutObjectAnnotation', ['annotation'], 'PutObjectAnnotation'],
  ['GET', 'GetObjectAnnotation', ['annotation', 'annotationName'], 'GetObjectAnnotation'],
  ['GET', 'ListObjectAnnotations', ['annotation'], 'ListObjectAnnotations'],
  ['DELETE', 'DeleteObjectAnnotation', ['annotation'], 'DeleteObjectAnnotation'],
  ['PUT', 'UpdateObjectEncryption', ['encryption'], 'UpdateObjectEncryption'],
  ['PUT', 'PutObjectLegalHold', ['legal-hold'], 'PutObjectLegalHold'],
  ['PUT', 'RenameObject', ['renameObject'], 'PutObject'],
  ['POST', 'RestoreObject', ['restore'], 'RestoreObject'],
  ['PUT', 'PutObjectRetention', ['retention'], 'PutObjectRetention'],
  ['POST', 'SelectObjectContent', ['select'], 'GetObject'],
  ['GET', 'GetObjectTorrent', ['torrent'], 'GetObjectTorrent'],
];

async function notImplemented(): Promise<S3Response> {
  throw new S3Error('NotImplemented');
}

function toRoute(scope: 'bucket' | 'object', [method, operation, query, action]: Row): Route {
  return {
    operation,
    method,
    scope,
    ...(query.length > 0 && { query }),
    action: `s3:${action}`,
    writes: method !== 'GET',
    handler: notImplemented,
  };
}

/**
 * The operations that S3 has and Forebay does not offer. They are rows like the others, so that a caller is authenticated and
 * authorised before being told so, and none of them is ever taken for another operation.
 */
export const refusedOperations: readonly Route[] = [
  {
    operation: 'WriteGetObjectResponse',
    method: 'POST',
    scope: 'service',
    header: 'x-amz-request-route',
    writes: true,
    handler: notImplemented,
  },
  ...bucketRows.map((row) => toRoute('bucket', row)),
  ...objectRows.map((row) => toRoute('object', row)),
];
