import type { Route } from './call.ts';
import { abortMultipartUpload } from './operations/abort-multipart-upload.ts';
import { completeMultipartUpload } from './operations/complete-multipart-upload.ts';
import { copyObject } from './operations/copy-object.ts';
import { createBucket } from './operations/create-bucket.ts';
import { createMultipartUpload } from './operations/create-multipart-upload.ts';
import { deleteBucket } from './operations/delete-bucket.ts';
import { deleteBucketTagging } from './operations/delete-bucket-tagging.ts';
import { deleteObject } from './operations/delete-object.ts';
import { deleteObjectTagging } from './operations/delete-object-tagging.ts';
import { deleteObjects } from './operations/delete-objects.ts';
import { getBucketLocation } from './operations/get-bucket-location.ts';
import { getBucketTagging } from './operations/get-bucket-tagging.ts';
import { getBucketVersioning } from './operations/get-bucket-versioning.ts';
import { getObject } from './operations/get-object.ts';
import { getObjectAttributes } from './operations/get-object-attributes.ts';
import { getObjectTagging } from './operations/get-object-tagging.ts';
import { headBucket } from './operations/head-bucket.ts';
import { headObject } from './operations/head-object.ts';
import { listBuckets } from './operations/list-buckets.ts';
import { listMultipartUploads } from './operations/list-multipart-uploads.ts';
import { listObjectVersions } from './operations/list-object-versions.ts';
import { listObjects } from './operations/list-objects.ts';
import { listObjectsV2 } from './operations/list-objects-v2.ts';
import { listParts } from './operations/list-parts.ts';
import { putBucketTagging } from './operations/put-bucket-tagging.ts';
import { putBucketVersioning } from './operations/put-bucket-versioning.ts';
import { putObject } from './operations/put-object.ts';
import { putObjectTagging } from './operations/put-object-tagging.ts';
import { uploadPart } from './operations/upload-part.ts';
import { uploadPartCopy } from './operations/upload-part-copy.ts';

