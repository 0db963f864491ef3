import { describe, expect, test } from '@jest/globals';
import { notBeforeSeconds } from '../../src/common/policy.ts';
import type { PolicyFields } from '../../src/mounts/policy.ts';
import type { ReadTarget } from '../../src/worker/reader.ts';
import { put } from '../contracts/backend.ts';
import { ChangingPolicies } from './changing-policies.ts';
import { pageSizeBytes, ReadingBench } from './reading.ts';

/** The target as a request that comes now finds it. */
function under(bench: ReadingBench, policies: ChangingPolicies, target: ReadTarget): ReadTarget {
  const policy = policies.of('', target.path);
  return { ...target, policy, notBeforeSeconds: notBeforeSeconds(policy, bench.clock.nowMs()) };
}

async function scene(fields: PolicyFields, sizeBytes = 10_000) {
  const policies = ChangingPolicies.of({ 'set/': fields });
  const bench = new ReadingBench();
  const object = await bench.object(sizeBytes, 'set/object');
  const read = async (start = 0, end = sizeBytes) => {
    const answer = await bench.read(under(bench, policies, object.target), start, end);
    expect(answer.bytes).toEqual(object.bytes.subarray(start, end));
    return answer.cache;
  };
  return { bench, policies, object, read };
}

describe('what a policy says is never kept', () => {
  test.each<PolicyFields>([
    { cache: 'never' },
    { exclude: ['*ject'] },
    { include: ['other*'] },
    { maxSizeBytes: 9_999 },
    { minSizeBytes: 10_001 },
  ])('%j is passed through each time, in long answers and short ones', async (fields) => {
    const { bench, read } = await scene(fields);
    for (let i = 0; i < 3; i++) {
      expect([await read(), await read(100, 200)]).toEqual(['bypass', 'bypass']);
    }
    expect(bench.store.usage.pages).toBe(0);
  });

  test('is not used either that was kept before, from the moment the policy is set', async () => {
    const { bench, object, policies, read } = await scene({ priority: 'low' });
    const openNow = () => bench.reader.openNow(under(bench, policies, object.target), { start: 0, end: 100 });
    expect([await read(), await read(0, 100)]).toEqual(['miss', 'hit']);
    expect(openNow()?.cache).toBe('hit');
    policies.set('set/', { cache: 'never' });
    expect(openNow()).toBeUndefined();
    expect([await read(), await read(0, 100)]).toEqual(['bypass', 'bypass']);
    policies.remove('set/');
    expect(await read(0, 100)).toBe('hit');
  });

  test('is not kept of what is written', async () => {
    const { bench, policies } = await scene({ cache: 'never' });
    const at = { backend: bench.backend, mount: 'm', incarnation: 'i', path: 'set/k', pageSizeBytes };
    await put(bench.inner, 'set/k', Buffer.alloc(100));
    expect(bench.reader.takeIn({ ...at, policy: policies.of('', 'set/k') }, 100)).toBeUndefined();
    expect(bench.reader.takeIn({ ...at, path: 'k', policy: policies.of('', 'k') }, 100)).toBeDefined();
  });
});

describe('what is kept from the second read on', () => {
  test('is passed through once, kept then, and there the third time', async () => {
    const { read } = await scene({ cache: 'second-read' });
    expect([await read(), await read(), await read()]).toEqual(['bypass', 'miss', 'hit']);
  });

  test('is not kept by one pass over it in ranges, and is by the second', async () => {
    const { bench, read } = await scene({ cache: 'second-read' });
    const pass = async () => {
      const seen = new Set<string>();
      for (let at = 0; at < 10_000; at += 500) seen.add(await read(at, at + 500));
      return [...seen];
    };
    expect([await pass(), bench.store.usage.pages]).toEqual([['bypass'], 0]);
    await pass();
    expect(await pass()).toEqual(['hit']);
  });
});

describe('a page that is too old', () => {
  test('is filled again, in short answers and long ones, and is a hit until then', async () => {
    const { bench, read } = await scene({ ttlMs: 60_000 });
    expect([await read(), await read(), await read(0, 100)]).toEqual(['miss', 'hit', 'hit']);
    await bench.clock.pass(59_000);
    expect([await read(), await read(0, 100)]).toEqual(['hit', 'hit']);
    await bench.clock.pass(1_000);
    expect([await read(0, 100), await read(5_000, 10_000), await read()]).toEqual(['miss', 'miss', 'hit']);
  });
});
