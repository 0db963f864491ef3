import { describe, expect, test } from '@jest/globals';
import { authorise, decide } from '../../src/auth/access.ts';
import type { Identity } from '../../src/s3api/service.ts';
import { thrown } from './fixtures.ts';

const who = (policy: Identity['policy'], userName = 'ann'): Identity => ({
  userName,
  policy,
  accessKeyId: 'A',
});
const own = { owner: 'ann' };
const others = { owner: 'bob' };
const reads = ['s3:GetObject', 's3:ListBucket', 's3:GetBucketLocation', 's3:ListMultipartUploadParts'];
const writes = [
  's3:PutObject',
  's3:DeleteObject',
  's3:DeleteBucket',
  's3:AbortMultipartUpload',
  's3:CreateBucket',
];

describe('who may do what', () => {
  test.each([...reads, ...writes])('an admin may do %s anywhere', (action) => {
    for (const bucket of [own, others, undefined]) {
      expect(decide(who('admin'), action, bucket)).toEqual({ effect: 'allow', rule: 'admin-may-everything' });
    }
  });

  test.each(reads)('anyone may do %s on a bucket of one’s own, and on no other', (action) => {
    for (const policy of ['readwrite', 'readonly'] as const) {
      expect(decide(who(policy), action, own)).toEqual({ effect: 'allow', rule: 'owner-may' });
      expect(decide(who(policy), action, others)).toEqual({ effect: 'deny', rule: 'bucket-of-another' });
      expect(decide(who(policy), action, undefined)).toEqual({ effect: 'deny', rule: 'no-such-bucket' });
    }
  });

  test.each(writes)('a readonly user may not do %s, even on a bucket of its own', (action) => {
    for (const bucket of [own, others, undefined]) {
      expect(decide(who('readonly'), action, bucket)).toEqual({
        effect: 'deny',
        rule: 'readonly-may-only-read',
      });
    }
  });

  test('a readwrite user may change its own buckets, create new ones, and touch no other', () => {
    expect(decide(who('readwrite'), 's3:PutObject', own).effect).toBe('allow');
    expect(decide(who('readwrite'), 's3:PutObject', others).rule).toBe('bucket-of-another');
    expect(decide(who('readwrite'), 's3:CreateBucket', undefined).effect).toBe('allow');
    // Whose the name is, is for the operation to answer: BucketAlreadyExists.
    expect(decide(who('readwrite'), 's3:CreateBucket', others).effect).toBe('allow');
  });

  test('a user named like no owner owns nothing', () => {
    expect(decide(who('readwrite', ''), 's3:GetObject', others).effect).toBe('deny');
  });

  test('a denial is answered AccessDenied, and NoSuchBucket where there is none', () => {
    const buckets = new Map([
      ['hers', own],
      ['his', others],
    ]);
    const denial = (policy: Identity['policy'], action: string, bucket: string) =>
      thrown(() => authorise(who(policy), action, bucket, buckets));
    expect(() => authorise(who('readwrite'), 's3:PutObject', 'hers', buckets)).not.toThrow();
    expect(denial('readwrite', 's3:GetObject', 'his').code).toBe('AccessDenied');
    const missing = denial('readwrite', 's3:GetObject', 'none');
    expect([missing.code, missing.extra]).toEqual(['NoSuchBucket', { BucketName: 'none' }]);
    expect(denial('readonly', 's3:PutObject', 'none').code).toBe('AccessDenied');
  });
});
