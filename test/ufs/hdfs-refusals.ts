import { describe, expect, test } from '@jest/globals';
import type { HdfsTuning } from '../../src/ufs/hdfs-settings.ts';
import { getAll, kindOf, listAll, put } from '../contracts/backend.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import type { HdfsCluster } from '../support/hdfs-cluster.ts';
import { someBytes } from '../support/upload-body.ts';
import { failureOf } from './gcs-under-test.ts';
import { type HdfsUnderTest, openHdfs } from './hdfs-under-test.ts';

const hasty = { retry: { attempts: 4, baseMs: 1, capMs: 5 } };

/** What a NameNode says that has too much to do: RPC's own exception, as WebHDFS puts it ("Error Responses"). */
const tooBusy = JSON.stringify({
  RemoteException: {
    exception: 'RetriableException',
    javaClassName: 'org.apache.hadoop.ipc.RetriableException',
    message: 'Server is too busy.',
  },
});

/** A storage that puts requests off, or is slow, and readers that do not wait for it. */
export function hdfsRefusals(cluster: () => HdfsCluster): void {
  const behind = async (
    work: (its: HdfsUnderTest & { readonly proxy: FaultProxy }) => Promise<void>,
    tuning: Partial<HdfsTuning> = {},
  ) => {
    const proxy = await FaultProxy.start(cluster().httpPort);
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    const its = await openHdfs(cluster(), { endpoint, tuning: { ...hasty, ...tuning } });
    try {
      await work({ ...its, proxy });
    } finally {
      proxy.rule = () => undefined;
      await its.close();
      await proxy.close();
    }
  };

  describe('a NameNode with too much to do', () => {
    test.each([
      ['429', { kind: 'refuse', status: 429 } as const],
      ['503', { kind: 'refuse', status: 503 } as const],
      ['its own exception', { kind: 'refuse', status: 403, body: tooBusy } as const],
    ])('is asked again by reads, and told of as throttled: %s', (_, fault) =>
      behind(async ({ backend, proxy }) => {
        await put(backend, 'k', 'body');
        for (const operation of ['GETFILESTATUS', 'GETXATTRS', 'OPEN', 'LISTSTATUS_BATCH']) {
          proxy.strike('GET', `op=${operation}`, fault, 2);
          const before = proxy.faults;
          expect((await getAll(backend, 'k')).toString()).toBe('body');
          expect(await listAll(backend)).toEqual(['k']);
          expect(proxy.faults).toBe(before + 2);
        }
        proxy.strike('GET', 'op=', fault);
        const error = await failureOf(backend.head('k'));
        expect([error.kind, error.retryable, error.unresolved]).toEqual(['throttled', true, false]);
      }),
    );

    test('is asked for a change once, and a change that it put off has no effect', () =>
      behind(async ({ backend, proxy }) => {
        await put(backend, 'k', 'first');
        for (const operation of ['CREATE', 'SETXATTR', 'RENAME']) {
          proxy.seen.length = 0;
          proxy.strike('PUT', `op=${operation}`, { kind: 'refuse', status: 403, body: tooBusy });
          const error = await failureOf(put(backend, 'k', 'second'));
          expect([operation, error.kind, error.retryable, error.unresolved]).toEqual([
            operation,
            'throttled',
            true,
            false,
          ]);
          if (operation === 'RENAME') expect(proxy.count('PUT', 'op=RENAME')).toBe(1);
          expect((await getAll(backend, 'k')).toString()).toBe('first');
        }
        proxy.rule = () => undefined;
        await put(backend, 'k', 'second');
        expect((await getAll(backend, 'k')).toString()).toBe('second');
      }));
  });

  describe('a reader that is gone', () => {
    test('takes its connection to the DataNode with it, and its turn is free', () =>
      behind(
        async ({ backend }) => {
          const meta = await put(backend, 'large', someBytes(8_000_000));
          const range = { start: 0, end: meta.sizeBytes };
          for (let round = 0; round < 20; round++) {
            const leaving = new AbortController();
            const reading = (async () => {
              for await (const _ of backend.read('large', meta, range, leaving)) leaving.abort();
            })();
            expect(await kindOf(reading)).toBe('cancelled');
            for await (const _ of backend.read('large', meta, range)) break;
          }
          expect(await backend.head('large')).toMatchObject({ sizeBytes: 8_000_000 });
        },
        { minConcurrency: 1, initialConcurrency: 2, maxConcurrency: 2 },
      ));
  });
}
