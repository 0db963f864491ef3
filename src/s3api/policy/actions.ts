import { matchesWildcard } from './wildcard.ts';

/** What an action is done to. */
export type ActionScope = 'bucket' | 'object';

/**
 * The actions that a bucket's policy may speak of, without `s3:`. Source: Service Authorization Reference, "Actions, resources, and
 * condition keys for Amazon S3".
 */
const bucketActions = [
  'CreateBucket',
  'CreateBucketMetadataTableConfiguration',
  'CreateSession',
  'DeleteBucket',
  'DeleteBucketMetadataTableConfiguration',
  'DeleteBucketPolicy',
  'DeleteBucketWebsite',
  'GetAccelerateConfiguration',
  'GetAnalyticsConfiguration',
  'GetBucketAbac',
  'GetBucketAcl',
  'GetBucketCORS',
  'GetBucketLocation',
  'GetBucketLogging',
  'GetBucketMetadataTableConfiguration',
  'GetBucketNotification',
  'GetBucketObjectLockConfiguration',
  'GetBucketOwnershipControls',
  'GetBucketPolicy',
  'GetBucketPolicyStatus',
  'GetBucketPublicAccessBlock',
  'GetBucketRequestPayment',
  'GetBucketTagging',
  'GetBucketVersioning',
  'GetBucketWebsite',
  'GetEncryptionConfiguration',
  'GetIntelligentTieringConfiguration',
  'GetInventoryConfiguration',
  'GetLifecycleConfiguration',
  'GetMetricsConfiguration',
  'GetReplicationConfiguration',
  'ListBucket',
  'ListBucketMultipartUploads',
  'ListBucketVersions',
  'PutAccelerateConfiguration',
  'PutAnalyticsConfiguration',
  'PutBucketAbac',
  'PutBucketAcl',
  'PutBucketCORS',
  'PutBucketLogging',
  'PutBucketNotification',
  'PutBucketObjectLockConfiguration',
  'PutBucketOwnershipControls',
  'PutBucketPolicy',
  'PutBucketPublicAccessBlock',
  'PutBucketRequestPayment',
  'PutBucketTagging',
  'PutBucketVersioning',
  'PutBucketWebsite',
  'PutEncryptionConfiguration',
  'PutIntelligentTieringConfiguration',
  'PutInventoryConfiguration',
  'PutLifecycleConfiguration',
  'PutMetricsConfiguration',
  'PutReplicationConfiguration',
  'UpdateBucketMetadataAnnotationTableConfiguration',
  'UpdateBucketMetadataInventoryTableConfiguration',
  'UpdateBucketMetadataJournalTableConfiguration',
] as const;

const objectActions = [
  'AbortMultipartUpload',
  'BypassGovernanceRetention',
  'DeleteObject',
  'DeleteObjectAnnotation',
  'DeleteObjectTagging',
  'DeleteObjectVersion',
  'DeleteObjectVersionTagging',
  'GetObject',
  'GetObjectAcl',
  'GetObjectAnnotation',
  'GetObjectAttributes',
  'GetObjectLegalHold',
  'GetObjectRetention',
  'GetObjectTagging',
  'GetObjectTorrent',
  'GetObjectVersion',
  'GetObjectVersionAcl',
  'GetObjectVersionAttributes',
  'GetObjectVersionForReplication',
  'GetObjectVersionTagging',
  'GetObjectVersionTorrent',
  'ListMultipartUploadParts',
  'ListObjectAnnotations',
  'ObjectOwnerOverrideToBucketOwner',
  'PutObject',
  'PutObjectAcl',
  'PutObjectAnnotation',
  'PutObjectLegalHold',
  'PutObjectRetention',
  'PutObjectTagging',
  'PutObjectVersionAcl',
  'PutObjectVersionTagging',
  'ReplicateDelete',
  'ReplicateObject',
  'ReplicateTags',
  'RestoreObject',
  'UpdateObjectEncryption',
] as const;

/** By name in lower case, `s3:` included. */
const scopes: ReadonlyMap<string, ActionScope> = new Map([
  ...bucketActions.map((name) => [`s3:${name.toLowerCase()}`, 'bucket'] as const),
  ...objectActions.map((name) => [`s3:${name.toLowerCase()}`, 'object'] as const),
]);

/** The action as it is written, in whichever letters it is given; undefined where S3 has none of that name. */
export function actionNamed(action: string): string | undefined {
  const lower = action.toLowerCase();
  const name = [...bucketActions, ...objectActions, 'ListAllMyBuckets'].find(
    (one) => `s3:${one.toLowerCase()}` === lower,
  );
  return name && `s3:${name}`;
}

/** Undefined for an action that S3 does not have. */
export function scopeOfAction(action: string): ActionScope | undefined {
  return scopes.get(action.toLowerCase());
}

/** The actions that a pattern such as `s3:Get*` names, in lower case. Letters count alike in either case. */
export function actionsOfPattern(pattern: string): readonly string[] {
  const lower = pattern.toLowerCase();
  return [...scopes.keys()].filter((action) => matchesWildcard(lower, action));
}
