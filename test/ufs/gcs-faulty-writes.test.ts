import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { getAll, kindOf, plain, put } from '../contracts/backend.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { everything, failureOf, type GcsUnderTest, hasty, startGcs } from './gcs-under-test.ts';

let gcs: GcsUnderTest;

beforeEach(async () => {
  gcs = await startGcs({ tuning: hasty });
});
afterEach(() => gcs.close());

const large = 700_000;

describe('writes', () => {
  test.each<[string, string, string, Fault, string]>([
    ['a small put', 'POST', 'uploadType=multipart', { kind: 'lose' }, 'small'],
    [
      'a small put that a proxy answers',
      'POST',
      'uploadType=multipart',
      { kind: 'replace', status: 502, body: '' },
      'small',
    ],
    ['a large put', 'POST', 'rewriteTo', { kind: 'lose' }, 'large'],
    [
      'a large put that a proxy answers',
      'POST',
      'rewriteTo',
      { kind: 'replace', status: 503, body: '' },
      'large',
    ],
    ['a copy', 'POST', 'rewriteTo', { kind: 'lose' }, 'copy'],
    ['a Complete', 'POST', '/compose', { kind: 'lose' }, 'complete'],
    ['a change of tags', 'PATCH', '', { kind: 'lose' }, 'amend'],
    ['a delete', 'DELETE', '/in%2Fk?', { kind: 'lose' }, 'delete'],
  ])('the lost answer to %s is resolved, and nothing is sent twice', async (_, method, text, fault, what) => {
    const { backend, proxy } = gcs;
    const old = await put(backend, 'k', 'old');
    const upload = await backend.createUpload('k', plain);
    const part = await backend.putPart('k', upload.uploadId, 1, new TestBody('part'));
    const before = proxy.count(method, text);
    proxy.strike(method, text, fault, 1);
    const calls: Record<string, () => Promise<unknown>> = {
      small: () => put(backend, 'k', 'small'),
      large: () => put(backend, 'k', someBytes(large)),
      copy: () => backend.copy('k', 'c', { sourceGeneration: old.generation }),
      complete: () => backend.completeUpload('k', upload.uploadId, [{ ...part, checksums: {} }]),
      amend: () => backend.amend('k', { tags: [{ key: 'a', value: 'b' }] }),
      delete: () => backend.delete('k'),
    };
    const made = await calls[what]?.();
    expect(proxy.faults).toBe(1);
    expect(proxy.count(method, text) - before).toBe(1);
    if (what === 'delete') return void expect(await kindOf(backend.head('k'))).toBe('not-found');
    expect(made).toEqual(await backend.head(what === 'copy' ? 'c' : 'k'));
  });

  test.each(['small', 'large'])(
    'a %s put that was never taken is told as unknown, not as refused',
    async (what) => {
      await put(gcs.backend, 'k', 'old');
      const text = what === 'small' ? 'uploadType=multipart' : 'rewriteTo';
      gcs.proxy.strike('POST', text, { kind: 'refuse', status: 500 }, 1);
      const error = await failureOf(put(gcs.backend, 'k', what === 'small' ? 'new' : someBytes(large)));
      expect([error.kind, error.unresolved, error.retryable]).toEqual(['unavailable', true, false]);
      expect(gcs.proxy.faults).toBe(1);
      expect((await getAll(gcs.backend, 'k')).toString()).toBe('old');
      // It may come yet, so that nobody is to keep what is there now.
      expect((await gcs.backend.head('k')).generationSettled).toBe(false);
      expect((await put(gcs.backend, 'k', 'later')).generationSettled).toBe(true);
    },
  );

  test.each(['put', 'delete'])('a %s that comes late, behind another put, changes nothing', async (what) => {
    await put(gcs.backend, 'k', 'old');
    const until = Promise.withResolvers<void>();
    const landed = Promise.withResolvers<number>();
    const late = { kind: 'late', until: until.promise, landed: landed.resolve } as const;
    if (what === 'put') gcs.proxy.strike('POST', 'uploadType=multipart', late, 1);
    else gcs.proxy.strike('DELETE', '', late, 1);
    const first = what === 'put' ? put(gcs.backend, 'k', 'late') : gcs.backend.delete('k');
    expect((await failureOf(first)).unresolved).toBe(true);
    const second = await put(gcs.backend, 'k', 'second');
    until.resolve();
    expect(await landed.promise).toBe(412);
    expect((await gcs.backend.head('k')).generation).toBe(second.generation);
  });

  test('a put where there was nothing carries that there is nothing, so that it does not come late either', async () => {
    const until = Promise.withResolvers<void>();
    const landed = Promise.withResolvers<number>();
    gcs.proxy.strike(
      'POST',
      'uploadType=multipart',
      { kind: 'late', until: until.promise, landed: landed.resolve },
      1,
    );
    expect((await failureOf(put(gcs.backend, 'k', 'late'))).unresolved).toBe(true);
    const absent = await failureOf(gcs.backend.head('k'));
    expect([absent.kind, absent.unresolved]).toEqual(['not-found', true]);
    await put(gcs.backend, 'k', 'second');
    until.resolve();
    expect(await landed.promise).toBe(412);
    expect((await getAll(gcs.backend, 'k')).toString()).toBe('second');
  });

  test('a writer that others come before begins again with what they left, and gives up as throttled', async () => {
    let others = 0;
    const overtake = (most: number) => {
      others = 0;
      gcs.proxy.rule = ({ method, url }) => {
        if (method !== 'POST' || !url.includes('uploadType=multipart') || others >= most) return undefined;
        others++;
        return {
          kind: 'before',
          run: async () => void gcs.stub.store.put('in/k', {}, Buffer.from('other'), {}),
        };
      };
    };
    overtake(3);
    await put(gcs.backend, 'k', 'mine');
    expect((await getAll(gcs.backend, 'k')).toString()).toBe('mine');
    overtake(100);
    expect(await kindOf(put(gcs.backend, 'k', 'mine again'))).toBe('throttled');
    expect((await getAll(gcs.backend, 'k')).toString()).toBe('other');
  });

  test.each([429, 403])(
    'a write that the storage puts off with %d is sent once and told as throttled',
    async (status) => {
      const body = JSON.stringify({
        error: { code: status, message: 'slow', errors: [{ reason: 'rateLimitExceeded' }] },
      });
      gcs.proxy.strike('POST', 'uploadType=multipart', { kind: 'refuse', status, body });
      const error = await failureOf(put(gcs.backend, 'k', 'x'));
      expect([error.kind, error.retryable, error.unresolved]).toEqual(['throttled', true, false]);
      expect(gcs.proxy.faults).toBe(1);
    },
  );

  test('over storage that was not seen to decide, a lost put holds the next ones of its key up', async () => {
    const backend = gcs.open({
      abilities: { ...everything, conditionalPut: false, conditionalCreate: false },
    });
    gcs.proxy.strike('POST', 'uploadType=multipart', { kind: 'refuse', status: 500 }, 1);
    expect((await failureOf(put(backend, 'k', 'x'))).unresolved).toBe(true);
    expect(await kindOf(put(backend, 'k', 'y'))).toBe('throttled');
    expect(await kindOf(put(backend, 'other', 'y', { condition: { ifNoneMatch: '*' } }))).toBe(
      'not-implemented',
    );
    await put(backend, 'other', 'y');
  });
});
