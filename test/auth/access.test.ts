import { describe, expect, test } from '@jest/globals';
import { AccessControl, anonymous, type GuardedBucket, mayOutright } from '../../src/auth/access.ts';
import type { BucketAccess, Grant, ObjectAccess } from '../../src/common/access-control.ts';
import { S3Error } from '../../src/s3api/errors.ts';
import type { Identity } from '../../src/s3api/service.ts';
import { thrown } from './fixtures.ts';

const who = (policy: Identity['policy'], userName = 'ann'): Identity => ({
  userName,
  policy,
  accessKeyId: 'A',
});
const own: GuardedBucket = { name: 'own', owner: 'ann' };
const others: GuardedBucket = { name: 'others', owner: 'bob' };
const reads = ['s3:GetObject', 's3:ListBucket', 's3:GetBucketLocation', 's3:ListMultipartUploadParts'];
const writes = [
  's3:PutObject',
  's3:DeleteObject',
  's3:DeleteBucket',
  's3:AbortMultipartUpload',
  's3:CreateBucket',
];

const rules = new AccessControl();
const ask = (identity: Identity, action: string, bucket?: GuardedBucket, key?: string) => ({
  identity,
  action,
  bucket,
  key,
  values: () => undefined,
});
const decide = (identity: Identity, action: string, bucket?: GuardedBucket) =>
  rules.decide(ask(identity, action, bucket));

describe('where nothing is set', () => {
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
    expect(decide(who('readwrite'), 's3:PutObject', others)).toMatchObject({ rule: 'bucket-of-another' });
    expect(decide(who('readwrite'), 's3:CreateBucket', undefined).effect).toBe('allow');
    // Whose the name is, is for the operation to answer: BucketAlreadyExists.
    expect(decide(who('readwrite'), 's3:CreateBucket', others).effect).toBe('allow');
  });

  test('nobody known may do nothing, make no bucket and list none', () => {
    for (const action of [...reads, ...writes, 's3:ListAllMyBuckets']) {
      expect(decide(anonymous, action, others).effect).toBe('deny');
    }
  });

  test('a user named like no owner owns nothing, and nobody known owns what nobody owns', () => {
    expect(decide(who('readwrite', ''), 's3:GetObject', others).effect).toBe('deny');
    expect(decide(anonymous, 's3:ListBucket', { name: 'odd', owner: '' }).effect).toBe('deny');
    expect(mayOutright(anonymous, { name: 'odd', owner: '' })).toBe(false);
  });

  test('a denial is answered AccessDenied, and NoSuchBucket where there is none', () => {
    const denial = (policy: Identity['policy'], action: string, bucket?: GuardedBucket) =>
      thrown(() => rules.authorise(ask(who(policy), action, bucket), bucket?.name ?? 'none'));
    expect(() => rules.authorise(ask(who('readwrite'), 's3:PutObject', own), 'own')).not.toThrow();
    expect(denial('readwrite', 's3:ListBucket', others).code).toBe('AccessDenied');
    const missing = denial('readwrite', 's3:GetObject');
    expect([missing.code, missing.extra]).toEqual(['NoSuchBucket', { BucketName: 'none' }]);
    expect(denial('readonly', 's3:PutObject').code).toBe('AccessDenied');
  });

  test('what is decided at once is what the rules decide', () => {
    for (const policy of ['admin', 'readwrite', 'readonly', 'anonymous'] as const) {
      for (const bucket of [own, others, undefined, { ...own, access: {} }]) {
        for (const action of [...reads, ...writes]) {
          const identity = policy === 'anonymous' ? anonymous : who(policy);
          if (mayOutright(identity, bucket)) expect(decide(identity, action, bucket).effect).toBe('allow');
        }
      }
    }
    expect(mayOutright(who('readwrite'), { ...own, access: {} })).toBe(false);
  });
});

