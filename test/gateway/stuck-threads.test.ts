import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { threadsReadiness } from '../../src/cli/shared-with-threads.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { MirrorFeed } from '../../src/coord/mirror-feed.ts';
import { IoThreads } from '../../src/gateway/io-threads.ts';
import { ThreadBoard } from '../../src/gateway/thread-board.ts';

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds() && i < 1000; i++) await sleep(20);
  expect(holds()).toBe(true);
}

test('a thread that hangs does not count as running, and is started again', async () => {
  const store = createMemoryStore(systemClock, systemRandom);
  const board = ThreadBoard.create(2);
  const starts = new SharedArrayBuffer(4);
  const forgotten: number[] = [];
  const parts = {
    board,
    feed: await MirrorFeed.open(systemClock, store, board.changes),
    lines: () => {},
    forget: (thread: number) => void forgotten.push(thread),
  };
  const threads = await IoThreads.start(systemClock, silentLog(), parts, {
    entry: new URL('./stuck-thread.ts', import.meta.url),
    job: { starts },
    maxHeapMiB: 64,
    count: 1,
    host: '127.0.0.1',
    port: 0,
    countEveryMs: 80,
  });
  try {
    expect(threadsReadiness(threads)).toEqual({ details: { ioThreads: { running: 1, of: 1 } } });
    await until(() => threads.running === 0);
    // It has not been ended yet.
    expect(forgotten).toEqual([]);
    expect(threadsReadiness(threads).reasonNotReady).toContain('no I/O thread runs');
    await until(() => threads.running === 1);
    expect([forgotten, Atomics.load(new Int32Array(starts), 0)]).toEqual([[1], 2]);
  } finally {
    await threads.close(100);
    await parts.feed.close();
    await store.close();
  }
}, 60_000);
