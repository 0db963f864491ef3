import type { Route } from './call.ts';
import { deleteBucketCors } from './operations/delete-bucket-cors.ts';
import { deleteBucketOwnershipControls } from './operations/delete-bucket-ownership-controls.ts';
import { deleteBucketPolicy } from './operations/delete-bucket-policy.ts';
import { getBucketAcl } from './operations/get-bucket-acl.ts';
import { getBucketCors } from './operations/get-bucket-cors.ts';
import { getBucketOwnershipControls } from './operations/get-bucket-ownership-controls.ts';
import { getBucketPolicy } from './operations/get-bucket-policy.ts';
import { getBucketPolicyStatus } from './operations/get-bucket-policy-status.ts';
import { getObjectAcl } from './operations/get-object-acl.ts';
import { putBucketAcl } from './operations/put-bucket-acl.ts';
import { putBucketCors } from './operations/put-bucket-cors.ts';
import { putBucketOwnershipControls } from './operations/put-bucket-ownership-controls.ts';
import { putBucketPolicy } from './operations/put-bucket-policy.ts';
import { putObjectAcl } from './operations/put-object-acl.ts';

/** Operations on who may do what, and on whose pages may ask. IAM actions as in `offeredOperations`. */
export const accessOperations: readonly Route[] = [
  {
    operation: 'GetBucketAcl',
    method: 'GET',
    scope: 'bucket',
    query: ['acl'],
    action: 's3:GetBucketAcl',
    writes: false,
    handler: getBucketAcl,
  },
  {
    operation: 'PutBucketAcl',
    method: 'PUT',
    scope: 'bucket',
    query: ['acl'],
    action: 's3:PutBucketAcl',
    writes: true,
    handler: putBucketAcl,
  },
  {
    operation: 'GetBucketPolicy',
    method: 'GET',
    scope: 'bucket',
    query: ['policy'],
    action: 's3:GetBucketPolicy',
    writes: false,
    handler: getBucketPolicy,
  },
  {
    operation: 'PutBucketPolicy',
    method: 'PUT',
    scope: 'bucket',
    query: ['policy'],
    action: 's3:PutBucketPolicy',
    writes: true,
    handler: putBucketPolicy,
  },
  {
    operation: 'DeleteBucketPolicy',
    method: 'DELETE',
    scope: 'bucket',
    query: ['policy'],
    action: 's3:DeleteBucketPolicy',
    writes: true,
    handler: deleteBucketPolicy,
  },
  {
    operation: 'GetBucketPolicyStatus',
    method: 'GET',
    scope: 'bucket',
    query: ['policyStatus'],
    action: 's3:GetBucketPolicyStatus',
    writes: false,
    handler: getBucketPolicyStatus,
  },
  {
    operation: 'GetBucketCors',
    method: 'GET',
    scope: 'bucket',
    query: ['cors'],
    action: 's3:GetBucketCORS',
    writes: false,
    handler: getBucketCors,
  },
  {
    operation: 'PutBucketCors',
    method: 'PUT',
    scope: 'bucket',
    query: ['cors'],
    action: 's3:PutBucketCORS',
    writes: true,
    handler: putBucketCors,
  },
  {
    operation: 'DeleteBucketCors',
    method: 'DELETE',
    scope: 'bucket',
    query: ['cors'],
    action: 's3:PutBucketCORS',
    writes: true,
    handler: deleteBucketCors,
  },
  {
    operation: 'GetBucketOwnershipControls',
    method: 'GET',
    scope: 'bucket',
    query: ['ownershipControls'],
    action: 's3:GetBucketOwnershipControls',
    writes: false,
    handler: getBucketOwnershipControls,
  },
  {
    operation: 'PutBucketOwnershipControls',
    method: 'PUT',
    scope: 'bucket',
    query: ['ownershipControls'],
    action: 's3:PutBucketOwnershipControls',
    writes: true,
    handler: putBucketOwnershipControls,
  },
  {
    operation: 'DeleteBucketOwnershipControls',
    method: 'DELETE',
    scope: 'bucket',
    query: ['ownershipControls'],
    action: 's3:PutBucketOwnershipControls',
    writes: true,
    handler: deleteBucketOwnershipControls,
  },
  {
    operation: 'GetObjectAcl',
    method: 'GET',
    scope: 'object',
    query: ['acl'],
    action: 's3:GetObjectAcl',
    writes: false,
    handler: getObjectAcl,
  },
  {
    operation: 'PutObjectAcl',
    method: 'PUT',
    scope: 'object',
    query: ['acl'],
    action: 's3:PutObjectAcl',
    writes: true,
    handler: putObjectAcl,
  },
];
