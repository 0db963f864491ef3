import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type Clock, systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { Backend } from '../../src/ufs/backend.ts';
import { UfsError } from '../../src/ufs/errors.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { getAll, kindOf, listAll, put } from '../contracts/backend.ts';
import { someBytes } from '../support/upload-body.ts';
import { failingBackend } from './failing-backend.ts';
import { latePuts } from './late-puts.ts';
import { openWriteBack, type WriteBackOptions, type WriteBackUnderTest } from './write-back-under-test.ts';

const never = new AbortController().signal;

/** A storage in memory that counts what is asked of it, by operation. */
function counted(): { inner: MemoryBackend; calls: string[]; backend: Backend } {
  const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
  const calls: string[] = [];
  const backend = failingBackend(inner, (operation, key) => {
    calls.push(`${operation} ${key}`);
    return undefined;
  });
  return { inner, calls, backend };
}

async function withWriteBack(
  backend: Backend,
  options: WriteBackOptions,
  run: (under: WriteBackUnderTest) => Promise<void>,
): Promise<void> {
  const under = await openWriteBack(backend, options);
  try {
    await run(under);
  } finally {
    await under.close();
  }
}

const held = { persister: { delayMs: Number.POSITIVE_INFINITY } };

describe('write mode back', () => {
  test('what is overwritten before any attempt costs the storage nothing', async () => {
    const { inner, calls, backend } = counted();
    await withWriteBack(backend, held, async ({ backend: back, persister, results }) => {
      for (let i = 0; i < 50; i++) await put(back, 'k', `version ${i}`);
      expect(calls).toEqual([]);
      expect((await getAll(back, 'k')).toString()).toBe('version 49');
      await persister.flush('k', never);
      expect(calls).toEqual(['head k', 'put k']);
      expect((await getAll(inner, 'k')).toString()).toBe('version 49');
      expect(results).toEqual({ persisted: 1 });
    });
  });

  test('a write that waits for later ones of its key waits once, however many come', async () => {
    const { inner, calls, backend } = counted();
    let sleepers = 0;
    let most = 0;
    const clock: Clock = {
      nowMs: () => systemClock.nowMs(),
      monotonicMs: () => systemClock.monotonicMs(),
      sleep: async (ms, signal) => {
        most = Math.max(most, ++sleepers);
        await systemClock.sleep(ms, signal).finally(() => sleepers--);
      },
    };
    const options = { clock, persister: { delayMs: 400 } };
    await withWriteBack(backend, options, async ({ backend: back, chain }) => {
      for (let i = 0; i < 60; i++) await put(back, `k${i % 3}`, `version ${i}`);
      while (!chain.isEmpty) await systemClock.sleep(5);
      for (const key of ['k0', 'k1', 'k2']) {
        expect((await getAll(inner, key)).toString()).toMatch(/^version 5[789]$/);
      }
    });
    expect(calls.filter((call) => call.startsWith('put')).length).toBeLessThan(60);
    expect(most).toBeLessThan(10);
  });

  test('what is put and deleted before any attempt costs the storage a look, and nothing where it is known to have nothing', async () => {
    const { inner, calls, backend } = counted();
    await withWriteBack(backend, held, async ({ backend: back, persister }) => {
      for (const expected of [['head k'], []]) {
        calls.splice(0);
        await put(back, 'k', 'x');
        await back.delete('k');
        expect(await kindOf(back.head('k'))).toBe('not-found');
        await persister.flush('k', never);
        expect(calls).toEqual(expected);
      }
      await put(back, 'k', 'y');
      await persister.flush('k', never);
      expect((await getAll(inner, 'k')).toString()).toBe('y');
      await back.delete('k');
      await persister.flush('k', never);
      expect(await kindOf(inner.head('k'))).toBe('not-found');
    });
  });

  test('what was sent without an answer is resolved by its stamp, and comes before what follows', async () => {
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    const puts: string[] = [];
    let fault: 'lost' | 'refused' | undefined = 'lost';
    const faulty = failingBackend(inner, (operation) => {
      puts.push(operation);
      return operation === 'put' ? fault : undefined;
    });
    const options = { persister: { delayMs: Number.POSITIVE_INFINITY, settleMs: 5 } };
    await withWriteBack(faulty, options, async ({ backend: back, persister, chain, results }) => {
      const made = await put(back, 'k', 'first');
      const flushed = persister.flush('k', never);
      await put(back, 'k', 'second');
      fault = undefined;
      await flushed;
      expect((await getAll(inner, 'k')).toString()).toBe('second');
      expect(results.persisted).toBeGreaterThanOrEqual(1);
      expect(chain.isEmpty).toBe(true);
      expect(await kindOf(getAllOf(back, made))).toBe('moved');
    });
  });

  test('everything is there again after the node was killed, and persisted once', async () => {
    const path = await mkdtemp(join(tmpdir(), 'forebay-pending-'));
    const { inner, calls, backend } = counted();
    try {
      const first = await openWriteBack(backend, { ...held, path });
      const bodies = [someBytes(0), someBytes(4_000, 2), someBytes(300_000, 3)];
      const about = { userMetadata: { a: 'b' }, tags: [{ key: 'x', value: 'y' }] };
      for (const [i, bytes] of bodies.entries()) await put(first.backend, `k${i}`, bytes, about);
      await put(inner, 'gone', 'x');
      await first.backend.delete('gone');
      const before = await Promise.all(bodies.map((_, i) => first.backend.head(`k${i}`)));
      await first.journal.close();
      const second = await openWriteBack(backend, { ...held, path });
      expect(await listAll(second.backend)).toEqual(['k0', 'k1', 'k2']);
      for (const [i, bytes] of bodies.entries()) {
        expect(await second.backend.head(`k${i}`)).toEqual(before[i]);
        expect((await getAll(second.backend, `k${i}`)).equals(bytes)).toBe(true);
      }
      await second.persister.flushAll('', never);
      expect(calls.filter((call) => call.startsWith('put'))).toHaveLength(3);
      for (const [i, bytes] of bodies.entries()) {
        expect((await getAll(inner, `k${i}`)).equals(bytes)).toBe(true);
        expect(await second.backend.head(`k${i}`)).toEqual(before[i]);
        expect(await inner.getTags(`k${i}`)).toEqual(about.tags);
      }
      expect(await kindOf(inner.head('gone'))).toBe('not-found');
      expect(second.journal.usage.bytes).toBe(0);
      await second.close();
      expect(await readdir(join(path, 'pending', 'bodies'))).toEqual([]);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  });

  test('what somebody else wrote after an attempt went out stays, and ours is put aside', async () => {
    const path = await mkdtemp(join(tmpdir(), 'forebay-pending-'));
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    let fails = true;
    const faulty = failingBackend(inner, (operation) =>
      operation === 'put' && fails ? 'refused' : undefined,
    );
    try {
      const options = { path, persister: { retryMs: [1, 2] as const } };
      await withWriteBack(faulty, options, async ({ backend: back, persister, results }) => {
        await put(inner, 'k', 'before');
        await put(back, 'k', 'ours');
        while (!results.failed) await systemClock.sleep(2);
        await put(inner, 'k', 'theirs');
        fails = false;
        await persister.flush('k', never);
        expect(results.conflict).toBe(1);
        expect((await getAll(back, 'k')).toString()).toBe('theirs');
      });
      const kept = (await readdir(join(path, 'pending', 'conflicts'))).sort();
      expect(kept.map((name) => name.replace(/^.*\./, ''))).toEqual(['body', 'json']);
      const body = await readFile(join(path, 'pending', 'conflicts', kept[0] as string), 'utf8');
      expect(body).toBe('ours');
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  });

  test.each(['its stamp', 'being remembered'])(
    'a condition that got no answer and takes effect later is known by %s, and gives way to what was acknowledged since',
    async (how) => {
      const path = await mkdtemp(join(tmpdir(), 'forebay-pending-'));
      const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
      const late: (() => Promise<unknown>)[] = [];
      let fails = false;
      const storage = latePuts(inner, (land) => {
        if (late.length > 0) return fails ? 'refused' : undefined;
        late.push(land);
        return 'late';
      });
      // What the journal has no room for goes to the storage as it comes, and without a stamp.
      const capacityBytes = how === 'its stamp' ? 1e9 : 4_000;
      const options = {
        path,
        capacityBytes,
        persister: { retryMs: [1, 2] as const },
        // A stamp is known however long ago it was given.
        backend: { settleMs: how === 'its stamp' ? 1 : 60_000 },
      };
      try {
        let under = await openWriteBack(storage, options);
        const created = put(under.backend, 'k', someBytes(6_000), { condition: { ifNoneMatch: '*' } });
        expect(await kindOf(created)).toBe('unavailable');
        if (how === 'its stamp') {
          await under.journal.close();
          under = await openWriteBack(storage, options);
        }
        const { backend: back, results } = under;
        fails = true;
        await put(back, 'k', 'acknowledged');
        while (!results.failed) await systemClock.sleep(2);
        await late[0]?.();
        expect((await inner.head('k')).sizeBytes).toBe(6_000);
        fails = false;
        while (!results.persisted && !results.conflict) await systemClock.sleep(2);
        expect(results.conflict).toBeUndefined();
        expect((await getAll(inner, 'k')).toString()).toBe('acknowledged');
        // It stays pending as long as what came late could come once more.
        if (how !== 'its stamp') expect(under.chain.isEmpty).toBe(false);
        await under.close();
      } finally {
        await rm(path, { recursive: true, force: true });
      }
    },
  );

  test('a condition that got no answer before the node was killed does not bring back what is deleted since', async () => {
    const path = await mkdtemp(join(tmpdir(), 'forebay-pending-'));
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    const late: (() => Promise<unknown>)[] = [];
    const storage = latePuts(inner, (land) => {
      late.push(land);
      return 'late';
    });
    const options = { path, persister: { retryMs: [1, 2] as const }, backend: { settleMs: 3_000 } };
    try {
      const first = await openWriteBack(storage, options);
      const condition = { ifNoneMatch: '*' } as const;
      expect(await kindOf(put(first.backend, 'k', 'created', { condition }))).toBe('unavailable');
      await first.journal.close();
      const { backend: back, persister, results, close } = await openWriteBack(storage, options);
      await back.delete('k');
      while (!results.persisted) await systemClock.sleep(2);
      await late[0]?.();
      expect((await getAll(inner, 'k')).toString()).toBe('created');
      expect(await kindOf(back.head('k'))).toBe('not-found');
      await persister.flush('k', never);
      expect(await kindOf(inner.head('k'))).toBe('not-found');
      await close();
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  }, 60_000);

  test('a deletion that there is no room for waits for what got no answer and would come back', async () => {
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    const late: (() => Promise<unknown>)[] = [];
    const storage = latePuts(inner, (land) => {
      late.push(land);
      return 'late';
    });
    const condition = { ifNoneMatch: '*' } as const;
    const full = { capacityBytes: 100, backend: { settleMs: 60_000, barrierMs: 30 } };
    await withWriteBack(storage, full, async ({ backend: back }) => {
      expect(await kindOf(put(back, 'k', 'created', { condition }))).toBe('unavailable');
      expect(await kindOf(back.delete('k'))).toBe('throttled');
      await late[0]?.();
      expect((await back.head('k')).sizeBytes).toBe(7);
      await back.delete('another');
    });
    await withWriteBack(storage, { ...full, backend: { settleMs: 30 } }, async ({ backend: back }) => {
      expect(await kindOf(put(back, 'k2', 'created', { condition }))).toBe('unavailable');
      await back.delete('k2');
    });
  });

  test('a copy that got no answer and takes effect later gives way to what was acknowledged since, and is not taken for somebody else’s', async () => {
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    let land: (() => Promise<unknown>) | undefined;
    const storage = new Proxy<Backend>(inner, {
      get: (target, name) => {
        if (name === 'copy') {
          return (...all: Parameters<Backend['copy']>) => {
            land = () => inner.copy(...all);
            const about = { backend: inner.uri, key: 'k', unresolved: true };
            return Promise.reject(new UfsError('unavailable', 'the storage does not answer', about));
          };
        }
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const options = { backend: { settleMs: 1_000 } };
    await withWriteBack(storage, options, async ({ backend: back, persister, results }) => {
      await put(inner, 'source', 'copied');
      const { generation } = await back.head('source');
      expect(await kindOf(back.copy('source', 'k', { sourceGeneration: generation }))).toBe('unavailable');
      await put(back, 'k', 'acknowledged');
      // It is looked at once more when the copy cannot come any more.
      while (!results.persisted) await systemClock.sleep(2);
      await land?.();
      expect((await getAll(inner, 'k')).toString()).toBe('copied');
      await persister.flush('k', never);
      expect(results.conflict).toBeUndefined();
      expect((await getAll(inner, 'k')).toString()).toBe('acknowledged');
    });
  }, 60_000);

  test('what somebody else writes between the look and the attempt is not overwritten', async () => {
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    let others: Promise<unknown> | undefined;
    const faulty = failingBackend(inner, (operation) => {
      if (operation === 'put') others ??= put(inner, 'k', 'theirs');
      return undefined;
    });
    await withWriteBack(faulty, held, async ({ backend: back, persister, results }) => {
      await put(back, 'k', 'ours');
      await persister.flush('k', never);
      await others;
      expect(results).toEqual({ again: 1, conflict: 1 });
      expect((await getAll(inner, 'k')).toString()).toBe('theirs');
    });
  });

  test.each(['through', 'slow-down'] as const)(
    'a write that the journal has no room for goes %s',
    async (whenFull) => {
      const { inner, backend } = counted();
      const options = { ...held, capacityBytes: 20_000, backend: { whenFull } };
      await withWriteBack(backend, options, async ({ backend: back, persister }) => {
        await put(back, 'k', someBytes(10_000, 1));
        const large = put(back, 'k', someBytes(12_000, 2));
        if (whenFull === 'slow-down') {
          expect(await kindOf(large)).toBe('throttled');
          expect((await getAll(back, 'k')).equals(someBytes(10_000, 1))).toBe(true);
        } else {
          await large;
          expect((await getAll(inner, 'k')).equals(someBytes(12_000, 2))).toBe(true);
        }
        await persister.flush('k', never);
        await put(back, 'k', someBytes(12_000, 3));
        expect((await getAll(back, 'k')).equals(someBytes(12_000, 3))).toBe(true);
      });
    },
  );

  test('a condition waits for what is pending, and no longer than it may', async () => {
    const inner = new MemoryBackend(systemClock, systemRandom, { versions: false });
    let fault: 'refused' | undefined = 'refused';
    const faulty = failingBackend(inner, () => fault);
    await withWriteBack(faulty, { backend: { barrierMs: 30 } }, async ({ backend: back }) => {
      const { etag } = await put(back, 'k', 'one');
      const condition = { ifMatch: etag };
      expect(await kindOf(put(back, 'k', 'two', { condition }))).toBe('throttled');
      fault = undefined;
      while (
        (await kindOf(put(back, 'k', 'three', { condition: { ifNoneMatch: '*' } }))) !== 'precondition-failed'
      );
      // However long the machine takes to bring the first one there.
      const outcome = () =>
        put(back, 'k', 'two', { condition }).then(
          () => 'done',
          ({ kind }: UfsError) => kind,
        );
      let came: string;
      do came = await outcome();
      while (came === 'throttled');
      expect(came).toBe('done');
      expect((await getAll(inner, 'k')).toString()).toBe('two');
    });
  });
});

async function getAllOf(backend: Backend, meta: Awaited<ReturnType<Backend['head']>>): Promise<void> {
  for await (const _ of backend.read('k', meta, { start: 0, end: 1 })) return;
}
