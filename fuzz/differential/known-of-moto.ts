import type { KnownDifference } from './known-differences.ts';
import type { Step } from './step.ts';

const reads = ['GetObject', 'HeadObject'];
const lists = ['ListObjects', 'ListObjectsV2'];
const ofUploads = [
  'UploadPart',
  'UploadPartCopy',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
  'ListParts',
];
const has = (header: string) => (step: Step) => step.headers?.[header] !== undefined;
const asks = (parameter: string) => (step: Step) => (step.query ?? []).some(([name]) => name === parameter);
const isSelfCopy = (step: Step): boolean => {
  const source = step.headers?.['x-amz-copy-source'] ?? '';
  return decodeURIComponent(source).replace(/^\//, '') === `${step.bucket}/${step.key}`;
};

/** Where moto answers otherwise than S3. "API" is the Amazon S3 API Reference. */
export const knownOfMoto: readonly KnownDifference[] = [
  {
    operations: ['CopyObject', 'UploadPartCopy'],
    field: /^header etag$/,
    ours: /^none$/,
    because:
      'API, CopyObject and UploadPartCopy, Response Syntax: the ETag is in the XML; there is no such header.',
  },
  {
    operations: ['CopyObject', 'CompleteMultipartUpload'],
    field: /^xml Checksum/,
    theirs: /^none$/,
    because:
      'API, CopyObject and CompleteMultipartUpload, Response Elements: the checksum of the new object is told, and its type.',
  },
  {
    operations: ['CopyObject'],
    field: /^status$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^404/,
    when: isSelfCopy,
    because: 'API, CopyObject: a copy to itself that changes nothing is not valid (whatever is there).',
  },
  {
    operations: ['UploadPartCopy'],
    field: /^(status|code)$/,
    ours: /(NoSuchKey|NoSuchBucket)$/,
    theirs: /^(404|none)$/,
    because: 'API, Error responses: every error has a code.',
  },
  {
    operations: ['UploadPartCopy'],
    field: /^status$/,
    ours: /^400 Invalid(Argument|Request)$/,
    when: has('x-amz-copy-source-range'),
    because: 'API, UploadPartCopy, x-amz-copy-source-range: first and last byte, within the source.',
  },
  {
    operations: ofUploads,
    field: /^status$/,
    ours: /^404 NoSuchUpload$/,
    theirs: /^(500|200|204|404)/,
    because:
      'API, Error responses, NoSuchUpload: the upload ID might not be valid, or the upload aborted or completed.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^status$/,
    ours: /^400 (MalformedXML|InvalidPart|EntityTooSmall)$/,
    because: 'API, CompleteMultipartUpload, Special errors; MalformedXML where no part is listed.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^status$/,
    ours: /^(404 NoSuchKey|412)/,
    theirs: /^200$/,
    when: has('If-Match'),
    because: 'API, CompleteMultipartUpload, If-Match: 412 if it does not match, 404 if there is no such key.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^code$/,
    ours: /^InvalidPart$/,
    theirs: /^EntityTooSmall$/,
    because:
      'API, CompleteMultipartUpload, Special errors: where one part was not uploaded and another is too small, either is right.',
  },
  {
    operations: ['ListParts'],
    field: /^xml Part\/Checksum/,
    theirs: /^none$/,
    because: 'API, ListParts, Part: the checksum of the part.',
  },
  {
    operations: ['CompleteMultipartUpload'],
    field: /^header x-amz-version-id$/,
    theirs: /^null$/,
    because: 'API, CompleteMultipartUpload, x-amz-version-id: if versioning is enabled.',
  },
  {
    operations: ['DeleteObjectTagging', 'PutObjectTagging'],
    field: /^status$/,
    theirs: /^500/,
    because:
      'API, PutObjectTagging and DeleteObjectTagging: a key that is not there is NoSuchKey; no tags at all is right.',
  },
  {
    operations: ['DeleteObjects'],
    field: /^xml /,
    when: (step) => String(step.body).includes('<Quiet>true'),
    because: 'API, DeleteObjects, Quiet: only errors are told.',
  },
  {
    operations: ['DeleteObjects'],
    field: /^status$/,
    ours: /^400 InvalidRequest$/,
    when: (step) => !has('Content-MD5')(step),
    because: 'API, DeleteObjects, Content-MD5: required, or another checksum.',
  },
  {
    operations: ['ListObjects'],
    field: /^xml (Marker|Prefix|NextMarker)$/,
    because:
      'API, ListObjects, Response Elements: Prefix and Marker are there; NextMarker only with a delimiter, and a key.',
  },
  {
    operations: lists,
    field: /^xml (Prefix|StartAfter|Marker|NextMarker|Delimiter|Contents\/Key|CommonPrefixes\/Prefix)$/,
    when: asks('encoding-type'),
    because:
      'API, ListObjects, EncodingType: Delimiter, Marker, Prefix, NextMarker and Key are encoded; ListObjectsV2 says so of StartAfter too.',
  },
  {
    operations: lists,
    field: /^xml Contents\/Checksum/,
    theirs: /^none$/,
    because: 'API, ListObjectsV2, Contents: the algorithm and type of the checksum are told.',
  },
  {
    operations: ['ListObjectsV2'],
    field: /^xml Contents\/Owner$/,
    when: asks('fetch-owner'),
    because: 'API, ListObjectsV2, fetch-owner: the owner is told if it is true.',
  },
  {
    operations: lists,
    field: /^xml (CommonPrefixes\/Prefix|KeyCount|IsTruncated|Contents\/|Next)/,
    when: (step) =>
      asks('delimiter')(step) && ['marker', 'start-after', 'max-keys'].some((name) => asks(name)(step)),
    because:
      'API, ListObjects, Marker: the list begins behind it, also if it is a common prefix; a common prefix counts as one of MaxKeys.',
  },
  {
    operations: [...lists, 'ListParts'],
    field: /^xml (MaxKeys|MaxParts)$/,
    ours: /^1000$/,
    theirs: /^5000$/,
    because: 'API, ListObjectsV2, max-keys, and ListParts, max-parts: an answer never has more than 1,000.',
  },
  {
    operations: ['ListParts'],
    field: /^xml /,
    when: (step) => asks('max-parts')(step) || asks('part-number-marker')(step),
    because:
      'API, ListParts: pages of max-parts, behind part-number-marker, with IsTruncated and the next marker.',
  },
  {
    operations: ['ListMultipartUploads'],
    field: /^xml (Prefix|(Next)?KeyMarker|(Next)?UploadIdMarker|Delimiter|MaxUploads)$/,
    because: 'API, ListMultipartUploads, Response Syntax: what was asked for is told.',
  },
  {
    operations: ['ListMultipartUploads'],
    field: /^xml Upload\//,
    ours: /^\[/,
    because:
      'API, ListMultipartUploads: sorted by key, the uploads of one key by the time they were initiated.',
  },
  {
    operations: reads,
    field: /^(status|code)$/,
    ours: /^(400|416|InvalidPartNumber|404$|412$)/,
    when: asks('partNumber'),
    because:
      'API, GetObject, partNumber: a whole number from 1 to 10,000; InvalidPartNumber beyond the parts there are.',
  },
  {
    operations: reads,
    field: /^status$/,
    ours: /^200$/,
    theirs: /^206$/,
    when: asks('partNumber'),
    because: 'RFC 9110, 14.4: an empty object has no range that a 206 could name.',
  },
  {
    operations: reads,
    field: /^(status|code)$/,
    when: asks('versionId'),
    because: 'API, GetObject, versionId: of a version that is not there NoSuchVersion, of a key NoSuchKey.',
  },
  {
    operations: reads,
    field: /^status$/,
    when: has('If-Range'),
    because: 'RFC 9110, 13.1.5: the range counts only if If-Range names this version.',
  },
  {
    operations: reads,
    field: /^status$/,
    theirs: /^(200|206|304|412)/,
    when: (step) => Object.keys(step.headers ?? {}).some((name) => name.startsWith('If-')),
    because:
      'API, GetObject: If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since; RFC 9110, 13.2.2.',
  },
  {
    operations: reads,
    field: /^status$/,
    ours: /^416/,
    theirs: /^200$/,
    when: has('Range'),
    because: 'RFC 9110, 15.5.17: no byte of an empty object can be had.',
  },
  {
    operations: ['HeadObject'],
    field: /^header (content-type|content-disposition|cache-control)$/,
    when: (step) => (step.query ?? []).some(([name]) => name.startsWith('response-')),
    because: 'API, HeadObject, URI Request Parameters: response-content-type and its like replace headers.',
  },
  {
    operations: reads,
    field: /^status$/,
    ours: /^200$/,
    when: (step) => step.headers?.Range === 'bytes=4-2',
    because:
      'RFC 9110, 14.1.1 and 14.2: a range whose end lies before its beginning is invalid, and an invalid one is ignored.',
  },
  {
    operations: ['GetObjectTagging'],
    field: /^xml TagSet/,
    because:
      'API, CopyObject, x-amz-tagging-directive: the tags are the source’s, or those that are sent; what was there before has no say.',
  },
  {
    operations: reads,
    field: /^(status|header (content-range|x-amz-mp-parts-count))$/,
    ours: /^(206|bytes 0-|\d+$)/,
    // 500 where the parts that were uploaded do not count from one.
    theirs: /^(200|none|500)$/,
    when: asks('partNumber'),
    because: 'API, GetObject, partNumber: a ranged read of the part, counted from one.',
  },
  {
    operations: reads,
    field: /^header x-amz-tagging-count$/,
    because: 'API, GetObject, x-amz-tagging-count: the number of tags, if there are any.',
  },
  {
    operations: reads,
    field: /^header x-amz-checksum-/,
    theirs: /^none$/,
    because: 'API, GetObject, x-amz-checksum-mode: the checksum is told.',
  },
];
