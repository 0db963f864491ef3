import { describe, expect, test } from '@jest/globals';
import type { S3Error } from '../../../src/s3api/errors.ts';
import { maxPolicyBytes, parsePolicy } from '../../../src/s3api/policy/parse-policy.ts';

const context = { bucket: 'box', isUser: (name: string) => name === 'ann' };
const right = {
  Effect: 'Allow',
  Principal: '*',
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::box/*',
};
const statement = (change: Record<string, unknown>) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ ...right, ...change }] });
const fault = (text: string): string => {
  try {
    parsePolicy(text, context);
    return 'none';
  } catch (error) {
    return `${(error as S3Error).code}: ${(error as S3Error).message}`;
  }
};

const notJson = "Policies must be valid JSON and the first byte must be '{'";

describe('a policy', () => {
  test.each([
    ['', notJson],
    ['true', notJson],
    ['[]', notJson],
    ['{"Statement": [', 'This policy contains invalid Json'],
    ['{}', 'Missing required field Statement'],
    [`{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}`, 'This policy contains invalid Json'],
    [
      statement({ Condition: { Bool: { a: 1 } } }).replace('"Effect"', '"\\u0045ffect":"Deny","Effect"'),
      'This policy contains invalid Json',
    ],
    [statement({ Resource: 'arn:aws:s3:::box/\uffff' }), 'Policy contains invalid characters'],
    [
      statement({ Condition: { DateLessThan: { 'aws:CurrentTime': 'May 5' } } }),
      'Invalid value in Conditions for operator DateLessThan',
    ],
    ['{"Statement": []}', 'Could not parse the policy: Statement is empty!'],
    ['{"Statement": ["x"]}', 'Invalid policy syntax.'],
    [JSON.stringify({ Statement: right, Other: 1 }), 'Unknown field Other'],
    [
      JSON.stringify({ Version: '2020-01-01', Statement: right }),
      'The policy must contain a valid version string',
    ],
    [statement({ Effect: undefined }), 'Missing required field Effect'],
    [statement({ Effect: 'allow' }), 'Invalid effect: allow'],
    [statement({ Colour: 'red' }), 'Unknown field Colour'],
    [statement({ Principal: undefined }), 'Missing required field Principal'],
    [statement({ NotPrincipal: '*' }), 'Invalid policy syntax.'],
    [statement({ Principal: 'ann' }), 'Invalid principal in policy'],
    [statement({ Principal: {} }), 'Invalid principal in policy'],
    [statement({ Principal: { AWS: 'eve' } }), 'Invalid principal in policy'],
    [statement({ Principal: { AWS: 'arn:aws:s3:::box' } }), 'Invalid principal in policy'],
    [statement({ Principal: { AWS: 'arn:aws:iam::1:user/*' } }), 'Invalid principal in policy'],
    [statement({ Principal: { Everyone: '*' } }), 'Invalid principal in policy'],
    [statement({ Action: undefined }), 'Missing required field Action'],
    [statement({ Action: 's3:Fly' }), 'Policy has invalid action'],
    [statement({ Action: 'ec2:*' }), 'Policy has invalid action'],
    [statement({ Action: [] }), 'Policy has invalid action'],
    [statement({ Resource: undefined }), 'Missing required field Resource'],
    [statement({ Resource: 'box/*' }), 'Policy has invalid resource'],
    [statement({ Resource: 'arn:aws:s3:::other/*' }), 'Policy has invalid resource'],
    [statement({ Resource: 'arn:aws:s3:::box' }), 'Action does not apply to any resource(s) in statement'],
    [
      statement({ Action: ['s3:GetObject', 's3:ListBucket'] }),
      'Action does not apply to any resource(s) in statement',
    ],
    [
      statement({ Condition: { StringSounds: { 's3:prefix': 'a' } } }),
      'Invalid Condition type : StringSounds',
    ],
    [statement({ Condition: { StringEquals: { 's3:colour': 'a' } } }), 'Policy has an invalid condition key'],
    [statement({ Condition: { StringEquals: { prefix: 'a' } } }), 'Policy has an invalid condition key'],
    [
      statement({ Condition: { IpAddress: { 'aws:SourceIp': '1.2.3' } } }),
      'Invalid IP address in Conditions',
    ],
    [
      statement({ Condition: { IpAddress: { 'aws:SourceIp': '1.2.3.4/33' } } }),
      'Invalid IP address in Conditions',
    ],
    [
      statement({ Condition: { Bool: { 'aws:SecureTransport': 'yes' } } }),
      'Invalid value in Conditions for operator Bool',
    ],
    [
      statement({ Condition: { StringEquals: { 's3:prefix': 'a' } } }),
      'Conditions do not apply to combination of actions and resources in statement',
    ],
    [statement({ Condition: 'always' }), 'Invalid policy syntax.'],
    [statement({ Sid: 'x'.repeat(maxPolicyBytes) }), 'Policy exceeds the maximum allowed document size.'],
  ])('that is %.90s is malformed', (text, message) => {
    expect(fault(text)).toBe(`MalformedPolicy: ${message}`);
  });

  test.each([
    statement({}),
    `\n ${statement({})}`,
    JSON.stringify({ Id: 'x', Statement: right }),
    statement({ Sid: 'a', Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: ['ann'] } }),
    statement({ Principal: { AWS: ['arn:aws:iam::123456789012:user/path/later', 'arn:aws:iam::eve:root'] } }),
    statement({ Principal: { CanonicalUser: 'ann' } }),
    statement({ Principal: { Service: 'logging.s3.amazonaws.com' } }),
    statement({ Action: 'S3:getobject' }),
    statement({ Action: '*', Resource: '*' }),
    statement({ Action: ['s3:Get*', 's3:List*'], Resource: ['arn:aws:s3:::box', 'arn:aws:s3:::box/*'] }),
    statement({
      Action: undefined,
      NotAction: 's3:DeleteObject',
      Resource: undefined,
      NotResource: 'arn:aws:s3:::box/a',
    }),
    statement({ Resource: 'arn:aws:s3:::b?x/a*' }),
    statement({
      Condition: { Bool: { 'aws:SecureTransport': false }, NumericLessThan: { 'aws:EpochTime': 5 } },
    }),
    statement({ Condition: { StringEquals: { 's3:ExistingObjectTag/kind': ['a', 'b'] } } }),
    statement({ Sid: 'a":{[,"a' }),
    statement({ Condition: { Bool: { 's3:ObjectCreationOperation': 'false' } }, Action: 's3:PutObject' }),
    statement({ Condition: { StringLikeIfExists: { 's3:x-amz-acl': 'public*' } } }),
  ])('such as %.120s is taken', (text) => {
    expect(fault(text)).toBe('none');
  });
});

describe('a policy is public', () => {
  const isPublic = (change: Record<string, unknown>) => parsePolicy(statement(change), context).isPublic;
  test.each([
    [{}, true],
    [{ Principal: { AWS: '*' } }, true],
    [{ Principal: { AWS: 'ann' } }, false],
    [{ Principal: { AWS: 'arn:aws:iam::tenant:root' } }, false],
    [{ Effect: 'Deny' }, false],
    [{ Principal: undefined, NotPrincipal: { AWS: 'ann' } }, true],
    [{ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }, false],
    [{ Condition: { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } } }, true],
    [{ Condition: { StringEquals: { 'aws:SourceVpc': 'vpc-1' } } }, false],
    [{ Condition: { StringLike: { 'aws:SourceVpc': 'vpc-*' } } }, true],
    [{ Condition: { StringNotEquals: { 'aws:SourceVpc': 'vpc-1' } } }, true],
    [{ Condition: { StringLike: { 'aws:Referer': 'https://site/*' } } }, true],
  ])('where a statement is %j: %s', (change, expected) => {
    expect(isPublic(change)).toBe(expected);
  });
});
