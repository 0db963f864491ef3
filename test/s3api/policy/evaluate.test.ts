// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of policies
import { describe, expect, test } from '@jest/globals';
import { evaluatePolicy } from '../../../src/s3api/policy/evaluate.ts';
import { parsePolicy } from '../../../src/s3api/policy/parse-policy.ts';

type Values = Readonly<Record<string, string | readonly string[]>>;

/** What a policy of such statements says; `values` by the condition key's name in lower case, a tag's key behind a slash. */
function verdict(
  statements: readonly Record<string, unknown>[],
  asked: { user?: string; action?: string; resource?: string; values?: Values } = {},
): string {
  const whole = statements.map((statement) => ({
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:*',
    Resource: ['arn:aws:s3:::box', 'arn:aws:s3:::box/*'],
    ...statement,
  }));
  const policy = parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: whole }), {
    bucket: 'box',
    isUser: () => true,
  });
  const { user, action = 's3:GetObject', resource = 'box/a/key', values = {} } = asked;
  return evaluatePolicy(policy, {
    user,
    action,
    resource,
    values: ({ name, tag }) => {
      const value = values[tag === undefined ? name : `${name}/${tag}`];
      return typeof value === 'string' ? [value] : value;
    },
  });
}

const deny = { Effect: 'Deny' };

describe('statements', () => {
  test('that deny outweigh those that allow, in any order; none at all says neither', () => {
    expect(verdict([{}])).toBe('allow');
    expect(verdict([{}, deny])).toBe('deny');
    expect(verdict([deny, {}])).toBe('deny');
    expect(verdict([{ Action: 's3:PutObject' }])).toBe('neither');
  });

  test.each([
    ['*', 'ann', 'allow'],
    ['*', undefined, 'allow'],
    [{ AWS: '*' }, undefined, 'allow'],
    [{ AWS: 'ann' }, 'ann', 'allow'],
    [{ AWS: 'ann' }, 'bob', 'neither'],
    [{ AWS: 'ann' }, undefined, 'neither'],
    [{ CanonicalUser: ['bob', 'ann'] }, 'ann', 'allow'],
    [{ AWS: 'arn:aws:iam::123456789012:user/ann' }, 'ann', 'allow'],
    [{ AWS: 'arn:aws:iam:::user/division/ann' }, 'ann', 'allow'],
    [{ AWS: 'arn:aws:iam::ann:root' }, 'ann', 'allow'],
    [{ AWS: 'arn:aws:iam::ann:user/bob' }, 'ann', 'neither'],
    [{ AWS: 'arn:aws:iam::1:role/ann' }, 'ann', 'neither'],
    [{ Service: 's3.amazonaws.com' }, undefined, 'neither'],
  ])('of principal %j asked by %s: %s', (Principal, user, expected) => {
    expect(verdict([{ Principal }], { user })).toBe(expected);
  });

  test('of everybody but some', () => {
    const but = [{ ...deny, Principal: undefined, NotPrincipal: { AWS: 'ann' } }];
    expect(verdict(but, { user: 'ann' })).toBe('neither');
    expect(verdict(but, { user: 'bob' })).toBe('deny');
    expect(verdict(but)).toBe('deny');
  });

  test.each([
    ['s3:GetObject', 's3:GetObject', 'allow'],
    ['s3:getobject', 's3:GetObject', 'allow'],
    ['s3:Get*', 's3:GetObject', 'allow'],
    ['s3:GetObject', 's3:GetObjectVersion', 'neither'],
    ['s3:?etObject', 's3:GetObject', 'allow'],
    ['*', 's3:PutObject', 'allow'],
  ])('of action %s asked about %s: %s', (Action, action, expected) => {
    expect(verdict([{ Action }], { action })).toBe(expected);
  });

  test('of all actions and resources but some', () => {
    const actions = [{ Action: undefined, NotAction: ['s3:Delete*'] }];
    expect(verdict(actions)).toBe('allow');
    expect(verdict(actions, { action: 's3:DeleteObject' })).toBe('neither');
    const resources = [{ Resource: undefined, NotResource: 'arn:aws:s3:::box/secret/*' }];
    expect(verdict(resources)).toBe('allow');
    expect(verdict(resources, { resource: 'box/secret/key' })).toBe('neither');
  });

  test.each([
    ['arn:aws:s3:::box/a/*', 'box/a/key', 'allow'],
    ['arn:aws:s3:::box/a/*', 'box/A/key', 'neither'],
    ['arn:aws:s3:::box/*/key', 'box/a/b/key', 'allow'],
    ['arn:aws:s3:::box/a/ke?', 'box/a/key', 'allow'],
    ['arn:aws:s3:::box/a/key', 'box/a/key2', 'neither'],
    ['arn:aws:s3:::box/*', 'boxes/a', 'neither'],
    ['arn:aws:s3:::box*', 'box/a', 'allow'],
  ])('of resource %s asked about %s: %s', (Resource, resource, expected) => {
    expect(verdict([{ Resource }], { resource })).toBe(expected);
  });

  test('with variables are about what these stand for', () => {
    const own = [{ Resource: 'arn:aws:s3:::box/home/${aws:username}/*' }];
    expect(verdict(own, { resource: 'box/home/ann/x', values: { 'aws:username': 'ann' } })).toBe('allow');
    expect(verdict(own, { resource: 'box/home/bob/x', values: { 'aws:username': 'ann' } })).toBe('neither');
    expect(verdict(own, { resource: 'box/home//x' })).toBe('neither');
    expect(verdict(own, { resource: 'box/home/${aws:username}/x' })).toBe('neither');
  });

  test('with variables of signs are about these signs', () => {
    const asked = (Resource: string, resource: string) => verdict([{ Resource }], { resource });
    expect(asked('arn:aws:s3:::box/${*}.log', 'box/*.log')).toBe('allow');
    expect(asked('arn:aws:s3:::box/${*}.log', 'box/a.log')).toBe('neither');
    expect(asked('arn:aws:s3:::box/${?}${$}*', 'box/?$a')).toBe('allow');
    expect(asked('arn:aws:s3:::box/${?}', 'box/a')).toBe('neither');
  });

  test('with variables take what these stand for as it is', () => {
    const own = [{ Resource: 'arn:aws:s3:::box/${aws:Referer}' }];
    expect(verdict(own, { resource: 'box/a*', values: { 'aws:referer': 'a*' } })).toBe('allow');
    expect(verdict(own, { resource: 'box/abc', values: { 'aws:referer': 'a*' } })).toBe('neither');
    const otherwise = [{ Resource: "arn:aws:s3:::box/${aws:username, 'nobody'}/*" }];
    expect(verdict(otherwise, { resource: 'box/nobody/a' })).toBe('allow');
  });

  test('of the version before variables have none', () => {
    const Statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::box/${aws:username}',
    };
    const policy = parsePolicy(JSON.stringify({ Statement }), { bucket: 'box', isUser: () => true });
    const ask = (resource: string) =>
      evaluatePolicy(policy, { user: 'ann', action: 's3:GetObject', resource, values: () => ['ann'] });
    expect([ask('box/${aws:username}'), ask('box/ann')]).toEqual(['allow', 'neither']);
  });

  test('that would take seconds to compare are taken to deny', () => {
    const like = `*${'a'.repeat(9000)}b`;
    const statement = { Condition: { StringLike: { 'aws:Referer': [like, like] } } };
    expect(verdict([statement], { values: { 'aws:referer': 'a'.repeat(15_000) } })).toBe('deny');
    expect(verdict([statement], { values: { 'aws:referer': 'a'.repeat(80) } })).toBe('neither');
  });

  test('of as many patterns as a policy has room for are compared with the longest keys', () => {
    const Resource = Array.from({ length: 480 }, (_, index) => `arn:aws:s3:::box/*.f${index}`);
    expect(
      verdict([{ Resource }, { ...deny, Resource: '*', Action: 's3:Put*' }], {
        resource: `box/${'.f'.repeat(500)}.f479`,
      }),
    ).toBe('allow');
  });

  test('with many stars take no long time', () => {
    const Resource = `arn:aws:s3:::box/${'*a'.repeat(40)}b`;
    expect(verdict([{ Resource }], { resource: `box/${'a'.repeat(1000)}` })).toBe('neither');
  });
});

