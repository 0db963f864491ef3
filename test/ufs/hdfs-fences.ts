import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { UfsError } from '../../src/ufs/errors.ts';
import type { HdfsBackend } from '../../src/ufs/hdfs.ts';
import { getAll, kindOf, plain, put } from '../contracts/backend.ts';
import { FaultProxy, type SeenRequest } from '../support/fault-proxy.ts';
import type { HdfsCluster } from '../support/hdfs-cluster.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { type HdfsUnderTest, openHdfs } from './hdfs-under-test.ts';

const group = '0123abcd';

/** Two nodes of a cluster over one directory: the old owner of every key behind a proxy, and the new one. */
interface Pair {
  readonly old: HdfsBackend;
  readonly oldWriter: string;
  readonly proxy: FaultProxy;
  readonly successor: HdfsUnderTest;
  readonly successorWriter: string;
  /** The successor takes over from everybody. */
  fence(): Promise<void>;
  /** Holds the old owner's next rename that fits up until `meanwhile` is over, as a pause of its process would. */
  pauseAtRename(fits: (request: SeenRequest) => boolean, meanwhile: () => Promise<unknown>): void;
}

const toKey = (root: string, key: string) => (request: SeenRequest) =>
  new URL(request.url, 'http://nn').searchParams.get('destination') === `${root}/${key}`;

