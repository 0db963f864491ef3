import { afterEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { CopyOptions } from '../../src/ufs/backend.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { listAll } from '../contracts/backend.ts';
import type { FaultRule } from '../support/fault-proxy.ts';
import { type S3UnderTest, startS3 } from './s3-under-test.ts';

class ForgetfulStorage extends MemoryBackend {
  override copy(sourceKey: string, key: string, options: CopyOptions) {
    return super.copy(sourceKey, key, { ...options, tags: options.tags ?? [] });
  }
}

let s3: S3UnderTest | undefined;
afterEach(() => s3?.close());

const settings = { minPartSizeBytes: 5 };

async function abilitiesOver(storage: MemoryBackend, rule?: FaultRule) {
  s3 = await startS3({}, storage);
  if (rule) s3.proxy.rule = rule;
  const abilities = await s3.backend.probe('.try');
  if (rule) expect(s3.proxy.faults).toBeGreaterThan(0);
  s3.proxy.rule = () => undefined;
  expect(await listAll(s3.backend)).toEqual([]);
  return abilities;
}

const storage = () => new MemoryBackend(systemClock, systemRandom, settings);

test('a storage that keeps tags is seen to', async () => {
  expect(await abilitiesOver(storage())).toMatchObject({ tagging: true, conditionalPut: true });
});

test.each<[string, FaultRule]>([
  [
    'has no tags at all',
    ({ url }) =>
      url.includes('tagging')
        ? { kind: 'refuse', status: 501, body: '<Error><Code>NotImplemented</Code></Error>' }
        : undefined,
  ],
  [
    'does not count them',
    ({ method, url }) =>
      method === 'HEAD' && url.includes('/tagged')
        ? { kind: 'headers', change: { 'x-amz-tagging-count': undefined } }
        : undefined,
  ],
  [
    'gives back none of them',
    ({ method, url }) =>
      method === 'GET' && url.includes('tagging')
        ? { kind: 'replace', status: 200, body: '<Tagging><TagSet></TagSet></Tagging>' }
        : undefined,
  ],
])('a storage that %s is given none', async (_, rule) => {
  expect(await abilitiesOver(storage(), rule)).toMatchObject({ tagging: false, conditionalPut: true });
});

test('a storage whose copies lose their tags is given none', async () => {
  const forgetful = new ForgetfulStorage(systemClock, systemRandom, settings);
  expect(await abilitiesOver(forgetful)).toMatchObject({ tagging: false, conditionalCopy: true });
});