describe('conditions', () => {
  const holds = (Condition: Record<string, unknown>, values: Values, action = 's3:GetObject') =>
    verdict([{ Condition, Action: action }], {
      values,
      action,
      resource: action === 's3:ListBucket' ? 'box' : 'box/k',
    }) === 'allow';
  const agent = (value: string): Values => ({ 'aws:useragent': value });

  test.each([
    ['StringEquals', 'abc', 'abc', true],
    ['StringEquals', 'abc', 'ABC', false],
    ['StringNotEquals', 'abc', 'abc', false],
    ['StringNotEquals', 'abc', 'abd', true],
    ['StringEqualsIgnoreCase', 'abc', 'ABC', true],
    ['StringNotEqualsIgnoreCase', 'abc', 'ABC', false],
    ['StringLike', 'a*', 'abc', true],
    ['StringLike', 'a?', 'abc', false],
    ['StringNotLike', 'a*', 'abc', false],
    ['NumericEquals', '10', '10.0', true],
    ['NumericNotEquals', '10', '10.0', false],
    ['NumericLessThan', '10', '9', true],
    ['NumericLessThanEquals', '10', '10', true],
    ['NumericGreaterThan', '10', '10', false],
    ['NumericGreaterThanEquals', '10', '10', true],
    ['NumericEquals', '10', 'ten', false],
    ['NumericLessThan', '10', '', false],
    ['NumericLessThan', '10', '0x5', false],
    ['NumericLessThan', '10', '-5', true],
    ['DateLessThan', '2026-01-01T00:00:01', '2026-01-01T00:00:00Z', true],
    ['DateGreaterThan', '2025-12-31T23:59:59', '2026-01-01T00:00:00Z', true],
    ['DateLessThan', '2026-01-02', '2026-01-01T23:59:59Z', true],
    ['DateLessThan', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z', true],
    ['DateGreaterThan', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z', false],
    ['DateGreaterThanEquals', '1767225600', '2026-01-01T00:00:00Z', true],
    ['Bool', 'true', 'TRUE', true],
    ['Bool', 'false', 'true', false],
    ['ArnLike', 'arn:aws:s3:::*', 'arn:aws:s3:::box', true],
    ['ArnNotEquals', 'arn:aws:s3:::box', 'arn:aws:s3:::box', false],
    ['IpAddress', '10.1.0.0/16', '10.1.2.3', true],
    ['IpAddress', '10.1.0.0/16', '10.2.2.3', false],
    ['IpAddress', '10.1.2.3', '10.1.2.3', true],
    ['IpAddress', '10.1.0.0/16', '::ffff:10.1.2.3', true],
    ['IpAddress', '2001:db8::/32', '2001:db8::1', true],
    ['IpAddress', '10.1.0.0/16', '2001:db8::1', false],
    ['NotIpAddress', '10.1.0.0/16', '10.1.2.3', false],
    ['NotIpAddress', '10.1.0.0/16', '192.168.0.1', true],
  ])('%s %s of %s: %s', (operator, wanted, value, expected) => {
    expect(holds({ [operator]: { 'aws:UserAgent': wanted } }, agent(value))).toBe(expected);
  });

  test('on what a request does not have: false, true where they say not, true with IfExists, and Null tells', () => {
    expect(holds({ StringEquals: { 'aws:Referer': 'a' } }, {})).toBe(false);
    expect(holds({ StringNotEquals: { 'aws:Referer': 'a' } }, {})).toBe(true);
    expect(holds({ StringEqualsIfExists: { 'aws:Referer': 'a' } }, {})).toBe(true);
    expect(holds({ StringEqualsIfExists: { 'aws:Referer': 'a' } }, { 'aws:referer': 'b' })).toBe(false);
    expect(holds({ Null: { 'aws:Referer': 'true' } }, {})).toBe(true);
    expect(holds({ Null: { 'aws:Referer': 'true' } }, { 'aws:referer': 'a' })).toBe(false);
    expect(holds({ Null: { 'aws:Referer': false } }, { 'aws:referer': 'a' })).toBe(true);
  });

  test('of several values want one of them, and of those that say not none', () => {
    const values = { 'aws:referer': 'b' };
    expect(holds({ StringEquals: { 'aws:Referer': ['a', 'b'] } }, values)).toBe(true);
    expect(holds({ StringNotEquals: { 'aws:Referer': ['a', 'b'] } }, values)).toBe(false);
  });

  test('of several keys and operators want all of them', () => {
    const condition = {
      StringEquals: { 'aws:Referer': 'a', 'aws:UserAgent': 'b' },
      Bool: { 'aws:SecureTransport': 'true' },
    };
    const values = { 'aws:referer': 'a', 'aws:useragent': 'b', 'aws:securetransport': 'true' };
    expect(holds(condition, values)).toBe(true);
    expect(holds(condition, { ...values, 'aws:useragent': 'c' })).toBe(false);
    expect(holds(condition, { ...values, 'aws:securetransport': 'false' })).toBe(false);
  });

  test('with a quantifier look at each value of a request', () => {
    const keys = (...list: string[]) => ({ 's3:requestobjecttagkeys': list });
    const all = { 'ForAllValues:StringEquals': { 's3:RequestObjectTagKeys': ['a', 'b'] } };
    const any = { 'ForAnyValue:StringEquals': { 's3:RequestObjectTagKeys': ['a', 'b'] } };
    expect(holds(all, keys('a'), 's3:PutObject')).toBe(true);
    expect(holds(all, keys('a', 'c'), 's3:PutObject')).toBe(false);
    expect(holds(all, {}, 's3:PutObject')).toBe(true);
    expect(holds(any, keys('c', 'b'), 's3:PutObject')).toBe(true);
    expect(holds(any, keys('c'), 's3:PutObject')).toBe(false);
    expect(holds(any, {}, 's3:PutObject')).toBe(false);
  });

  test('on tags are on the tag that is named, whose key is written as it is', () => {
    const condition = { StringEquals: { 's3:ExistingObjectTag/Kind': 'public' } };
    expect(holds(condition, { 's3:existingobjecttag/Kind': 'public' })).toBe(true);
    expect(holds(condition, { 's3:existingobjecttag/kind': 'public' })).toBe(false);
  });

  test('name their keys in any case', () => {
    expect(holds({ StringEquals: { 'S3:PREFIX': 'a/' } }, { 's3:prefix': 'a/' }, 's3:ListBucket')).toBe(true);
  });

  test('may hold variables', () => {
    const condition = { StringLike: { 's3:prefix': 'home/${aws:username}/*' } };
    const values = { 's3:prefix': 'home/ann/x', 'aws:username': 'ann' };
    expect(holds(condition, values, 's3:ListBucket')).toBe(true);
    expect(holds(condition, { ...values, 'aws:username': 'bob' }, 's3:ListBucket')).toBe(false);
  });
});