/** Rule 7 of consistency: what an owner that was paused between its last look and its rename does when it goes on. */
export function hdfsFences(cluster: () => HdfsCluster): void {
  const between = async (work: (pair: Pair) => Promise<void>) => {
    const proxy = await FaultProxy.start(cluster().httpPort);
    const [oldWriter, successorWriter] = [randomUUID(), randomUUID()];
    const successor = await openHdfs(cluster(), { writer: { id: successorWriter, group } });
    const old = await openHdfs(cluster(), {
      uri: `hdfs://127.0.0.1${successor.root}/`,
      endpoint: `http://127.0.0.1:${proxy.port}`,
      writer: { id: oldWriter, group },
    });
    const pauseAtRename: Pair['pauseAtRename'] = (fits, meanwhile) => {
      let isDue = true;
      proxy.rule = (request) => {
        if (!isDue || !request.url.includes('op=RENAME') || !fits(request)) return undefined;
        isDue = false;
        return { kind: 'before', run: meanwhile };
      };
    };
    const fence = () => successor.backend.fence((writer) => writer === successorWriter);
    try {
      await work({ old: old.backend, oldWriter, proxy, successor, successorWriter, fence, pauseAtRename });
      expect(await successor.leftovers()).toEqual([]);
    } finally {
      proxy.rule = () => undefined;
      await old.close();
      await successor.close();
      await proxy.close();
    }
  };
  /** As the gateway asks before each commit: it holds until somebody else has taken over. */
  const ownership = () => {
    const its = { isLost: false, asked: 0 };
    const beforeCommit = async () => {
      its.asked++;
      if (its.isLost) throw new Error('another node owns this');
    };
    return { its, beforeCommit };
  };
  const errorOf = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => error as UfsError,
    );

  describe('an owner that was paused before its commit', () => {
    test('overwrites nothing that its successor has committed', () =>
      between(async ({ old, successor, fence, pauseAtRename }) => {
        const { its, beforeCommit } = ownership();
        await put(old, 'k', 'first');
        pauseAtRename(toKey(successor.root, 'k'), async () => {
          await fence();
          await put(successor.backend, 'k', 'theirs');
          its.isLost = true;
        });
        const error = await errorOf(put(old, 'k', 'late', { beforeCommit }));
        expect(error?.message).toBe('another node owns this');
        expect(its.asked).toBe(2);
        expect((await getAll(successor.backend, 'k')).toString()).toBe('theirs');
      }));

    test('brings nothing back that its successor has deleted', () =>
      between(async ({ old, successor, fence, pauseAtRename }) => {
        const { its, beforeCommit } = ownership();
        await put(old, 'd/k', 'first');
        pauseAtRename(toKey(successor.root, 'd/k'), async () => {
          await fence();
          await successor.backend.delete('d/k');
          its.isLost = true;
        });
        expect((await errorOf(put(old, 'd/k', 'late', { beforeCommit })))?.message).toBe(
          'another node owns this',
        );
        expect(await kindOf(successor.backend.head('d/k'))).toBe('not-found');
      }));

    test('goes on where it owns the object still, though others were fenced off', () =>
      between(async ({ old, successor, fence, pauseAtRename }) => {
        const { its, beforeCommit } = ownership();
        pauseAtRename(toKey(successor.root, 'mine'), fence);
        const meta = await put(old, 'mine', 'kept', { beforeCommit });
        expect(its.asked).toBe(2);
        expect((await getAll(successor.backend, 'mine')).toString()).toBe('kept');
        expect((await successor.backend.head('mine')).generation).toBe(meta.generation);
        // What it begins from now on is not fenced.
        await put(old, 'mine', 'next', { beforeCommit });
        await old.delete('mine', { beforeCommit });
        expect(await kindOf(successor.backend.head('mine'))).toBe('not-found');
      }));

    test('deletes nothing that its successor has committed, whether or not it had a folder before', () =>
      between(async ({ old, successor, fence, pauseAtRename }) => {
        for (const round of ['fresh', 'used']) {
          const { its, beforeCommit } = ownership();
          await put(successor.backend, 'k', `before ${round}`);
          pauseAtRename(
            ({ url }) => url.includes(`${successor.root}/k?`),
            async () => {
              await fence();
              await put(successor.backend, 'k', `theirs ${round}`);
              its.isLost = true;
            },
          );
          const error = await errorOf(old.delete('k', { beforeCommit }));
          expect(error?.message).toBe('another node owns this');
          expect((await getAll(successor.backend, 'k')).toString()).toBe(`theirs ${round}`);
        }
      }));

    test('completes no upload over what its successor has committed, and the upload can be completed there', () =>
      between(async ({ old, successor, fence, pauseAtRename }) => {
        const { its, beforeCommit } = ownership();
        const { uploadId } = await old.createUpload('k', plain);
        const bodies = [someBytes(1_200_000, 1), someBytes(300_000, 2)];
        const parts = [];
        for (const [i, body] of bodies.entries())
          parts.push(await old.putPart('k', uploadId, i + 1, new TestBody(body)));
        pauseAtRename(toKey(successor.root, 'k'), async () => {
          await fence();
          await put(successor.backend, 'k', 'theirs');
          its.isLost = true;
        });
        const error = await errorOf(old.completeUpload('k', uploadId, parts, { beforeCommit }));
        expect(error?.message).toBe('another node owns this');
        expect((await getAll(successor.backend, 'k')).toString()).toBe('theirs');
        expect((await successor.backend.listParts('k', uploadId, { limit: 5 })).parts).toHaveLength(2);
        await successor.backend.completeUpload('k', uploadId, parts);
        expect((await getAll(successor.backend, 'k')).equals(Buffer.concat(bodies))).toBe(true);
      }));

    test('that never comes back leaves an upload that its successor completes', () =>
      between(async ({ old, successor, fence, pauseAtRename, proxy }) => {
        const { uploadId } = await old.createUpload('k', plain);
        const body = someBytes(1_500_000);
        const part = await old.putPart('k', uploadId, 1, new TestBody(body));
        pauseAtRename(toKey(successor.root, 'k'), async () => {
          // It is gone: nothing that it asks for from now on comes to the storage.
          proxy.rule = () => ({ kind: 'refuse', status: 403, body: '{}' });
          await fence();
          expect((await successor.backend.listParts('k', uploadId, { limit: 5 })).parts).toHaveLength(1);
          await successor.backend.completeUpload('k', uploadId, [part]);
          await put(successor.backend, 'k', 'later');
        });
        expect(await errorOf(old.completeUpload('k', uploadId, [part]))).toBeDefined();
        expect((await getAll(successor.backend, 'k')).toString()).toBe('later');
        const left = (await successor.backend.listUploads({ prefix: '', limit: 5 })).entries;
        expect(left).toEqual([]);
      }));

    test('makes nothing of a copy', () =>
      between(async ({ old, successor, fence, pauseAtRename }) => {
        const source = await put(old, 'source', 'copied');
        const { its, beforeCommit } = ownership();
        pauseAtRename(toKey(successor.root, 'k'), async () => {
          await fence();
          await put(successor.backend, 'k', 'theirs');
          its.isLost = true;
        });
        const options = { sourceGeneration: source.generation, beforeCommit };
        const error = await errorOf(old.copy('source', 'k', options));
        expect(error?.message).toBe('another node owns this');
        expect((await getAll(successor.backend, 'k')).toString()).toBe('theirs');
      }));

    test('whose rename is on its way for long, and cannot be taken back, has no effect after the fence', () =>
      between(async ({ old, successor, fence, proxy }) => {
        await put(old, 'k', 'first');
        let release = () => {};
        const until = new Promise<void>((resolve) => {
          release = resolve;
        });
        const landed = new Promise<number>((resolve) => {
          proxy.rule = (request) => {
            if (request.method === 'DELETE') return { kind: 'refuse', status: 503 };
            return toKey(successor.root, 'k')(request) ? { kind: 'late', until, landed: resolve } : undefined;
          };
        });
        const error = await errorOf(put(old, 'k', 'late'));
        expect(error?.unresolved).toBe(true);
        await fence();
        await put(successor.backend, 'k', 'theirs');
        release();
        expect(await landed).toBeGreaterThanOrEqual(400);
        expect((await getAll(successor.backend, 'k')).toString()).toBe('theirs');
        proxy.rule = () => undefined;
        // What it could not take back is not in its way.
        await errorOf(put(old, 'k', 'finds the fence'));
        await put(old, 'k', 'next');
        expect((await getAll(successor.backend, 'k')).toString()).toBe('next');
        // Nobody may throw away what was fenced off before it has lain long.
        await successor.client.remove(`${successor.root}/.forebay`, { recursive: true });
      }));

    test('begins anew in another folder, once a body found the first one taken', () =>
      between(async ({ old, successor, fence }) => {
        await put(old, 'k', 'one');
        await fence();
        const error = await errorOf(put(old, 'k', 'two'));
        if (error !== undefined) expect([error.kind, error.retryable]).toEqual(['unavailable', true]);
        await put(old, 'k', 'three');
        expect((await getAll(successor.backend, 'k')).toString()).toBe('three');
      }));
  });

  describe('a fence', () => {
    test('stands before those of the same group alone, and may be raised again and again, by several at once', () =>
      between(async ({ old, oldWriter, successor, fence }) => {
        const settings = { uri: `hdfs://127.0.0.1${successor.root}/` };
        const alone = await openHdfs(cluster(), settings);
        const foreign = await openHdfs(cluster(), {
          ...settings,
          writer: { id: randomUUID(), group: 'ffffffff' },
        });
        for (const backend of [old, alone.backend, foreign.backend]) await put(backend, 'k', 'x');
        await Promise.all([fence(), fence(), fence()]);
        await fence();
        const { entries } = await successor.client.list(`${successor.root}/.forebay`, undefined);
        const files = entries.filter(({ type }) => type === 'FILE').map(({ pathSuffix }) => pathSuffix);
        expect(files).toEqual([`${oldWriter}.${group}.0`]);
        for (const one of [alone, foreign]) {
          await put(one.backend, 'k', 'y');
          await one.backend.close();
        }
      }));

    test('that was raised in part is gone on with', () =>
      between(async ({ old, oldWriter, successor, fence }) => {
        await put(old, 'k', 'x');
        const folder = `${successor.root}/.forebay/${oldWriter}.${group}.0`;
        await successor.client.rename(folder, `${folder}.gone`, 'NONE');
        await fence();
        expect((await successor.client.status(folder)).type).toBe('FILE');
      }));
  });
}
