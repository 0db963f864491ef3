import { expect, test } from '@jest/globals';
import { BucketGate } from '../../src/gateway/bucket-gate.ts';

const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

test('a deletion waits for the commits under way and holds off those to come', async () => {
  const gate = new BucketGate();
  const order: string[] = [];
  const leaveFirst = await gate.enterCommit('b');
  const deletion = gate.deleteAlone('b', async () => {
    order.push('deleting');
    await soon();
    order.push('deleted');
  });
  const second = gate.enterCommit('b').then((leave) => {
    order.push('second commit');
    leave();
  });
  await soon();
  expect(order).toEqual([]);
  leaveFirst();
  await Promise.all([deletion, second]);
  expect(order).toEqual(['deleting', 'deleted', 'second commit']);
});

test('a failed deletion lets commits go on, and other buckets are never held', async () => {
  const gate = new BucketGate();
  const failing = gate.deleteAlone('b', async () => {
    await soon();
    throw new Error('not empty');
  });
  (await gate.enterCommit('other'))();
  await expect(failing).rejects.toThrow('not empty');
  (await gate.enterCommit('b'))();
  await gate.deleteAlone('b', async () => {});
});

test('deletions of one bucket run one after the other', async () => {
  const gate = new BucketGate();
  let running = 0;
  const deletions = Array.from({ length: 5 }, () =>
    gate.deleteAlone('b', async () => {
      running++;
      expect(running).toBe(1);
      await soon();
      running--;
    }),
  );
  await Promise.all(deletions);
});
