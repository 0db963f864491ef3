import type { KnownDifference } from './known-differences.ts';
import type { Step } from './step.ts';

const reads = ['GetObject', 'HeadObject'];
const lists = ['ListObjects', 'ListObjectsV2'];
const asks = (parameter: string) => (step: Step) => (step.query ?? []).some(([name]) => name === parameter);

/** Where S3Proxy answers otherwise than S3. "API" is the Amazon S3 API Reference. */
export const knownOfS3Proxy: readonly KnownDifference[] = [
  {
    operations: reads,
    field: /^header accept-ranges$/,
    theirs: /^none$/,
    because: 'API, GetObject, Response Syntax: accept-ranges.',
  },
  {
    operations: reads,
    field: /^header x-amz-storage-class$/,
    ours: /^none$/,
    theirs: /^STANDARD$/,
    because: 'API, GetObject, x-amz-storage-class: for all classes but STANDARD.',
  },
  {
    operations: ['GetObject'],
    field: /^status$/,
    theirs: /^416/,
    when: (step) => step.headers?.Range === 'bytes=4-2',
    because:
      'RFC 9110, 14.1.1: a range whose end lies before its beginning is invalid, and an invalid one is ignored (14.2).',
  },
  {
    operations: ['GetObject'],
    field: /^status$/,
    ours: /^(304|412|404)/,
    theirs: /^416/,
    because: 'RFC 9110, 13.2.2: conditions come before the range.',
  },
  {
    operations: reads,
    field: /^header x-amz-checksum-/,
    theirs: /^none$/,
    because: 'API, GetObject, x-amz-checksum-mode: the checksum is told.',
  },
  {
    operations: ['CopyObject', 'UploadPart', 'ListParts', 'CompleteMultipartUpload'],
    field: /^xml (Part\/)?Checksum/,
    theirs: /^none$/,
    because: 'API, CopyObject and ListParts, Response Elements: checksums are told.',
  },
  {
    operations: lists,
    field: /^xml Contents\/Checksum/,
    theirs: /^none$/,
    because: 'API, ListObjectsV2, Contents: the algorithm and type of the checksum are told.',
  },
  {
    operations: lists,
    field: /^xml (Prefix|StartAfter|Marker|NextMarker|Delimiter|Contents\/Key|CommonPrefixes\/Prefix)$/,
    when: asks('encoding-type'),
    because:
      'API, ListObjectsV2, EncodingType: test_file(3).png appears as test_file%283%29.png; a space is a plus.',
  },
  {
    operations: lists,
    field: /^status$/,
    ours: /^200$/,
    theirs: /^400 InvalidRequest$/,
    when: asks('delimiter'),
    because: 'API, ListObjectsV2, delimiter: one character or several.',
  },
  {
    operations: ['ListObjectsV2'],
    field: /^xml (ContinuationToken|StartAfter)$/,
    ours: /^none$/,
    because: 'API, ListObjectsV2, Response Elements: they are there if they were sent.',
  },
  {
    operations: ['ListMultipartUploads'],
    field: /^xml (Delimiter|Prefix|NextKeyMarker|NextUploadIdMarker)$/,
    theirs: /^$/,
    because:
      'API, ListMultipartUploads, Response Elements: markers of the next page are there if there is one, the delimiter if it was sent.',
  },
  {
    operations: ['ListParts', 'UploadPart', 'UploadPartCopy', 'AbortMultipartUpload'],
    field: /^status$/,
    ours: /^404 NoSuchUpload$/,
    theirs: /^(200|204|501)/,
    because:
      'API, Error responses, NoSuchUpload: the upload ID might not be valid, or the upload aborted or completed.',
  },
  {
    operations: ['ListParts'],
    field: /^xml NextPartNumberMarker$/,
    theirs: /^0$/,
    because: 'API, ListParts, NextPartNumberMarker: the last part of the list.',
  },
  {
    operations: ['UploadPartCopy'],
    field: /^status$/,
    ours: /^400 Invalid(Argument|Request)$/,
    when: (step) => step.headers?.['x-amz-copy-source-range'] !== undefined,
    because: 'API, UploadPartCopy, x-amz-copy-source-range: first and last byte, within the source.',
  },
  {
    operations: ['ListMultipartUploads'],
    field: /^xml Upload\/UploadId$/,
    ours: /^\[/,
    because: 'API, ListMultipartUploads: the uploads of one key are sorted by the time they were initiated.',
  },
  {
    operations: ['UploadPartCopy'],
    field: /^status$/,
    ours: /^412/,
    theirs: /^416/,
    because: 'RFC 9110, 13.2.2: conditions come before the range.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^status$/,
    ours: /^400 MalformedXML$/,
    theirs: /^(404|400 MalformedXML)/,
    because: 'API, CompleteMultipartUpload: MalformedXML where no part is listed.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^(status|code)$/,
    ours: /InvalidPartOrder$/,
    because: 'API, CompleteMultipartUpload, InvalidPartOrder: the list of parts was not in ascending order.',
  },
  {
    operations: ['CreateBucket'],
    field: /^status$/,
    ours: /^200$/,
    theirs: /^409 BucketAlreadyOwnedByYou$/,
    because:
      'API, CreateBucket, BucketAlreadyOwnedByYou: in us-east-1 a bucket of one’s own is answered 200.',
  },
  {
    operations: ['DeleteBucket'],
    field: /^status$/,
    ours: /^204$/,
    theirs: /^409 BucketNotEmpty$/,
    because: 'API, DeleteBucket: objects must be gone; unfinished uploads go with it.',
  },
  {
    operations: ['DeleteObjects', 'GetBucketLocation'],
    field: /^status$/,
    ours: /^404 NoSuchBucket$/,
    theirs: /^200$/,
    because: 'API, Error responses: NoSuchBucket.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^(status|code)$/,
    ours: /InvalidPart$/,
    theirs: /(EntityTooSmall|NoSuchUpload)$/,
    because:
      'API, CompleteMultipartUpload: InvalidPart for a part that was not uploaded or whose ETag is another.',
  },
  {
    operations: ['CopyObject', 'UploadPartCopy'],
    field: /^(status|code)$/,
    ours: /NoSuchBucket$/,
    theirs: /(NoSuchKey|PreconditionFailed)$/,
    because:
      'API, Error responses: where the target has no bucket and the source is not as it must be, either is right.',
  },
  {
    operations: ['DeleteObject'],
    field: /^status$/,
    ours: /^404 NoSuchBucket$/,
    theirs: /^204$/,
    because: 'API, Error responses: NoSuchBucket.',
  },
  {
    operations: reads,
    field: /^header (content-type|expires)$/,
    theirs: /^(none|text\/html;charset=utf-8)$/,
    because: 'API, PutObject, Content-Type and Expires: they are kept as they were sent.',
  },
  {
    operations: reads,
    field: /^header etag$/,
    theirs: /^none$/,
    when: (step) => step.method === 'HEAD',
    because: 'RFC 9110, 15.4.5: a 304 has the ETag that a 200 would have.',
  },
  {
    operations: reads,
    field: /^status$/,
    theirs: /^(304|412)/,
    when: (step) => Object.keys(step.headers ?? {}).filter((name) => name.startsWith('If-')).length > 1,
    because:
      'API, GetObject: If-Match goes before If-Unmodified-Since, and both before If-None-Match; RFC 9110, 13.2.2.',
  },
  {
    operations: lists,
    field: /^xml (Contents|CommonPrefixes|KeyCount|IsTruncated|Next)/,
    when: asks('max-keys'),
    because: 'API, ListObjectsV2, max-keys: fewer may come, never more; NextMarker only with a delimiter.',
  },
  {
    operations: ['PutObject'],
    field: /^(status|code)$/,
    ours: /PreconditionFailed$/,
    theirs: /BadDigest$/,
    because: 'User Guide, Conditional writes; API, Error responses: where both are wrong, either is right.',
  },
];
