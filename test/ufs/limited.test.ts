import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { ByteRate } from '../../src/ufs/byte-rate.ts';
import { limitedBackend, shareOf } from '../../src/ufs/limited.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { backendContract, kindOf, plain, put, readAll } from '../contracts/backend.ts';
import { until } from '../support/until.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { ManualClock } from '../worker/manual-clock.ts';

const memory = () => new MemoryBackend(systemClock, systemRandom, { minPartSizeBytes: 5 });

backendContract('a backend within limits', async () => {
  const inner = memory();
  const limits = { maxRequests: 4, maxBytesPerSecond: 1_000_000_000 };
  const backend = limitedBackend(systemClock, inner, limits);
  return { backend, leftovers: async () => [], close: () => backend.close() };
});

test('without limits a backend is what it was', () => {
  const inner = memory();
  expect(limitedBackend(systemClock, inner, {})).toBe(inner);
});

test('no more calls are under way than are allowed, and the others come after them', async () => {
  const inner = memory();
  let now = 0;
  let most = 0;
  const head = inner.head.bind(inner);
  inner.head = async (key) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    return head(key);
  };
  await put(inner, 'k', 'x');
  const backend = limitedBackend(systemClock, inner, { maxRequests: 3 });
  await Promise.all(Array.from({ length: 50 }, () => backend.head('k')));
  expect(most).toBe(3);
  // A failure gives its room back too.
  for (let i = 0; i < 5; i++) expect(await kindOf(backend.head('none'))).toBe('not-found');
});

test('a reader that waits for its own client makes room, so that reading into a put comes to an end', async () => {
  const backend = limitedBackend(systemClock, memory(), { maxRequests: 1 });
  const bytes = someBytes(3_000_000);
  const meta = await put(backend, 'k', bytes);
  const body = new TestBody(bytes);
  const source = backend.read('k', meta, { start: 0, end: bytes.length });
  const through = Object.assign(Object.create(body), {
    sizeBytes: bytes.length,
    [Symbol.asyncIterator]: async function* () {
      yield* source;
      for await (const _ of body);
    },
  }) as TestBody;
  await backend.put('copy', through, plain);
  expect((await readAll(backend, 'copy', await backend.head('copy'))).equals(bytes)).toBe(true);
});

test('a reader that asks for something else between two pieces is not in its own way', async () => {
  const backend = limitedBackend(systemClock, memory(), { maxRequests: 1 });
  const meta = await put(backend, 'k', someBytes(3_000_000));
  let pieces = 0;
  for await (const _ of backend.read('k', meta, { start: 0, end: meta.sizeBytes })) {
    expect((await backend.head('k')).generation).toBe(meta.generation);
    pieces++;
  }
  expect(pieces).toBeGreaterThan(1);
});

test('bytes pass at the rate that is allowed, after what one second brings', async () => {
  const clock = new ManualClock();
  const rate = new ByteRate(clock, 'b', () => 1_000);
  await rate.pass(1_000, undefined);
  let passed = 0;
  const passing = (async () => {
    for (let i = 0; i < 4; i++) {
      await rate.pass(500, undefined);
      passed++;
    }
  })();
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    await clock.pass(499);
    seen.push(passed);
    await clock.pass(1);
    seen.push(passed);
  }
  await passing;
  expect(seen).toEqual([0, 1, 1, 2, 2, 3, 3, 4]);
});

test('a caller that goes away does not wait for bytes that it does not want', async () => {
  const clock = new ManualClock();
  const rate = new ByteRate(clock, 'b', () => 1);
  const gone = new AbortController();
  const passing = rate.pass(1_000_000, gone.signal);
  gone.abort();
  expect(await kindOf(passing)).toBe('cancelled');
});

test('what is read and written through a mount counts together', async () => {
  const clock = new ManualClock();
  const backend = limitedBackend(clock, memory(), { maxBytesPerSecond: 100_000 });
  const meta = await put(backend, 'k', someBytes(60_000));
  let read = false;
  const reading = readAll(backend, 'k', meta).then(() => {
    read = true;
  });
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  expect([read, clock.sleeperCount]).toEqual([false, 1]);
  await clock.pass(200);
  await reading;
});

test('nodes share the calls of a mount evenly, the first ones with one more, and each has one', () => {
  const sharesOf = (total: number, count: number) =>
    Array.from({ length: count }, (_, place) => shareOf(total, { place, count }));
  expect(sharesOf(10, 4)).toEqual([3, 3, 2, 2]);
  expect(sharesOf(10, 1)).toEqual([10]);
  expect(sharesOf(2, 4)).toEqual([1, 1, 1, 1]);
});

test('a share that has grown lets in who waits', async () => {
  const inner = memory();
  let count = 4;
  const node = () => ({ place: 0, count });
  let underWay = 0;
  let most = 0;
  const slow = new Proxy(inner, {
    get: (target, name) => {
      if (name !== 'head') return Reflect.get(target, name, target) as unknown;
      return async () => {
        most = Math.max(most, ++underWay);
        await held.promise;
        underWay--;
        throw new Error('none');
      };
    },
  });
  const held = Promise.withResolvers<void>();
  const backend = limitedBackend(systemClock, slow, { maxRequests: 8 }, node);
  const calls = Array.from({ length: 8 }, () => backend.head('key').catch(() => {}));
  await systemClock.sleep(50);
  expect(most).toBe(2);
  count = 2;
  await until(() => underWay === 4);
  held.resolve();
  await Promise.all(calls);
  expect(most).toBe(4);
});
