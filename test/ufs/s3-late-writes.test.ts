import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { getAll, kindOf, plain, put } from '../contracts/backend.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { everything, type S3UnderTest, startS3 } from './s3-under-test.ts';

const settlingMs = 400;
const tuning = { settlingMs, retry: { attempts: 3, baseMs: 5, capMs: 10 } };
/** A server that decides no condition by itself. */
const nothing = {
  ...everything,
  conditionalCreate: false,
  conditionalPut: false,
  conditionalDelete: false,
  conditionalCopy: false,
  conditionalCompleteCreate: false,
  conditionalComplete: false,
};

let s3: S3UnderTest;
beforeEach(async () => {
  s3 = await startS3({ tuning });
});
afterEach(() => s3.close());

/** Keeps back the next request of this kind, whose sender is cut off; `land` lets it go and gives the server's answer. */
function keepBack(method: string, text: string): { land(): Promise<number> } {
  const released = Promise.withResolvers<void>();
  const landed = Promise.withResolvers<number>();
  s3.proxy.strike(method, text, { kind: 'late', until: released.promise, landed: landed.resolve }, 1);
  return {
    land: () => {
      expect(s3.proxy.faults).toBe(1);
      released.resolve();
      return landed.promise;
    },
  };
}

/** Past the proxy. */
const direct = () => ({ endpoint: `http://127.0.0.1:${s3.gateway.port}` });

const sizes = [1_000, 600_000];

