import type { KnownDifference } from './known-differences.ts';
import type { Step } from './step.ts';

const asks = (parameter: string) => (step: Step) => (step.query ?? []).some(([name]) => name === parameter);

/** Where moto answers otherwise than S3 about versions and settings of buckets. "API" is the Amazon S3 API Reference. */
export const knownOfVersions: readonly KnownDifference[] = [
  {
    operations: ['GetObjectAcl'],
    field: /^status$/,
    ours: /^200$/,
    theirs: /^500$/,
    because: 'API, GetObjectAcl: the ACL of an object, in whatever parts it was uploaded.',
  },
  {
    operations: ['DeleteObjects'],
    field: /^xml Deleted\/DeleteMarker/,
    ours: /^(\[|true|marker)/,
    parts: true,
    because:
      'API, DeleteObjects, DeletedObject: the delete marker that was made, and its version id, also where there was no such key.',
  },
  {
    operations: ['ListObjectVersions'],
    field: /^xml Version\/Checksum/,
    theirs: /^none$/,
    because: 'API, ListObjectVersions, ObjectVersion: the algorithm and type of the checksum are told.',
  },
  {
    operations: ['GetBucketAcl', 'GetObjectAcl'],
    field: /^xml AccessControlList\/Grant/,
    ours: /WRITE"|AllUsers","http/,
    because: 'User Guide, Canned ACL: public-read-write gives AllUsers READ and WRITE.',
  },
  {
    operations: ['PutBucketPolicy'],
    field: /^status$/,
    ours: /^204$/,
    theirs: /^200$/,
    because: 'API, PutBucketPolicy, Examples, Sample Response: 204 No Content.',
  },
  {
    operations: [
      ...['GetObject', 'HeadObject', 'DeleteObject'],
      ...['GetObjectTagging', 'PutObjectTagging', 'DeleteObjectTagging'],
    ],
    field: /^(status|code)$/,
    ours: /^(400|400 InvalidArgument|InvalidArgument)$/,
    when: asks('versionId'),
    because: 'API, Error responses, InvalidArgument: what is no version id is no argument.',
  },
  {
    operations: [
      ...['GetObject', 'HeadObject', 'CopyObject', 'GetObjectAcl', 'PutObjectAcl'],
      ...['GetObjectTagging', 'PutObjectTagging', 'DeleteObjectTagging'],
    ],
    field: /^header x-amz-version-id$/,
    ours: /^(null|version)/,
    theirs: /^none$/,
    because:
      'API, GetObject, x-amz-version-id; User Guide, Object versions: the id of the null version is null.',
  },
  {
    operations: ['DeleteObject'],
    field: /^header x-amz-(delete-marker|version-id)$/,
    ours: /^(true|version|null)/,
    theirs: /^none$/,
    parts: true,
    because:
      'User Guide, Working with delete markers: a simple DELETE inserts a marker, also where there is no such key.',
  },
  {
    operations: ['DeleteObjects', 'DeleteObject'],
    field: /^status$/,
    ours: /^20[04]$/,
    theirs: /^500/,
    because:
      'API, DeleteObjects and DeleteObject: a server that fails there says nothing of what S3 answers.',
  },
  {
    operations: ['ListObjectVersions'],
    field: /^xml (DeleteMarker\/|IsTruncated)/,
    parts: true,
    because:
      'User Guide, Working with delete markers: one for each key that was deleted, also quietly, and where there was none. Lists of versions have a model of their own.',
  },
  {
    operations: ['GetObjectTagging', 'PutObjectTagging', 'DeleteObjectTagging', 'PutObjectAcl'],
    field: /^(status|code)$/,
    ours: /MethodNotAllowed$/,
    because: 'User Guide, Working with delete markers: 405 for what cannot be done to one.',
  },
  {
    operations: ['GetBucketTagging'],
    field: /^status$/,
    ours: /^404 NoSuchTagSet$/,
    theirs: /^200$/,
    because: 'API, GetBucketTagging, NoSuchTagSet: there is no tag set associated with the bucket.',
  },
  {
    operations: ['DeleteObject'],
    field: /^(status|code)$/,
    ours: /NoSuchVersion$/,
    theirs: /NoSuchKey$/,
    when: asks('versionId'),
    because: 'API, Error responses, NoSuchVersion: the version id does not match an existing version.',
  },
];