/** The operations that are offered, a row each. IAM actions as in the Service Authorization Reference, "Amazon S3". */
export const offeredOperations: readonly Route[] = [
  {
    operation: 'ListBuckets',
    method: 'GET',
    scope: 'service',
    writes: false,
    handler: listBuckets,
  },
  {
    operation: 'CreateBucket',
    method: 'PUT',
    scope: 'bucket',
    action: 's3:CreateBucket',
    writes: true,
    handler: createBucket,
  },
  {
    operation: 'HeadBucket',
    method: 'HEAD',
    scope: 'bucket',
    action: 's3:ListBucket',
    writes: false,
    handler: headBucket,
  },
  {
    operation: 'DeleteBucket',
    method: 'DELETE',
    scope: 'bucket',
    action: 's3:DeleteBucket',
    writes: true,
    handler: deleteBucket,
  },
  {
    operation: 'GetBucketLocation',
    method: 'GET',
    scope: 'bucket',
    query: ['location'],
    action: 's3:GetBucketLocation',
    writes: false,
    handler: getBucketLocation,
  },
  {
    operation: 'GetBucketVersioning',
    method: 'GET',
    scope: 'bucket',
    query: ['versioning'],
    action: 's3:GetBucketVersioning',
    writes: false,
    handler: getBucketVersioning,
  },
  {
    operation: 'PutBucketVersioning',
    method: 'PUT',
    scope: 'bucket',
    query: ['versioning'],
    action: 's3:PutBucketVersioning',
    writes: true,
    handler: putBucketVersioning,
  },
  {
    operation: 'ListObjectVersions',
    method: 'GET',
    scope: 'bucket',
    query: ['versions'],
    action: 's3:ListBucketVersions',
    writes: false,
    handler: listObjectVersions,
  },
  {
    operation: 'ListObjects',
    method: 'GET',
    scope: 'bucket',
    action: 's3:ListBucket',
    writes: false,
    handler: listObjects,
  },
  {
    operation: 'ListObjectsV2',
    method: 'GET',
    scope: 'bucket',
    query: ['list-type'],
    action: 's3:ListBucket',
    writes: false,
    handler: listObjectsV2,
  },
  {
    operation: 'GetObject',
    method: 'GET',
    scope: 'object',
    action: 's3:GetObject',
    writes: false,
    handler: getObject,
  },
  {
    operation: 'GetObjectAttributes',
    method: 'GET',
    scope: 'object',
    query: ['attributes'],
    action: 's3:GetObjectAttributes',
    writes: false,
    handler: getObjectAttributes,
  },
  {
    operation: 'HeadObject',
    method: 'HEAD',
    scope: 'object',
    action: 's3:GetObject',
    writes: false,
    handler: headObject,
  },
  {
    operation: 'PutObject',
    method: 'PUT',
    scope: 'object',
    action: 's3:PutObject',
    writes: true,
    handler: putObject,
  },
  {
    operation: 'DeleteObject',
    method: 'DELETE',
    scope: 'object',
    action: 's3:DeleteObject',
    writes: true,
    handler: deleteObject,
  },
  {
    operation: 'DeleteObjects',
    method: 'POST',
    scope: 'bucket',
    query: ['delete'],
    action: 's3:DeleteObject',
    asksOfBody: 'keys',
    writes: true,
    handler: deleteObjects,
  },
  {
    operation: 'CopyObject',
    method: 'PUT',
    scope: 'object',
    header: 'x-amz-copy-source',
    action: 's3:PutObject',
    writes: true,
    handler: copyObject,
  },
  {
    operation: 'CreateMultipartUpload',
    method: 'POST',
    scope: 'object',
    query: ['uploads'],
    action: 's3:PutObject',
    writes: true,
    handler: createMultipartUpload,
  },
  {
    operation: 'UploadPart',
    method: 'PUT',
    scope: 'object',
    query: ['partNumber', 'uploadId'],
    action: 's3:PutObject',
    writes: true,
    handler: uploadPart,
  },
  {
    operation: 'UploadPartCopy',
    method: 'PUT',
    scope: 'object',
    query: ['partNumber', 'uploadId'],
    header: 'x-amz-copy-source',
    action: 's3:PutObject',
    writes: true,
    handler: uploadPartCopy,
  },
  {
    operation: 'CompleteMultipartUpload',
    method: 'POST',
    scope: 'object',
    query: ['uploadId'],
    action: 's3:PutObject',
    writes: true,
    handler: completeMultipartUpload,
  },
  {
    operation: 'AbortMultipartUpload',
    method: 'DELETE',
    scope: 'object',
    query: ['uploadId'],
    action: 's3:AbortMultipartUpload',
    writes: true,
    handler: abortMultipartUpload,
  },
  {
    operation: 'ListParts',
    method: 'GET',
    scope: 'object',
    query: ['uploadId'],
    action: 's3:ListMultipartUploadParts',
    writes: false,
    handler: listParts,
  },
  {
    operation: 'ListMultipartUploads',
    method: 'GET',
    scope: 'bucket',
    query: ['uploads'],
    action: 's3:ListBucketMultipartUploads',
    writes: false,
    handler: listMultipartUploads,
  },
  {
    operation: 'GetObjectTagging',
    method: 'GET',
    scope: 'object',
    query: ['tagging'],
    action: 's3:GetObjectTagging',
    writes: false,
    handler: getObjectTagging,
  },
  {
    operation: 'PutObjectTagging',
    method: 'PUT',
    scope: 'object',
    query: ['tagging'],
    action: 's3:PutObjectTagging',
    asksOfBody: 'tags',
    writes: true,
    handler: putObjectTagging,
  },
  {
    operation: 'DeleteObjectTagging',
    method: 'DELETE',
    scope: 'object',
    query: ['tagging'],
    action: 's3:DeleteObjectTagging',
    writes: true,
    handler: deleteObjectTagging,
  },
  {
    operation: 'GetBucketTagging',
    method: 'GET',
    scope: 'bucket',
    query: ['tagging'],
    action: 's3:GetBucketTagging',
    writes: false,
    handler: getBucketTagging,
  },
  {
    operation: 'PutBucketTagging',
    method: 'PUT',
    scope: 'bucket',
    query: ['tagging'],
    action: 's3:PutBucketTagging',
    writes: true,
    handler: putBucketTagging,
  },
  {
    operation: 'DeleteBucketTagging',
    method: 'DELETE',
    scope: 'bucket',
    query: ['tagging'],
    action: 's3:PutBucketTagging',
    writes: true,
    handler: deleteBucketTagging,
  },
];