describe('where the backend compares and sets', () => {
  test.each(sizes)('a late PUT of %d bytes fails once a later one was acknowledged', async (sizeBytes) => {
    for (const before of [undefined, 'before']) {
      const key = `k-${before}`;
      if (before) await put(s3.backend, key, before);
      s3.proxy.faults = 0;
      const late = keepBack('PUT', key);
      expect(await kindOf(put(s3.backend, key, someBytes(sizeBytes, 1)))).toBe('unavailable');
      const { etag } = await put(s3.backend, key, someBytes(sizeBytes, 2));
      expect(await late.land()).toBe(412);
      expect(await s3.backend.head(key)).toMatchObject({ etag, generationSettled: true });
      expect((await getAll(s3.backend, key)).equals(someBytes(sizeBytes, 2))).toBe(true);
    }
  });

  test('a late DELETE, Copy or Complete fails too', async () => {
    const source = await put(s3.backend, 'source', 'the source');
    const { uploadId } = await s3.backend.createUpload('k', plain);
    const parts = [await s3.backend.putPart('k', uploadId, 1, new TestBody('the part'))];
    for (const [method, text, change] of [
      ['DELETE', '/k', () => s3.backend.delete('k')],
      ['PUT', '/k', () => s3.backend.copy('source', 'k', { sourceGeneration: source.generation })],
      ['POST', 'uploadId', () => s3.backend.completeUpload('k', uploadId, parts)],
    ] as const) {
      await put(s3.backend, 'k', `before ${method}`);
      s3.proxy.faults = 0;
      const late = keepBack(method, text);
      expect([method, await kindOf(change())]).toEqual([method, 'unavailable']);
      await put(s3.backend, 'k', `after ${method}`);
      expect([method, await late.land()]).toEqual([method, 412]);
      expect((await getAll(s3.backend, 'k')).toString()).toBe(`after ${method}`);
    }
  });

  test('what a late change could still replace is not settled, and its absence not to be remembered', async () => {
    const before = await put(s3.backend, 'k', 'before');
    expect(before.generationSettled).toBe(true);
    const late = keepBack('PUT', '/k');
    expect(await kindOf(put(s3.backend, 'k', 'late'))).toBe('unavailable');
    expect(await s3.backend.head('k')).toMatchObject({ etag: before.etag, generationSettled: false });
    expect(await late.land()).toBe(200);
    expect((await s3.backend.head('k')).generationSettled).toBe(true);
    // The same bytes again: the late one could land over them too.
    expect((await put(s3.backend, 'k', 'before')).generationSettled).toBe(false);

    s3.proxy.faults = 0;
    const made = keepBack('PUT', '/new');
    expect(await kindOf(put(s3.backend, 'new', 'late'))).toBe('unavailable');
    await expect(s3.backend.head('new')).rejects.toMatchObject({ kind: 'not-found', unresolved: true });
    await expect(s3.backend.head('other')).rejects.toMatchObject({ kind: 'not-found', unresolved: false });
    expect(await made.land()).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, settlingMs));
    await s3.backend.delete('new');
    await expect(s3.backend.head('new')).rejects.toMatchObject({ kind: 'not-found', unresolved: false });
  });

  test('a write that others were before begins again, if its body is at hand', async () => {
    await put(s3.backend, 'k', 'one');
    let overtaken = 0;
    s3.proxy.rule = ({ method, url }) => {
      if (method !== 'PUT' || !url.includes('/k') || overtaken === 2) return undefined;
      overtaken++;
      const run = () => s3.storage.put('under/k', new TestBody(`other ${overtaken}`), plain);
      return { kind: 'before', run };
    };
    await put(s3.backend, 'k', 'mine');
    expect([overtaken, (await getAll(s3.backend, 'k')).toString()]).toEqual([2, 'mine']);
    overtaken = 1;
    const streamed = put(s3.backend, 'k', someBytes(600_000));
    await expect(streamed).rejects.toMatchObject({ kind: 'throttled', retryable: true, unresolved: false });
    expect((await getAll(s3.backend, 'k')).toString()).toBe('other 2');
  });

  test('changes of one key at once all succeed, and one of them is there', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`);
    const changes = texts.map(async (text, i) => {
      await put(s3.backend, 'k', text);
      if (i % 5 === 4) await s3.backend.delete('k');
      if (i % 5 === 4) await put(s3.backend, 'k', text);
    });
    await Promise.all(changes);
    expect(texts).toContain((await getAll(s3.backend, 'k')).toString());
  });

  test('a copy whose source goes meanwhile has moved, and is not tried again', async () => {
    const { generation } = await put(s3.backend, 'source', 'x');
    await put(s3.backend, 'k', 'y');
    s3.proxy.strike('PUT', '/k', { kind: 'before', run: () => s3.open(direct()).delete('source') });
    const before = s3.proxy.count('PUT', '/k');
    expect(await kindOf(s3.backend.copy('source', 'k', { sourceGeneration: generation }))).toBe('moved');
    expect(s3.proxy.count('PUT', '/k')).toBe(before + 1);
    expect((await getAll(s3.backend, 'k')).toString()).toBe('y');
  });

  test('there is nothing to send for what is not there', async () => {
    await s3.backend.delete('none');
    expect([s3.proxy.count('HEAD'), s3.proxy.count('DELETE')]).toEqual([1, 0]);
  });
});

describe('where it does not', () => {
  test('a later change waits until the lost one has landed or is given up, and no read of the key is kept meanwhile', async () => {
    const backend = s3.open({ abilities: nothing });
    await put(backend, 'k', 'before');
    s3.proxy.seen.length = 0;
    const late = keepBack('PUT', '/k');
    expect(await kindOf(put(backend, 'k', 'late'))).toBe('unavailable');
    const failedMs = performance.now();
    const next = put(backend, 'k', 'next');
    expect((await backend.head('k')).generationSettled).toBe(false);
    expect(await late.land()).toBe(200);
    expect((await getAll(backend, 'k')).toString()).toBe('late');
    expect((await backend.head('k')).generationSettled).toBe(false);
    expect((await next).generationSettled).toBe(true);
    expect(performance.now() - failedMs).toBeGreaterThan(settlingMs - 50);
    expect((await getAll(backend, 'k')).toString()).toBe('next');
    expect(s3.proxy.count('PUT', '/k')).toBe(2);
    // Other keys do not wait.
    expect((await put(backend, 'other', 'x')).generationSettled).toBe(true);
  });

  test('a later change is refused where the wait would be long, and ends with its caller', async () => {
    const waiting = { ...tuning, settlingMs: 60_000, maxHoldMs: 100_000 };
    const patient = s3.open({ abilities: nothing, tuning: waiting });
    const impatient = s3.open({
      abilities: nothing,
      tuning: { ...tuning, settlingMs: 60_000, maxHoldMs: 50 },
    });
    for (const backend of [patient, impatient]) {
      s3.proxy.strike('DELETE', '/k', { kind: 'lose' }, 1);
      expect(await kindOf(backend.delete('k'))).toBe('unavailable');
    }
    await expect(put(impatient, 'k', 'x')).rejects.toMatchObject({ kind: 'throttled', retryable: true });
    expect(await kindOf(put(patient, 'k', 'x', { signal: AbortSignal.timeout(50) }))).toBe('cancelled');
    expect(s3.proxy.count('PUT')).toBe(0);
  });

  test('a change that was surely not made, or is decided by its own condition, holds nothing up', async () => {
    const backend = s3.open({ abilities: nothing, tuning: { ...tuning, settlingMs: 60_000 } });
    const refusal = '<Error><Code>SlowDown</Code></Error>';
    s3.proxy.strike('PUT', '/k', { kind: 'refuse', status: 503, body: refusal }, 1);
    expect(await kindOf(put(backend, 'k', 'x'))).toBe('throttled');
    const nobody = s3.open({ abilities: nothing, endpoint: 'http://127.0.0.1:9' });
    expect(await kindOf(put(nobody, 'k', 'x'))).toBe('unavailable');
    expect((await put(backend, 'k', 'y')).generationSettled).toBe(true);
  });
});
