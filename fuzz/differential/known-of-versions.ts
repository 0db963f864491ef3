import type { KnownDifference } from './known-differences.ts';
import type { Step } from './step.ts';

const asks = (parameter: string) => (step: Step) => (step.query ?? []).some(([name]) => name === parameter);

/** Where moto answers otherwise than S3 about versions and settings of buckets. "API" is the Amazon S3 API Reference. */
export const knownOfVersions: readonly KnownDifference[] = [
  {
    operations: ['DeleteObjects'],
    field: /^xml Deleted\/DeleteMarker/,
    theirs: /^none$/,
    because: 'API, DeleteObjects, DeletedObject: the delete marker that was made, and its version id.',
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
];
