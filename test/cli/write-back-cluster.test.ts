import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { getAll, kindOf } from '../contracts/backend.ts';
import { credentials as below } from '../gateway/memory-node.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { until } from '../support/until.ts';
import { someBytes } from '../support/upload-body.ts';
import { NodesOverEtcd, rootKey } from './nodes-over-etcd.ts';

const patienceMs = 240_000;

await describeOverEtcd('write mode back on several nodes', (program) => {
  let cluster: NodesOverEtcd;
  const nodes: RunningNode[] = [];
  const clients: S3Client[] = [];
  /** Whether the storage answers for what lies below the mount. */
  let isAway = false;

  beforeAll(async () => {
    cluster = await NodesOverEtcd.start(program);
    cluster.storage.proxy.rule = ({ url }) =>
      isAway && decodeURIComponent(url).startsWith('/under/team')
        ? { kind: 'refuse', status: 503 }
        : undefined;
    for (const name of ['one', 'two', 'three']) {
      const node = await cluster.open(name, { FOREBAY_BACKEND_SETTLING: '1s' });
      nodes.push(node);
      const about = { endpoint: node.s3Url, region: 'us-east-1', credentials: rootKey, maxAttempts: 1 };
      clients.push(new S3Client({ ...about, forcePathStyle: true }));
    }
  }, patienceMs);
  afterAll(async () => {
    isAway = false;
    for (const client of clients) client.destroy();
    await cluster?.close();
  }, patienceMs);

  const cli = (line: string, at = 0) => cluster.cli(nodes[at] as RunningNode, line);
  /** An operator says again what a node could not do at that moment, such as where etcd is slow. */
  const done = async (line: string, index: number) => {
    let said: unknown;
    const isDone = async () => {
      const { exitCode, json } = await cli(line, index);
      said = json;
      return exitCode === 0;
    };
    await until(isDone).catch(() => expect([line, said]).toEqual([line, 'done']));
  };
  const mount = (name: string, more: string) => {
    const where = `--endpoint http://127.0.0.1:${cluster.storage.proxy.port} --path-style`;
    const key = `--access-key-id ${below.accessKeyId} --secret-access-key-env SECRET`;
    return cli(`mount add ${name} s3://under/${name}/ ${where} ${key} ${more}`);
  };
  const at = (index: number) => clients[index % clients.length] as S3Client;
  const put = (index: number, Key: string, Body: Buffer | string) =>
    at(index).send(new PutObjectCommand({ Bucket: 'team', Key, Body }));
  const get = async (index: number, Key: string) => {
    const { Body } = await at(index).send(new GetObjectCommand({ Bucket: 'team', Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const keysAt = async (index: number) => {
    const { Contents = [] } = await at(index).send(new ListObjectsV2Command({ Bucket: 'team' }));
    return Contents.map(({ Key = '' }) => Key);
  };
  const pending = async (index = 0) => {
    const { json } = await cli('pending list', index);
    return (json.places as { entries: number }[]).reduce((sum, { entries }) => sum + entries, 0);
  };
  /** Resolves when a write is acknowledged while the storage is away: every node has its copies then, or soon. */
  const acknowledged = async (index: number, key: string, body: Buffer | string) => {
    await until(async () =>
      put(index, key, body).then(
        () => true,
        () => false,
      ),
    );
  };

  test(
    'takes an owner who may know what is pending, and two copies',
    async () => {
      const always = await mount('asked', '--write-mode back --freshness always');
      expect(always).toEqual({ exitCode: 1, json: expect.stringContaining('another freshness than always') });
      const alone = await mount('alone', '--write-mode back --copies 1');
      expect(alone).toEqual({ exitCode: 1, json: expect.stringContaining('2 copies') });
      const mounted = await mount('team', '--write-mode back --copies 2');
      expect(mounted).toMatchObject({ exitCode: 0, json: { writeMode: 'back', copies: 2 } });
    },
    patienceMs,
  );

  test(
    'what its storage does not have is read and listed at once through every node',
    async () => {
      await acknowledged(0, 'gone', 'x');
      isAway = true;
      const keys = ['a', 'b/c', 'd', 'e', 'f', 'g'];
      const bodies = new Map(keys.map((key, i) => [key, someBytes(i % 2 === 0 ? 4_096 : 300_000, i)]));
      for (const [i, key] of keys.entries()) await acknowledged(i, key, bodies.get(key) as Buffer);
      await until(async () =>
        at(1)
          .send(new DeleteObjectCommand({ Bucket: 'team', Key: 'gone' }))
          .then(
            () => true,
            () => false,
          ),
      );
      for (const index of [0, 1, 2]) {
        for (const key of keys) expect((await get(index, key)).equals(bodies.get(key) as Buffer)).toBe(true);
        await expect(get(index, 'gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
      }
      expect(await pending(1)).toBe(7);
      const shown = await cli('pending show team/b', 2);
      expect(shown.json.changes).toMatchObject([{ key: 'b/c', type: 'put', bytes: 300_000 }]);
      isAway = false;
      for (const index of [0, 1, 2]) expect(await keysAt(index)).toEqual(keys);
      expect(await cli('pending flush team', 1)).toMatchObject({ exitCode: 0, json: { entries: 0 } });
      for (const key of keys) {
        const stored = await getAll(cluster.storage.storage, `under/team/${key}`);
        expect(stored.equals(bodies.get(key) as Buffer)).toBe(true);
      }
      expect(await kindOf(cluster.storage.storage.head('under/team/gone'))).toBe('not-found');
    },
    patienceMs,
  );

  test(
    'uploads in parts are acknowledged while the storage is away, whichever node each request comes through',
    async () => {
      const Bucket = 'team';
      const parts = [someBytes(5 * 1024 * 1024, 1), someBytes(70_000, 2)];
      const keys = ['up/a', 'up/b', 'up/c', 'up/d'];
      const begun = keys.map(async (Key, i) => {
        const { UploadId } = await at(i).send(new CreateMultipartUploadCommand({ Bucket, Key }));
        return { Key, UploadId };
      });
      const uploads = await Promise.all(begun);
      isAway = true;
      for (const [i, upload] of uploads.entries()) {
        const Parts: CompletedPart[] = [];
        for (const [index, Body] of parts.entries()) {
          const part = { Bucket, ...upload, PartNumber: index + 1, Body };
          const { ETag } = await at(i + index).send(new UploadPartCommand(part));
          Parts.push({ ETag, PartNumber: index + 1 });
        }
        const MultipartUpload = { Parts };
        const { ETag } = await at(i + 2).send(
          new CompleteMultipartUploadCommand({ Bucket, ...upload, MultipartUpload }),
        );
        expect(ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
      }
      for (const index of [0, 1, 2]) {
        for (const key of keys) expect((await get(index, key)).equals(Buffer.concat(parts))).toBe(true);
      }
      isAway = false;
      await until(async () => (await cli('pending flush team')).json.entries === 0);
      for (const key of keys) {
        const stored = await cluster.storage.storage.head(`under/team/${key}`);
        expect([stored.sizeBytes, stored.etag]).toEqual([
          5 * 1024 * 1024 + 70_000,
          expect.stringMatching(/-2$/),
        ]);
      }
    },
    patienceMs,
  );

  test(
    'a mount with pending writes is not removed, nor are they lost when its mode changes',
    async () => {
      isAway = true;
      await acknowledged(0, 'k', 'pending');
      expect(await cli('mount remove team', 1)).toEqual({
        exitCode: 1,
        json: expect.stringContaining('1 writes to team'),
      });
      await done('mount set-write-mode team through', 2);
      for (const index of [0, 1, 2]) expect((await get(index, 'k')).toString()).toBe('pending');
      isAway = false;
      await put(1, 'k', 'through');
      for (const index of [0, 1, 2]) expect((await get(index, 'k')).toString()).toBe('through');
      expect((await getAll(cluster.storage.storage, 'under/team/k')).toString()).toBe('through');
      await done('mount set-write-mode team back --copies 2', 1);
    },
    patienceMs,
  );

  test(
    'what a node that ends leaves behind is taken over by another one',
    async () => {
      isAway = true;
      const keys = Array.from({ length: 12 }, (_, i) => `left/${i}`);
      for (const [i, key] of keys.entries()) await acknowledged(i, key, key);
      await cluster.end(nodes.pop() as RunningNode);
      clients.pop()?.destroy();
      await until(async () => (await pending().catch(() => 0)) === keys.length);
      isAway = false;
      for (const index of [0, 1]) {
        for (const key of keys) expect((await get(index, key)).toString()).toBe(key);
      }
      await until(async () => (await cli('pending flush team')).json.entries === 0);
      for (const key of keys) {
        expect((await getAll(cluster.storage.storage, `under/team/${key}`)).toString()).toBe(key);
      }
    },
    patienceMs,
  );

  test(
    'with one node left writes go through, and with one copy they are not acknowledged',
    async () => {
      await cluster.end(nodes.pop() as RunningNode);
      clients.pop()?.destroy();
      // One that found the copies gone in the middle of it waits for another node.
      let tries = 0;
      await until(async () =>
        put(0, `through/${++tries}`, 'x').then(
          () => true,
          () => false,
        ),
      );
      const stored = cluster.storage.storage.head(`under/team/through/${tries}`);
      expect((await stored).sizeBytes).toBe(1);
      isAway = true;
      await expect(put(0, 'lone', 'x')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
      isAway = false;
    },
    patienceMs,
  );
});
