import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { churnKey, churnKeys, churnPage } from '../churn-pages.ts';
import { DiskBench } from '../disk-bench.ts';

let bench: DiskBench;
beforeEach(async () => {
  bench = await DiskBench.make();
});
afterEach(() => bench.close());

test('another thread reads pages right by itself while regions are written and given up', async () => {
  const store = await bench.open({ capacityBytes: 1_200_000 });
  const flag = new SharedArrayBuffer(4);
  const workerData = { memory: store.tableMemory, paths: [bench.path], flag };
  const thread = new Worker(new URL('./disk-reading-thread.ts', import.meta.url), { workerData });
  const answer = new Promise<{ found: number; wrong: number; absent: number }>((resolve, reject) =>
    thread.once('message', resolve).once('error', reject),
  );
  await new Promise((resolve) => thread.once('online', resolve));
  for (let i = 0; i < 250; i++) {
    const number = (i * 7) % churnKeys;
    await store.write(churnKey(number), churnPage(number));
    if (i % 50 === 0) await store.remove('mount', `key-${number}`);
  }
  Atomics.store(new Int32Array(flag), 0, 1);
  const { found, wrong, absent } = await answer;
  expect(wrong).toBe(0);
  expect(found).toBeGreaterThan(0);
  expect(absent).toBeGreaterThan(0);
  await thread.terminate();
});
