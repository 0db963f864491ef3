import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import type { S3Backend } from '../../src/ufs/s3.ts';
import { put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { sendSigned } from './signed-request.ts';

const pageSizeBytes = 64 * 1024;

let s3: S3UnderTest;
let gateway: GatewayUnderTest;
/** The storage, past the proxy. */
let direct: S3Backend;
beforeAll(async () => {
  s3 = await startS3({ tuning: { retry: { attempts: 2, baseMs: 5, capMs: 10 } } });
  direct = s3.open({ endpoint: `http://127.0.0.1:${s3.gateway.port}` });
  const mount = { ...mountOf('bucket', ''), freshness: { kind: 'always' } as const };
  const root = new MemoryBackend(systemClock, systemRandom);
  gateway = await startGateway(root, [{ mount, backend: s3.backend }], { pageSizeBytes });
  await gateway.buckets.create({ name: 'bucket', owner: 'root', kind: 'mount' });
});
afterAll(async () => {
  await gateway.close();
  await s3.close();
});
beforeEach(() => {
  s3.proxy.rule = () => undefined;
});

/** Versions of a key, each longer than the one before it. */
class Versions {
  readonly key: string;
  private readonly sizeBytes: number;
  private count = 0;

  constructor(key: string, sizeBytes: number) {
    this.key = key;
    this.sizeBytes = sizeBytes;
  }

  /** One more, behind the gateway's back. */
  async next(): Promise<void> {
    this.count++;
    await put(direct, this.key, this.bytes(this.count));
  }

  /** From now on there is a next one before each question that the storage is asked of the key. */
  hurry(): void {
    s3.proxy.seen.length = 0;
    s3.proxy.rule = ({ url }) =>
      url.includes(`/${this.key}`) ? { kind: 'before', run: () => this.next() } : undefined;
  }

  /** What a range has in each of them. */
  all(take: (bytes: Buffer) => Buffer): string[] {
    return Array.from({ length: this.count }, (_, index) => digestOf(take(this.bytes(index + 1))));
  }

  private bytes(version: number): Buffer {
    return someBytes(this.sizeBytes + 10 * version, version);
  }
}

function digestOf(bytes: Buffer): string {
  return `${bytes.length} ${bytes.toString('base64')}`;
}

test.each([
  ['a small object', 1_000, {}, ['GET', 'GET'], (all: Buffer) => all],
  ['a long one', 400_000, {}, ['GET', 'GET'], (all: Buffer) => all],
  [
    'a range',
    1_000,
    { range: 'bytes=2-9' },
    ['GET', 'GET bytes=0-65535'],
    (all: Buffer) => all.subarray(2, 10),
  ],
  [
    'a range over pages',
    400_000,
    { range: 'bytes=65000-140000' },
    ['GET bytes=0-196607', 'GET bytes=0-196607'],
    (all: Buffer) => all.subarray(65_000, 140_001),
  ],
  ['its end', 1_000, { range: 'bytes=-7' }, ['GET', 'GET'], (all: Buffer) => all.subarray(-7)],
  ['what has changed', 1_000, { 'if-none-match': '"another"' }, ['GET', 'GET'], (all: Buffer) => all],
  ['what is not to be kept', 1_000, { 'cache-control': 'no-store' }, ['GET', 'GET'], (all: Buffer) => all],
] as const)(
  '%s is read though its key changes faster than two questions are answered',
  async (what, sizeBytes, headers, gets, take) => {
    const versions = new Versions(what.replaceAll(' ', '-'), sizeBytes);
    const target = `/bucket/${versions.key}`;
    await versions.next();
    expect((await sendSigned(gateway.port, { target })).status).toBe(200);
    versions.hurry();
    const { status, body } = await sendSigned(gateway.port, { target, headers: { ...headers } });
    expect(status).toBe('range' in headers ? 206 : 200);
    expect(versions.all(take)).toContain(digestOf(body));
    const asked = s3.proxy.seen.map(({ method, headers: { range } }) =>
      range ? `${method} ${range}` : method,
    );
    expect(asked).toEqual(['HEAD', ...gets]);
  },
);

test('readers of a key that changes all the time are all answered, each with one version', async () => {
  const versions = new Versions('crowded', 150_000);
  const target = `/bucket/${versions.key}`;
  await versions.next();
  expect((await sendSigned(gateway.port, { target })).status).toBe(200);
  versions.hurry();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      sendSigned(gateway.port, { target, headers: index % 3 === 0 ? { range: 'bytes=70000-149999' } : {} }),
    ),
  );
  const [whole, part] = [versions.all((all) => all), versions.all((all) => all.subarray(70_000, 150_000))];
  for (const [index, { body }] of answers.entries())
    expect(index % 3 === 0 ? part : whole).toContain(digestOf(body));
});
