import { describe, expect, test } from '@jest/globals';
import { refuseOnRead, refuseOnWrite } from '../../src/s3api/refused-headers.ts';

describe('a write', () => {
  test.each([
    {},
    { 'x-amz-acl': 'private' },
    { 'x-amz-acl': 'bucket-owner-full-control' },
    { 'x-amz-tagging': '' },
    { 'x-amz-tagging-directive': 'COPY' },
    { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': '' },
    { 'x-amz-object-lock-legal-hold': 'OFF' },
    { 'x-amz-bucket-object-lock-enabled': 'False' },
    { 'x-amz-object-ownership': 'BucketOwnerEnforced' },
    { 'x-amz-server-side-encryption-bucket-key-enabled': 'false' },
    { 'x-amz-request-payer': 'requester' },
  ])('that asks for nothing special goes through: %j', (headers) => {
    expect(() => refuseOnWrite(headers as Record<string, string>)).not.toThrow();
  });

  test.each([
    { 'x-amz-server-side-encryption': 'AES256' },
    { 'x-amz-server-side-encryption': 'aws:kms' },
    { 'x-amz-server-side-encryption': '' },
    { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' },
    { 'x-amz-copy-source-server-side-encryption-customer-key': 'a2V5' },
    { 'x-amz-server-side-encryption-bucket-key-enabled': 'true' },
    { 'x-amz-object-lock-mode': 'COMPLIANCE' },
    { 'x-amz-object-lock-legal-hold': 'ON' },
    { 'x-amz-bucket-object-lock-enabled': 'true' },
    { 'x-amz-write-offset-bytes': '5' },
    { 'x-amz-if-match-size': '5' },
  ])('that asks for what is not offered is refused: %j', (headers) => {
    expect(() => refuseOnWrite({ ...headers })).toThrow(
      expect.objectContaining({ code: 'NotImplemented', status: 501 }),
    );
  });
});

test('a read with a customer key is refused, for nothing was ever encrypted with it', () => {
  expect(() => refuseOnRead({ 'x-amz-server-side-encryption-customer-key': 'a2V5' })).toThrow(
    expect.objectContaining({ code: 'NotImplemented' }),
  );
  expect(() => refuseOnRead({ 'x-amz-acl': 'public-read' })).not.toThrow();
});