const toAll = (permission: Grant['permission']): Grant => ({ grantee: { group: 'AllUsers' }, permission });
const toUsers = (permission: Grant['permission']): Grant => ({
  grantee: { group: 'AuthenticatedUsers' },
  permission,
});
const to = (user: string, permission: Grant['permission']): Grant => ({ grantee: { user }, permission });
const opened = (...grants: Grant[]): GuardedBucket => ({ ...others, access: { grants } });

describe('a bucket’s ACL', () => {
  test.each([
    ['everybody may read', opened(toAll('READ')), 's3:ListBucket', ['ann', 'anonymous']],
    ['everybody may write', opened(toAll('WRITE')), 's3:PutObject', ['ann', 'anonymous']],
    ['reading is not writing', opened(toAll('READ')), 's3:PutObject', []],
    ['reading is not reading the ACL', opened(toAll('READ')), 's3:GetBucketAcl', []],
    ['reading is not reading what else is set', opened(toAll('READ')), 's3:GetBucketPolicy', []],
    ['full control is reading the ACL', opened(to('ann', 'FULL_CONTROL')), 's3:GetBucketAcl', ['ann']],
    ['users may read', opened(toUsers('READ')), 's3:ListBucket', ['ann']],
    ['one user may read', opened(to('ann', 'READ')), 's3:ListBucket', ['ann']],
    ['another user may read', opened(to('eve', 'READ')), 's3:ListBucket', []],
    ['full control is not deleting the bucket', opened(to('ann', 'FULL_CONTROL')), 's3:DeleteBucket', []],
  ] as const)('%s', (_what, bucket, action, allowed) => {
    for (const identity of [who('readwrite'), anonymous]) {
      const name = identity.policy === 'anonymous' ? 'anonymous' : 'ann';
      const isAllowed = (allowed as readonly string[]).includes(name);
      expect(decide(identity, action, bucket).effect).toBe(isAllowed ? 'allow' : 'deny');
    }
  });

  test('lets no readonly user write', () => {
    expect(decide(who('readonly'), 's3:PutObject', opened(toAll('FULL_CONTROL'))).effect).toBe('deny');
    expect(decide(who('readonly'), 's3:ListBucket', opened(toAll('READ'))).effect).toBe('allow');
  });

  test('says nothing where the bucket’s owner owns everything', () => {
    const bucket = {
      ...others,
      access: { grants: [toAll('READ')], ownership: 'BucketOwnerEnforced' } as const,
    };
    expect(decide(who('readwrite'), 's3:ListBucket', bucket).effect).toBe('deny');
  });
});

