import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock as clock } from '../../src/common/clock.ts';
import { Metrics } from '../../src/common/metrics.ts';
import { systemRandom as random } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { CoordError, type CoordErrorKind, type CoordStore } from '../../src/coord/store.ts';
import { BucketGate } from '../../src/gateway/bucket-gate.ts';
import { Buckets } from '../../src/gateway/buckets.ts';
import { toS3Error } from '../../src/gateway/error-map.ts';
import { Namespace } from '../../src/gateway/namespace.ts';
import { findUnknownBuckets } from '../../src/gateway/unknown-buckets.ts';
import { BucketStore } from '../../src/mounts/bucket-store.ts';
import { MountTable } from '../../src/mounts/mount-table.ts';
import { MountedBackends } from '../../src/mounts/mounted-backends.ts';
import { S3Error } from '../../src/s3api/errors.ts';
import { parseBucketName } from '../../src/s3api/names.ts';
import type { Identity } from '../../src/s3api/service.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { MemoryPageStore } from '../../src/worker/memory-page-store.ts';
import { TestBody } from '../support/upload-body.ts';

const user = (userName: string, policy: Identity['policy'] = 'readwrite'): Identity => ({
  userName,
  policy,
  accessKeyId: `KEY${userName}`,
});
const secret = parseBucketName('secret');
const nothing = { headers: {}, userMetadata: {} };

let store: CoordStore;
let records: BucketStore;
let root: MemoryBackend;
let buckets: Buckets;

/** Bucket records that nobody has written yet, over the root mount as it is. */
async function begin(): Promise<void> {
  store = createMemoryStore(clock, random);
  records = await BucketStore.open(clock, random, store);
  const backends = new MountedBackends(root, () => Promise.reject(new Error('there are no mounts')));
  const namespace = new Namespace(records, () => MountTable.empty, backends, {
    rootUri: root.uri,
    leaseMs: 30_000,
  });
  const pages = new MemoryPageStore(new Metrics(), { capacityBytes: 1000, maxPageBytes: 1000 });
  buckets = new Buckets(records, namespace, new BucketGate(), pages);
}
beforeEach(() => {
  root = new MemoryBackend(clock, random);
  return begin();
});
afterEach(async () => {
  await records.close();
  await store.close();
});

const put = (key: string) => root.put(key, new TestBody('private'), nothing);
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof S3Error ? error.code : error),
  );

describe('a bucket whose record was lost', () => {
  for (const [what, leave] of [
    ['an object', () => put('secret/s')],
    ['an unfinished upload', () => root.createUpload('secret/s', nothing)],
  ] as const) {
    test(`and that holds ${what} is not given to whoever creates its name, but to an admin`, async () => {
      await leave();
      expect(await outcome(buckets.create(user('eve'), secret))).toBe('BucketAlreadyExists');
      expect(records.get('secret')).toBeUndefined();
      expect(await outcome(buckets.create(user('boss', 'admin'), secret))).toBe('done');
      expect(records.get('secret')?.owner).toBe('boss');
      expect(await outcome(buckets.create(user('eve'), secret))).toBe('BucketAlreadyExists');
    });
  }

  test('does not stand in the way of names that begin like it', async () => {
    await put('secret/s');
    for (const name of ['secre', 'secret-2', 'secret.x']) {
      expect(await outcome(buckets.create(user('eve'), parseBucketName(name)))).toBe('done');
    }
  });

  test('is found by what it holds', async () => {
    await put('secret/deep/s');
    await put('known/k');
    await put('No bucket’s name/k');
    await root.createUpload('begun/s', nothing);
    await root.createUpload('known/s', nothing);
    await buckets.create(user('boss', 'admin'), parseBucketName('known'));
    const isKnown = (name: string) => records.get(name) !== undefined;
    expect([...(await findUnknownBuckets(root, isKnown))].sort()).toEqual(['begun', 'secret']);
  });

  test('is found among thousands, of which no more than 100 are named', async () => {
    for (let i = 0; i < 2500; i++) await put(`bucket-${i}/k`);
    expect(await findUnknownBuckets(root, (name) => name !== 'bucket-999')).toEqual(['bucket-999']);
    expect(await findUnknownBuckets(root, () => false)).toHaveLength(100);
  });
});

describe('creating a bucket', () => {
  test('again says whose it is', async () => {
    await buckets.create(user('eve'), secret);
    await put('secret/s');
    expect(await outcome(buckets.create(user('eve'), secret))).toBe('BucketAlreadyOwnedByYou');
    expect(await outcome(buckets.create(user('bob'), secret))).toBe('BucketAlreadyExists');
  });

  test('is open to anybody once the former bucket was deleted, with its unfinished uploads', async () => {
    await buckets.create(user('eve'), secret);
    await root.createUpload('secret/s', nothing);
    await buckets.delete(secret);
    expect(await outcome(buckets.create(user('bob'), secret))).toBe('done');
  });

  test('or deleting one while the coordination store cannot be written is to be tried again', async () => {
    await buckets.create(user('eve'), secret);
    await store.close();
    expect(await outcome(buckets.create(user('eve'), parseBucketName('other')))).toBe('ServiceUnavailable');
    expect(await outcome(buckets.delete(secret))).toBe('ServiceUnavailable');
  });

  test.each([
    ['unavailable', 503],
    ['locked', 503],
    ['lease-lost', 503],
    ['corrupt', 500],
  ] satisfies [CoordErrorKind, number][])('and a store that is %s: %i', (kind, status) => {
    const error = toS3Error(new CoordError(kind, 'a path that clients are not to see'));
    expect(error.status).toBe(status);
    expect(error.headers['retry-after']).toBe(status === 503 ? 1 : undefined);
    expect(error.message).not.toContain('a path');
  });
});
