import { describe, expect, test } from '@jest/globals';
import { UfsError } from '../../src/ufs/errors.ts';
import { defaultHdfsTuning } from '../../src/ufs/hdfs-settings.ts';
import { getAll, kindOf, listAll, plain, put, readAll } from '../contracts/backend.ts';
import type { HdfsCluster } from '../support/hdfs-cluster.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { type HdfsUnderTest, openHdfs } from './hdfs-under-test.ts';

const impatient = {
  idleTimeoutMs: 1_500,
  commitTimeoutMs: 3_000,
  retry: { attempts: 4, baseMs: 50, capMs: 400 },
};
const patient = { retry: { attempts: 12, baseMs: 200, capMs: 3_000 } };

/** What networks and servers do to a backend, and what it makes of it. */
export function hdfsFaults(cluster: () => HdfsCluster): void {
  const through = async (
    work: (its: HdfsUnderTest & { readonly proxy: TcpProxy }) => Promise<void>,
    settings: Parameters<typeof openHdfs>[1] = {},
  ) => {
    const proxy = await TcpProxy.start(cluster().httpPort);
    const its = await openHdfs(cluster(), {
      endpoint: `http://127.0.0.1:${proxy.port}`,
      tuning: impatient,
      ...settings,
    });
    try {
      await work({ ...its, proxy });
    } finally {
      proxy.mend();
      await its.close();
      await proxy.close();
    }
  };

  describe('faults', () => {
    test('a NameNode that falls silent makes a read fail in time, and the next one goes on', () =>
      through(async ({ backend, proxy }) => {
        await put(backend, 'k', 'body');
        proxy.silence();
        expect(['timeout', 'unavailable']).toContain(await kindOf(backend.head('k')));
        proxy.cut();
        proxy.mend();
        expect((await getAll(backend, 'k')).toString()).toBe('body');
      }));

    test(
      'a change whose answer is lost is found out, and told as it is',
      () =>
        through(
          async ({ backend, proxy, client, root }) => {
            await put(backend, 'k', 'first');
            for (const round of [1, 2, 3]) {
              const rename = put(backend, 'k', `body ${round}`, {
                // The rename itself is carried out; its answer does not come, nor does anything for a while.
                beforeCommit: async () => proxy.silence('answers'),
              });
              await new Promise((resume) => setTimeout(resume, 1_000));
              proxy.cut();
              proxy.mend();
              const told = await rename.then(
                () => 'done',
                (error: UfsError) => (error.unresolved ? 'unknown' : 'nothing'),
              );
              const present = (await getAll(backend, 'k')).toString();
              if (told === 'done') expect(present).toBe(`body ${round}`);
              if (told === 'nothing') expect(present).not.toBe(`body ${round}`);
              await put(backend, 'k', `between ${round}`);
              expect((await getAll(backend, 'k')).toString()).toBe(`between ${round}`);
            }
            expect((await client.status(`${root}/k`)).length).toBe('between 3'.length);
            // It is by cuts that the silence ends here, so that a slow machine is waited for.
          },
          { tuning: { ...impatient, idleTimeoutMs: 20_000 } },
        ),
      180_000,
    );

    test('a delete whose answer is lost does not take away what is put after it', () =>
      through(async ({ backend, proxy }) => {
        for (const round of [1, 2]) {
          await put(backend, 'k', 'old');
          proxy.silence('answers');
          const deleted = backend.delete('k').then(
            () => 'done',
            (error: UfsError) => (error.unresolved ? 'unknown' : 'nothing'),
          );
          await new Promise((resume) => setTimeout(resume, 300 * round));
          proxy.cut();
          proxy.mend();
          const told = await deleted;
          if (told === 'done') expect(await kindOf(backend.head('k'))).toBe('not-found');
          await put(backend, 'k', 'new');
          expect((await getAll(backend, 'k')).toString()).toBe('new');
          await backend.delete('k');
        }
      }));

    test(
      'connections that break again and again are made up for',
      () =>
        through(
          async ({ backend, proxy }) => {
            const bytes = someBytes(3_500_000);
            const meta = await put(backend, 'a/k', bytes);
            const breaking = setInterval(() => proxy.cut(), 150);
            try {
              for (let i = 0; i < 5; i++) {
                expect((await readAll(backend, 'a/k', meta)).equals(bytes)).toBe(true);
                expect(await listAll(backend)).toEqual(['a/k']);
              }
            } finally {
              clearInterval(breaking);
            }
          },
          { tuning: { ...impatient, ...patient } },
        ),
      60_000,
    );

    test('of two NameNodes the one that answers is asked', async () => {
      const { endpoint } = cluster();
      const gone = await TcpProxy.start(1);
      const dead = `http://127.0.0.1:${gone.port}`;
      await gone.close();
      const { backend, close } = await openHdfs(cluster(), { endpoint: `${dead},${endpoint}` });
      await put(backend, 'k', 'body');
      expect((await getAll(backend, 'k')).toString()).toBe('body');
      expect(await listAll(backend)).toEqual(['k']);
      await close();
    });

    test('a NameNode that is killed and started again has what was acknowledged, and is waited for', async () => {
      const { backend, close } = await openHdfs(cluster(), { tuning: patient });
      const bytes = someBytes(2_500_000);
      const meta = await put(backend, 'a/k', bytes, { userMetadata: { a: 'b' } });
      await cluster().kill('namenode');
      expect(await kindOf(put(backend, 'a/l', 'x'))).toBe('unavailable');
      cluster().spawn('namenode');
      await cluster().ready();
      expect(await backend.head('a/k')).toEqual(meta);
      expect((await readAll(backend, 'a/k', meta)).equals(bytes)).toBe(true);
      await put(backend, 'a/l', 'again');
      expect(await listAll(backend)).toEqual(['a/k', 'a/l']);
      await close();
    }, 120_000);

    test('a DataNode that is lost in mid-read breaks the read off or is waited for, and no byte is wrong', async () => {
      const { backend, close } = await openHdfs(cluster(), {
        tuning: { confirmBytes: 1_048_576, retry: { attempts: 3, baseMs: 100, capMs: 300 } },
      });
      const bytes = someBytes(24_000_000);
      const meta = await put(backend, 'k', bytes);
      const got: Buffer[] = [];
      const reading = (async () => {
        for await (const chunk of backend.read('k', meta, { start: 0, end: bytes.length })) {
          if (got.length === 0) await cluster().kill('datanode');
          got.push(chunk);
        }
      })();
      const outcome = await reading.then(
        () => 'whole',
        (error) => error.kind,
      );
      const read = Buffer.concat(got);
      expect(read.equals(bytes.subarray(0, read.length))).toBe(true);
      expect(['io', 'unavailable', 'refused']).toContain(outcome);
      cluster().spawn('datanode');
      await cluster().ready();
      expect((await readAll(backend, 'k', meta)).equals(bytes)).toBe(true);
      await close();
    }, 120_000);

    test('a DataNode that is lost while it is written leaves things as they were', async () => {
      const { backend, close } = await openHdfs(cluster(), { tuning: impatient });
      await put(backend, 'k', 'old');
      const body = new TestBody(someBytes(6_000_000), {
        beforeChunk: async (index) => {
          if (index === 4) await cluster().kill('datanode');
        },
      });
      expect(['unavailable', 'timeout', 'io']).toContain(await kindOf(backend.put('k', body, plain)));
      expect((await backend.head('k')).sizeBytes).toBe(3);
      cluster().spawn('datanode');
      await cluster().ready();
      expect((await getAll(backend, 'k')).toString()).toBe('old');
      await close();
    }, 120_000);

    test('what stands still is given up in time', async () => {
      const { backend, close } = await openHdfs(cluster(), {
        tuning: { ...defaultHdfsTuning, ...impatient, retry: { attempts: 2, baseMs: 1, capMs: 1 } },
      });
      await put(backend, 'k', 'body');
      cluster().signal('namenode', 'SIGSTOP');
      try {
        const failed = await backend.head('k').catch((error) => error);
        expect(failed).toBeInstanceOf(UfsError);
        expect(failed.kind).toBe('timeout');
      } finally {
        cluster().signal('namenode', 'SIGCONT');
      }
      await cluster().ready();
      expect((await getAll(backend, 'k')).toString()).toBe('body');
      await close();
    }, 60_000);
  });
}