const policy = (effect: 'Allow' | 'Deny', action: string, principal: unknown = '*', bucket = 'others') =>
  JSON.stringify({
    Statement: [
      {
        Effect: effect,
        Principal: principal,
        Action: action,
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  });

describe('a bucket’s policy', () => {
  test('denies everybody, its owner and admins too, but never whoever has to undo it', () => {
    const bucket = { ...own, access: { policy: policy('Deny', 's3:*', '*', 'own') } };
    for (const identity of [who('readwrite'), who('admin', 'root'), who('readwrite', 'eve'), anonymous]) {
      expect(decide(identity, 's3:ListBucket', bucket)).toEqual({ effect: 'deny', rule: 'policy-denies' });
    }
    for (const action of ['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy']) {
      expect(decide(who('readwrite'), action, bucket).effect).toBe('allow');
      expect(decide(who('admin', 'root'), action, bucket).effect).toBe('allow');
      expect(decide(who('readwrite', 'eve'), action, bucket).effect).toBe('deny');
      expect(decide(anonymous, action, bucket).effect).toBe('deny');
    }
  });

  test('that cannot be read denies everything but its own end', () => {
    const bucket = { ...own, access: { policy: '{"Statement":{"Effect":"Perhaps"}}' } };
    expect(decide(who('readwrite'), 's3:ListBucket', bucket)).toEqual({
      effect: 'deny',
      rule: 'policy-denies',
    });
    expect(decide(who('readwrite'), 's3:DeleteBucketPolicy', bucket).effect).toBe('allow');
  });

  test('outweighs an ACL that allows', () => {
    const access = { grants: [toAll('READ')], policy: policy('Deny', 's3:ListBucket', { AWS: 'ann' }) };
    expect(decide(who('readwrite'), 's3:ListBucket', { ...others, access }).effect).toBe('deny');
    expect(decide(anonymous, 's3:ListBucket', { ...others, access }).effect).toBe('allow');
  });

  test('lets no readonly user write, and nobody known read', () => {
    const access = { policy: policy('Allow', 's3:*') };
    expect(decide(who('readonly'), 's3:PutObject', { ...others, access }).effect).toBe('deny');
    expect(decide(who('readwrite'), 's3:PutObject', { ...others, access }).effect).toBe('allow');
    expect(decide(anonymous, 's3:ListBucket', { ...others, access }).effect).toBe('allow');
  });
});

describe('an object', () => {
  /** What becomes of somebody’s GET of an object that has this access, in `others`. */
  const outcome = (identity: Identity, access?: ObjectAccess, settings?: BucketAccess): string => {
    const bucket = settings ? { ...others, access: settings } : others;
    const gate = rules.authorise(ask(identity, 's3:GetObject', bucket, 'k'), 'others');
    try {
      gate?.admit({ access });
      return 'shown';
    } catch (error) {
      return (error as S3Error).code;
    }
  };
  const ann = who('readwrite');
  const bob = who('readwrite', 'bob');

  test('is shown to those whom its own ACL opens it to, whatever the bucket’s says', () => {
    expect(outcome(anonymous)).toBe('AccessDenied');
    expect(outcome(anonymous, { grants: [toAll('READ')] })).toBe('shown');
    expect(outcome(anonymous, { grants: [toUsers('READ')] })).toBe('AccessDenied');
    expect(outcome(ann, { grants: [toUsers('READ')] })).toBe('shown');
    expect(outcome(ann, { grants: [toAll('READ_ACP')] })).toBe('AccessDenied');
    expect(outcome(ann, undefined, { grants: [toAll('FULL_CONTROL')] })).toBe('AccessDenied');
  });

  test('of another’s is closed to the bucket’s owner, and to whom the bucket’s policy lets read', () => {
    const allowed = { policy: policy('Allow', 's3:GetObject') };
    expect(outcome(bob, { owner: 'ann' }, {})).toBe('AccessDenied');
    expect(outcome(bob, { owner: 'ann', grants: [to('bob', 'READ')] }, {})).toBe('shown');
    expect(outcome(ann, { owner: 'ann' }, {})).toBe('shown');
    expect(outcome(anonymous, { owner: 'ann' }, allowed)).toBe('AccessDenied');
    expect(outcome(anonymous, undefined, allowed)).toBe('shown');
  });

  test('is the bucket’s owner’s where ACLs are off', () => {
    const enforced = { ownership: 'BucketOwnerEnforced' } as const;
    const access = { owner: 'ann', grants: [toAll('READ')] };
    expect(outcome(bob, access, enforced)).toBe('shown');
    expect(outcome(ann, access, enforced)).toBe('AccessDenied');
    expect(outcome(anonymous, access, enforced)).toBe('AccessDenied');
  });

  test('that is not there is told of to those only who may list', () => {
    const absent = new S3Error('NoSuchKey');
    const told = (settings: BucketAccess) =>
      rules
        .authorise(ask(ann, 's3:GetObject', { ...others, access: settings }, 'k'), 'others')
        ?.absent(absent).code;
    expect(told({})).toBe('AccessDenied');
    expect(told({ policy: policy('Allow', 's3:GetObject') })).toBe('AccessDenied');
    expect(told({ policy: policy('Allow', 's3:ListBucket') })).toBe('NoSuchKey');
    expect(told({ grants: [toAll('READ')] })).toBe('NoSuchKey');
  });
});
