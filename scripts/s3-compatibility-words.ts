import type { Route } from '../src/s3api/call.ts';
import type { BackendCapabilities } from '../src/ufs/backend.ts';

type Capability = keyof BackendCapabilities;

/** What a capability means to a client, and what a storage without it does not do. */
export const capabilityMeanings: Readonly<
  Record<Capability, { readonly means: string; readonly lacking: string }>
> = {
  conditionalCreate: { means: 'PutObject with `If-None-Match: *`', lacking: 'no such condition' },
  conditionalPut: { means: 'PutObject with `If-Match`', lacking: 'no such condition' },
  conditionalCompleteCreate: {
    means: 'CompleteMultipartUpload with `If-None-Match: *`',
    lacking: 'no such condition',
  },
  conditionalComplete: { means: 'CompleteMultipartUpload with `If-Match`', lacking: 'no such condition' },
  conditionalCopy: {
    means: 'CopyObject with `If-Match` or `If-None-Match: *`',
    lacking: 'no such condition',
  },
  conditionalDelete: { means: 'DeleteObject with `If-Match`', lacking: 'no such condition' },
  multipart: { means: 'multipart uploads', lacking: 'it takes no uploads in parts' },
  serverSideCopy: {
    means: 'copies without their bytes passing through Forebay',
    lacking: 'bytes pass through',
  },
  exclusive: {
    means: 'nothing but Forebay changes what is stored, so that nothing is asked of it twice',
    lacking: 'others may change it',
  },
  objectAcls: { means: 'ACLs of objects', lacking: 'it keeps no ACLs' },
  stamps: {
    means: 'notes of Forebay’s own beside an object, which write mode `back` needs',
    lacking: 'no write mode `back`',
  },
  uploadStamps: {
    means: 'the same beside an object that came in parts, so that write mode `back` takes those too',
    lacking: 'parts go to it at once under write mode `back`',
  },
  tagging: { means: 'tags of objects', lacking: 'it keeps no tags' },
  anyKey: {
    means: 'keys of any form; otherwise those that the storage has no name for are refused',
    lacking: 'not every key',
  },
  versions: {
    means: 'versions of objects, asked for by their ids',
    lacking: 'it keeps no versions: each object is its null version',
  },
  versioning: { means: 'versioning switched on and off', lacking: 'its own operator decides about versions' },
};

/** The capability that an operation needs of the storage, `gateway` where Forebay answers by itself, undefined where any storage will do. */
export function neededBy({ scope, query = [], operation }: Route): Capability | 'gateway' | undefined {
  if (scope === 'service') return 'gateway';
  if (query.includes('uploads') || query.includes('uploadId')) return 'multipart';
  if (operation === 'PutObjectAcl') return 'objectAcls';
  if (scope === 'object') return query.includes('tagging') ? 'tagging' : undefined;
  if (operation.startsWith('ListObject') || operation === 'DeleteObjects') return undefined;
  return operation === 'PutBucketVersioning' ? 'versioning' : 'gateway';
}

const reasons: Readonly<Record<string, string>> = {
  abac: 'policies by attributes are not evaluated',
  accelerate: 'there are no edge locations',
  analytics: 'no analyses are made',
  annotation: 'nothing is kept with an object beyond metadata and tags',
  encryption: 'what encrypts is the storage below',
  'intelligent-tiering': 'there are no storage tiers',
  inventory: 'no inventories are written',
  'legal-hold': 'no object is locked',
  lifecycle: 'nothing expires by itself',
  logging: 'access is logged by the node, as JSON on stderr',
  metadataAnnotationTable: 'there are no metadata tables',
  metadataConfiguration: 'there are no metadata tables',
  metadataInventoryTable: 'there are no metadata tables',
  metadataJournalTable: 'there are no metadata tables',
  metadataTable: 'there are no metadata tables',
  metrics: 'metrics are Prometheus’s, on the admin port',
  notification: 'nobody is notified',
  'object-lock': 'no object is locked',
  publicAccessBlock: 'what is public is decided by ACLs and policies alone',
  renameObject: 'only directory buckets of S3 have it',
  replication: 'buckets are not replicated',
  requestPayment: 'nobody pays',
  restore: 'nothing is archived',
  retention: 'no object is locked',
  select: 'contents are not queried',
  session: 'only directory buckets of S3 have it',
  torrent: 'S3 has given it up',
  website: 'no websites are served',
};

/** Why an operation is not offered. */
export function whyNot({ query = [], operation }: Route): string {
  const reason = query.map((key) => reasons[key]).find((text) => text !== undefined);
  if (reason !== undefined) return reason;
  if (operation === 'PostObject') return 'forms of web pages are not taken';
  if (operation === 'WriteGetObjectResponse') return 'there are no functions between reader and object';
  return 'not offered';
}

/** Known, on purpose, and with what S3 does instead. */
export const differences: readonly string[] = [
  'There is one region. `CreateBucket` without a `LocationConstraint`, or with the region’s own name, is in it; S3 refuses the former outside us-east-1 (`IllegalLocationConstraintException`) and the latter in us-east-1 (`InvalidLocationConstraint`).',
  '`CompleteMultipartUpload` with a checksum of the whole object and without `x-amz-checksum-type` succeeds where the checksum is right; S3 takes it for one of the parts and answers `BadDigest`.',
  'The parts of an upload that was created without `x-amz-checksum-algorithm` may be named with the checksums that they came with. S3 answers `InvalidPart`.',
  'A conditional `CompleteMultipartUpload` is judged by the object that is there when it ends. S3 may answer `409 ConditionalRequestConflict` where another operation on the key came meanwhile; here that is always `412`, or `404`.',
  '`If-Match: *` asks of PutObject, CopyObject and CompleteMultipartUpload that there be an object, as it does of DeleteObject (RFC 9110, 13.1.1). S3 documents it of deletions alone.',
  'What an `s3://`, `gs://` or `hdfs://` mount was not tried for when it was added, by an older release, is answered with `501 NotImplemented`. `forebay mount check` says so; the mount is to be removed and added again.',
  'Over `gs://` an object that others composed has the ETag `gcs-GENERATION`, since Cloud Storage knows no MD5 of it; an object that others wrote has the checksum that Cloud Storage computes of each, CRC32C. Metadata and tags together take at most 8 KiB (`400 MetadataTooLarge`). Storage classes are Cloud Storage’s nearest (`docs/mounts.md`).',
  'Over `hdfs://` nothing compares what is there before it replaces or deletes it, so that `If-Match` is answered with `501 NotImplemented`, and so is any condition of `CopyObject`; `If-None-Match: *` is decided by the rename that makes an object. Keys are paths (`docs/keys.md`). Metadata and tags together take at most 16 KiB (`400 MetadataTooLarge`).',
  '`GetBucketEncryption` answers `ServerSideEncryptionConfigurationNotFoundError`, and `x-amz-server-side-encryption` is refused: Forebay encrypts nothing itself. S3 encrypts every object with keys of its own.',
  'Metadata comes back byte for byte as it was given. S3 reads encoded words (RFC 2047) and gives back those in plain text that hold only US-ASCII.',
  'An owner has the user’s name for `ID` and for `DisplayName`.',
];
