import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import { type HdfsOpenSettings, openHdfsBackend } from '../../src/ufs/hdfs.ts';
import { getAll, kindOf, listAll, plain, put, readAll } from '../contracts/backend.ts';
import type { HdfsCluster } from '../support/hdfs-cluster.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { clientOf, type HdfsUnderTest, nameNodeAbilities, openHdfs } from './hdfs-under-test.ts';

/** What only HDFS does, and what others do in its directories. */
export function hdfsOwn(cluster: () => HdfsCluster): void {
  const over = async (
    work: (its: HdfsUnderTest) => Promise<void>,
    settings: Partial<HdfsOpenSettings> = {},
  ) => {
    const its = await openHdfs(cluster(), settings);
    try {
      await work(its);
    } finally {
      await its.close();
    }
  };
  /** A file as another program writes it. */
  const write = async ({ client }: HdfsUnderTest, path: string, text: string, operation = 'CREATE') => {
    const method = operation === 'APPEND' ? 'POST' : 'PUT';
    const ask = `${cluster().endpoint}/webhdfs/v1${path}?op=${operation}&user.name=${cluster().user}`;
    const { location } = await send(method, ask, '');
    await send(method, location as string, text);
    return client.status(path);
  };

  describe('a directory that others use too', () => {
    test('the probe finds what a NameNode does, and leaves nothing behind', () =>
      over(async ({ backend, client, root }) => {
        expect(await backend.probe('forebay-probe')).toEqual(nameNodeAbilities);
        expect((await client.list(`${root}/.forebay`, undefined)).entries).toEqual([]);
      }));

    test('files of others are objects, and changes of theirs are other versions', () =>
      over(async (its) => {
        const { backend, root, client } = its;
        await write(its, `${root}/d/k`, 'first');
        const first = await backend.head('d/k');
        expect(first).toMatchObject({ sizeBytes: 5, headers: {}, userMetadata: {} });
        expect(first.etag).toMatch(/^[0-9a-f]{32}-0$/);
        expect((await readAll(backend, 'd/k', first)).toString()).toBe('first');
        await write(its, `${root}/d/k`, ' and more', 'APPEND');
        expect(await kindOf(readAll(backend, 'd/k', first))).toBe('moved');
        expect((await getAll(backend, 'd/k')).toString()).toBe('first and more');
        await client.remove(`${root}/d/k`);
        expect(await kindOf(backend.head('d/k'))).toBe('not-found');
      }));

    test('what is appended to an object takes its ETag and checksums away, and leaves the rest of its metadata', () =>
      over(async (its) => {
        const { backend, root } = its;
        const made = await put(backend, 'k', 'body', {
          headers: { contentType: 'a/b' },
          userMetadata: { a: 'b' },
        });
        await write(its, `${root}/k`, 'more', 'APPEND');
        const now = await backend.head('k');
        expect(now).toMatchObject({
          headers: { contentType: 'a/b' },
          userMetadata: { a: 'b' },
          sizeBytes: 8,
        });
        expect(now).not.toHaveProperty('checksums');
        expect(now.etag).not.toBe(made.etag);
        expect((await listEntry(backend, 'k')).etag).toBe(now.etag);
      }));

    test('a file that is exchanged for another and back between two pages gives no byte of the other', () =>
      over(async ({ backend, client, root }) => {
        const bytes = someBytes(2_000_000, 1);
        const meta = await put(backend, 'k', bytes);
        await put(backend, 'other', someBytes(2_000_000, 2));
        await client.rename(`${root}/k`, `${root}/aside`, 'NONE');
        await client.rename(`${root}/other`, `${root}/k`, 'NONE');
        expect((await readAll(backend, 'k', meta)).equals(bytes)).toBe(true);
        await client.rename(`${root}/k`, `${root}/other`, 'NONE');
        await client.rename(`${root}/aside`, `${root}/k`, 'NONE');
        expect((await readAll(backend, 'k', meta)).equals(bytes)).toBe(true);
      }));

    test('a file that is cut and written on in place under a reader ends it with moved', () =>
      over(
        async (its) => {
          const { backend, root } = its;
          const bytes = someBytes(2_000_000, 1);
          const meta = await put(backend, 'k', bytes);
          const got: Buffer[] = [];
          const reading = (async () => {
            for await (const chunk of backend.read('k', meta, { start: 0, end: bytes.length })) {
              got.push(chunk);
              if (got.length > 1) continue;
              const cut = `${cluster().endpoint}/webhdfs/v1${root}/k?op=TRUNCATE&newlength=1048576&user.name=${cluster().user}`;
              await send('POST', cut, '');
              await write(its, `${root}/k`, 'x'.repeat(2_000_000 - 1_048_576), 'APPEND');
            }
          })();
          expect(await reading.catch((error) => error.kind)).toBe('moved');
          expect(bytes.subarray(0, Buffer.concat(got).length).equals(Buffer.concat(got))).toBe(true);
        },
        { tuning: { confirmBytes: 65_536 } },
      ));

    test('a file and a folder of one name are refused, and directories that are empty are none', () =>
      over(async ({ backend, client, root }) => {
        await put(backend, 'a', 'x');
        for (const key of ['a/b', 'a/b/c', 'a/'])
          expect([key, await kindOf(put(backend, key, ''))]).toEqual([key, 'key-conflict']);
        await client.makeDirectory(`${root}/empty/er`);
        expect(await kindOf(put(backend, 'empty', 'x'))).toBe('key-conflict');
        expect(await kindOf(put(backend, 'empty', 'x', { condition: { ifNoneMatch: '*' } }))).toBe(
          'key-conflict',
        );
        expect(await listAll(backend, { delimiter: '/' })).toEqual(['a']);
        await put(backend, 'b/c', 'x');
        expect(await kindOf(put(backend, 'b', 'x'))).toBe('key-conflict');
        const { uploadId } = await backend.createUpload('b', plain);
        const part = await backend.putPart('b', uploadId, 1, new TestBody('part'));
        expect(await kindOf(backend.completeUpload('b', uploadId, [part]))).toBe('key-conflict');
        await backend.delete('b/c');
        await backend.completeUpload('b', uploadId, [part]);
        expect((await getAll(backend, 'b')).toString()).toBe('part');
      }));

    test(
      'names that HDFS orders by signed bytes are listed by unsigned ones, across pages',
      () =>
        over(async ({ backend, client, root }) => {
          const names = [
            'a',
            'aé',
            'aé-1',
            'aé1',
            'ab',
            'a-b',
            'a~',
            'é',
            'éa',
            'z',
            'zz',
            '中',
            '中1',
            '中文',
            '😀',
            'Z',
          ];
          const folders = ['f', 'f-1', 'f!', 'fé', 'é-f'];
          for (const name of names) await put(backend, name, name);
          for (const name of folders) await put(backend, `${name}/${name}`, name);
          await client.makeDirectory(`${root}/nothing`);
          const keys = [...names, ...folders.map((name) => `${name}/${name}`)].sort(compareUtf8);
          for (const limit of [1, 2, 3, 5, 8, 100]) expect(await listAll(backend, { limit })).toEqual(keys);
          const folded = [...names, ...folders.map((name) => `${name}/`)].sort(compareUtf8);
          for (const limit of [1, 4, 100])
            expect(await listAll(backend, { limit, delimiter: '/' })).toEqual(folded);
        }),
      60_000,
    );

    test('names of every kind of character are listed across pages, and read, copied and deleted', () =>
      over(async ({ backend }) => {
        const names = [
          '()&^%$#@!~_+}{><',
          '{a}',
          'a b',
          'a?b=c&d',
          'q\'"`',
          '[x]',
          'a;b,c',
          'a|b\\c',
          '100%',
          '%41',
        ];
        const keys = names.flatMap((name) => [`${name}/${name}`, `flat/${name}`]).sort(compareUtf8);
        for (const key of keys) await put(backend, key, key);
        for (const limit of [1, 3]) expect(await listAll(backend, { limit })).toEqual(keys);
        for (const key of keys) {
          const meta = await backend.head(key);
          await backend.copy(key, `${key}~`, { sourceGeneration: meta.generation });
          expect((await getAll(backend, `${key}~`)).toString()).toBe(key);
          await backend.delete(key);
          await backend.delete(`${key}~`);
        }
        expect(await listAll(backend)).toEqual([]);
      }));

    test('a Complete that broke off after it had used parts up is gone on with, and no other list of parts is taken', () =>
      over(async ({ backend, client, root }) => {
        const { uploadId } = await backend.createUpload('k', plain);
        const bodies = [1, 2, 3, 4].map((i) => someBytes(1_100_000 + i, i));
        const parts = [];
        for (const [i, body] of bodies.entries())
          parts.push(await backend.putPart('k', uploadId, i + 1, new TestBody(body)));
        const failure = new Error('broken off');
        const beforeCommit = () => Promise.reject(failure);
        await expect(backend.completeUpload('k', uploadId, parts, { beforeCommit })).rejects.toBe(failure);
        const folder = `${root}/.forebay/uploads/${uploadId}`;
        expect((await client.list(folder, undefined)).entries.map(({ pathSuffix }) => pathSuffix[0])).toEqual(
          ['p', 'w'],
        );
        expect((await backend.listParts('k', uploadId, { limit: 10 })).parts).toEqual(parts);
        expect(await kindOf(backend.completeUpload('k', uploadId, parts.slice(1)))).toBe('invalid-part');
        await backend.completeUpload('k', uploadId, parts);
        expect((await getAll(backend, 'k')).equals(Buffer.concat(bodies))).toBe(true);
      }));

    test('a mount whose directory is not there is unavailable, and not empty', () =>
      over(async ({ client, root, backend }) => {
        await client.remove(root, { recursive: true });
        expect(await kindOf(backend.head('k'))).toBe('unavailable');
        expect(await kindOf(backend.list({ prefix: '', limit: 1 }))).toBe('unavailable');
      }));

    test('somebody without rights is denied, and it is said whose rights they are', () =>
      over(
        async ({ backend }) => {
          const error = await put(backend, 'k', 'x').catch((one) => one);
          expect(error).toMatchObject({ kind: 'denied' });
          expect(error.message).toContain('user=nobody-known');
        },
        { user: 'nobody-known' },
      ));

    test(
      'what runs that are over left behind is removed once it has lain long enough',
      () =>
        over(async (its) => {
          const { client, root, backend } = its;
          const run = `${root}/.forebay/00000000-0000-4000-8000-000000000000.0`;
          await write(its, `${run}/left`, 'left behind');
          const { uploadId } = await backend.createUpload('k', plain);
          await backend.putPart('k', uploadId, 1, new TestBody('part'));
          const hasty = openHdfsBackend(systemClock, systemRandom, {
            uri: `hdfs://127.0.0.1${root}/`,
            endpoint: cluster().endpoint,
            user: cluster().user,
            uploadLimits: { maxCount: 10, maxIdleMs: 1 },
          });
          const untilMs = performance.now() + 20_000;
          while ((await client.find(run)) && performance.now() < untilMs) {
            await new Promise((resume) => setTimeout(resume, 100));
          }
          expect(await client.find(run)).toBeUndefined();
          expect((await backend.listUploads({ prefix: '', limit: 5 })).entries).toEqual([]);
          await hasty.close();
        }),
      40_000,
    );
  });

  describe('over HttpFS', () => {
    test('objects are read and listed, new ones are made, and what it cannot do in one step is refused', async () => {
      await cluster().startHttpFs();
      const direct = await openHdfs(cluster());
      const bytes = someBytes(2_500_000);
      const made = await put(direct.backend, 'd/k', bytes, { userMetadata: { a: 'b' } });
      const behind = openHdfsBackend(systemClock, systemRandom, {
        uri: `hdfs://127.0.0.1${direct.root}/`,
        endpoint: cluster().httpFsEndpoint,
        user: cluster().user,
        tuning: { retry: { attempts: 2, baseMs: 1, capMs: 1 } },
      });
      try {
        expect(await behind.probe('forebay-probe')).toMatchObject({
          conditionalCreate: false,
          tagging: true,
        });
        expect(await behind.head('d/k')).toEqual(made);
        expect((await readAll(behind, 'd/k', made)).equals(bytes)).toBe(true);
        const middle = { start: 1_000_000, end: 1_100_000 };
        expect(
          (await readAll(behind, 'd/k', made, middle)).equals(bytes.subarray(1_000_000, 1_100_000)),
        ).toBe(true);
        expect(await listAll(behind, { limit: 1 })).toEqual(['d/k']);
        const small = await put(behind, 'd/new', 'new');
        expect(await direct.backend.head('d/new')).toEqual(small);
        expect(await kindOf(put(behind, 'd/k', 'other'))).toBe('not-implemented');
        expect((await getAll(direct.backend, 'd/k')).equals(bytes)).toBe(true);
        expect(await kindOf(behind.head('nothing'))).toBe('not-found');
      } finally {
        await behind.close();
        await direct.close();
        await cluster().kill('httpfs');
      }
    }, 120_000);

    test('what is no WebHDFS is named as such', async () => {
      const client = clientOf(cluster().endpoint, cluster().user);
      const other = openHdfsBackend(systemClock, systemRandom, {
        uri: 'hdfs://127.0.0.1/nowhere/',
        endpoint: cluster().endpoint,
        user: cluster().user,
      });
      const steps = [];
      for await (const step of other.reach()) steps.push(step);
      expect(steps.at(-1)).toMatchObject({ name: 'bucket', result: 'failed' });
      expect(steps.at(-1)?.detail).toContain('there is no directory /nowhere');
      await other.close();
      client.connection.close();
    });
  });
}

/** Node's own client: DataNodes answer 100 to whoever sends a body, which `fetch` takes for a fault. */
async function send(method: string, url: string, body: string): Promise<IncomingHttpHeaders> {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': Buffer.byteLength(body) };
  const sent = request(url, { method, headers }).end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const text = await new Response(Readable.toWeb(answer) as ReadableStream).text();
  if ((answer.statusCode as number) >= 400) throw new Error(text);
  return answer.headers;
}

async function listEntry(backend: HdfsUnderTest['backend'], prefix: string) {
  const [entry] = (await backend.list({ prefix, limit: 1 })).entries;
  if (entry?.kind !== 'object') throw new Error('there is no such entry');
  return entry;
}
