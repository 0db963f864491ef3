import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { put } from '../contracts/backend.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { sendSigned } from './signed-request.ts';

let below: S3UnderTest;
let gateway: GatewayUnderTest;
beforeAll(async () => {
  below = await startS3({ tuning: { retry: { attempts: 3, baseMs: 5, capMs: 10 } } });
  gateway = await startGateway(below.storage, [{ mount: mountOf('front', ''), backend: below.open() }]);
  await gateway.buckets.create({ name: 'front', owner: 'root', kind: 'mount' });
  await put(below.backend, 'there', 'x');
});
afterAll(async () => {
  await gateway.close();
  await below.close();
});

const mount = 'The storage behind this bucket refused the credentials of its mount.';

test.each([
  ['GET', 403, 'InvalidObjectState', 403, 'InvalidObjectState', /storage class/],
  ['PUT', 400, 'EntityTooLarge', 400, 'EntityTooLarge', /maximum allowed size/],
  ['PUT', 400, 'InvalidStorageClass', 400, 'InvalidStorageClass', /storage class/],
  ['PUT', 400, 'MetadataTooLarge', 400, 'MetadataTooLarge', /metadata/],
  ['PUT', 403, 'AccessDenied', 403, 'AccessDenied', new RegExp(mount)],
  ['GET', 403, 'AccessDenied', 403, 'AccessDenied', new RegExp(mount)],
  ['PUT', 403, 'SignatureDoesNotMatch', 500, 'InternalError', new RegExp(mount)],
  ['PUT', 400, 'SomethingElse', 500, 'InternalError', /internal error/],
])(
  '%s that the storage answers with %d %s is told as %d %s, and not tried again',
  async (method, status, code, toldStatus, toldCode, message) => {
    const body = `<Error><Code>${code}</Code><Message>internal words</Message></Error>`;
    below.proxy.seen.length = 0;
    below.proxy.strike(method, '/there', { kind: 'refuse', status, body });
    const sent = { method, target: '/front/there', ...(method === 'PUT' ? { body: Buffer.from('y') } : {}) };
    const answer = await sendSigned(gateway.port, sent);
    expect([answer.status, /<Code>(.*)<\/Code>/.exec(answer.body.toString())?.[1]]).toEqual([
      toldStatus,
      toldCode,
    ]);
    const told = /<Message>(.*)<\/Message>/.exec(answer.body.toString())?.[1]?.replaceAll('&apos;', "'");
    expect(told).toMatch(message);
    expect(told).not.toContain('internal words');
    expect(below.proxy.count(method, '/there')).toBe(1);
  },
);

test('what the storage denies to HEAD, which has no words, is denied to the client', async () => {
  below.proxy.strike('HEAD', '/hidden', { kind: 'refuse', status: 403 });
  const headers = { 'if-none-match': '"x"' };
  const answer = await sendSigned(gateway.port, { target: '/front/hidden', headers });
  expect(answer.status).toBe(403);
  expect(answer.body.toString()).toContain('<Code>AccessDenied</Code>');
  expect(answer.body.toString()).toContain(mount);
});
