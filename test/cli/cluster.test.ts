import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { refuseUnfitForCluster } from '../../src/cli/coordination.ts';
import { startNode } from '../../src/cli/node.ts';
import { prepareSecrets } from '../../src/cli/node-secrets.ts';
import { run } from '../../src/cli/run.ts';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { EtcdStore } from '../../src/coord/etcd.ts';
import { credentials as below } from '../gateway/memory-node.ts';
import { Line, linesToThreads, threadOf } from '../gateway/thread-lines.ts';
import { describeOverEtcd, EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { someBytes } from '../support/upload-body.ts';
import { everything, type S3UnderTest, startS3 } from '../ufs/s3-under-test.ts';

const patienceMs = 240_000;
const root = { accessKeyId: 'AKIDROOTOFTHENODES', secretAccessKey: 'secret-of-the-nodes' };

const nameOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: Error) => error.name,
  );

/** A line to each of two I/O threads, which answer by themselves by now, and do not hand the request on any more. */
async function hotLines(port: number, target: string, keys: typeof root): Promise<Map<string, Line>> {
  for (;;) {
    const lines = await linesToThreads(port, 2, target, keys);
    const answers = [...lines].map(
      async ([thread, line]) => threadOf(await line.send('GET', target)) === thread,
    );
    if ((await Promise.all(answers)).every((isSame) => isSame)) return lines;
    for (const line of lines.values()) line.close();
  }
}

await describeOverEtcd('nodes of one cluster over etcd', (program) => {
  let etcd: EtcdServer;
  /** Between the nodes and etcd. */
  let proxy: TcpProxy;
  let storage: S3UnderTest;
  let folder: string;
  let made = 0;
  let clusters = 0;
  let environment: Record<string, string>;
  const opened: RunningNode[] = [];

  beforeAll(async () => {
    etcd = await EtcdServer.start(program);
    proxy = await TcpProxy.start(etcd.port);
    storage = await startS3();
    folder = await mkdtemp(join(tmpdir(), 'forebay-cluster-'));
    const key = join(folder, 'key');
    await writeFile(key, `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
    environment = {
      FOREBAY_S3_PORT: '0',
      FOREBAY_ADMIN_PORT: '0',
      FOREBAY_PEER_PORT: '0',
      FOREBAY_CACHE_MEMORY: '4MiB',
      FOREBAY_CACHE_DISK: '0',
      FOREBAY_ETCD_ENDPOINTS: `http://127.0.0.1:${proxy.port}`,
      FOREBAY_CLUSTER_SECRET_FILE: key,
      FOREBAY_TIMEOUT_LEAVE: '0s',
      FOREBAY_ENCRYPTION_KEY_FILE: key,
      FOREBAY_ROOT_ACCESS_KEY_ID: root.accessKeyId,
      FOREBAY_ROOT_SECRET_ACCESS_KEY: root.secretAccessKey,
      FOREBAY_ROOT_MOUNT_ENDPOINT: `http://127.0.0.1:${storage.proxy.port}`,
      FOREBAY_ROOT_MOUNT_PATH_STYLE: 'true',
      FOREBAY_ROOT_MOUNT_ACCESS_KEY_ID: below.accessKeyId,
      FOREBAY_ROOT_MOUNT_SECRET_ACCESS_KEY: below.secretAccessKey,
    };
  }, patienceMs);
  afterEach(async () => {
    proxy.mend();
    for (const node of opened.splice(0)) await node.close();
  }, patienceMs);
  afterAll(async () => {
    await storage.close();
    await proxy.close();
    await etcd.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(changes: Record<string, string> = {}, stop?: AbortSignal): Promise<RunningNode> {
    const own = { FOREBAY_DATA: join(folder, `data-${made++}`) };
    const { settings } = resolveSettings({
      flags: new Map(),
      environment: { ...environment, ...own, ...changes },
    });
    await refuseUnfitForCluster(settings);
    const { secrets } = await prepareSecrets(settings, systemRandom);
    const quiet = { log: silentLog(), lines: { write: () => {} }, droppedLines: () => 0 };
    const node = await startNode(settings, secrets, quiet, stop);
    opened.push(node);
    return node;
  }

  /** Nodes of a cluster that nobody else has, with a root mount of its own, whose storage was probed by somebody before. */
  async function openCluster(...changes: Record<string, string>[]): Promise<RunningNode[]> {
    const name = `c${clusters++}`;
    const common = { FOREBAY_CLUSTER_NAME: name, FOREBAY_ROOT_MOUNT: `s3://under/${name}/` };
    const store = new EtcdStore(systemClock, systemRandom, silentLog(), {
      endpoints: [etcd.url],
      clusterName: name,
      timeoutMs: patienceMs,
      pulseMs: 1_000,
    });
    const endpoint = environment.FOREBAY_ROOT_MOUNT_ENDPOINT;
    const entry = { uri: common.FOREBAY_ROOT_MOUNT, endpoint, abilities: everything };
    await store.putIf('cluster/root-mount', JSON.stringify(entry), 'absent');
    await store.close();
    return Promise.all(changes.map((own) => open({ ...common, ...own })));
  }

  function clientOf(node: RunningNode | undefined, keys: typeof root = root): S3Client {
    const endpoint = node?.s3Url;
    return new S3Client({
      endpoint,
      region: 'us-east-1',
      credentials: keys,
      forcePathStyle: true,
      maxAttempts: 1,
    });
  }

  async function cli(
    node: RunningNode | undefined,
    line: string,
  ): Promise<{ exitCode: number; said: string }> {
    let said = '';
    let wrong = '';
    const print = (text: string) => {
      said += text;
    };
    const exitCode = await run([...line.split(' '), '--json'], {
      environment: {
        FOREBAY_ADMIN_URL: node?.adminUrl ?? '',
        AWS_ACCESS_KEY_ID: root.accessKeyId,
        AWS_SECRET_ACCESS_KEY: root.secretAccessKey,
        SECRET: below.secretAccessKey,
      },
      print,
      printError: (text: string) => {
        wrong += text;
      },
    });
    return { exitCode, said: said + (exitCode === 0 ? '' : wrong) };
  }

  async function readyz(url: string | undefined) {
    const response = await fetch(`${url}/readyz`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  const textOf = async (client: S3Client, Key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'shared', Key }));
    return Body?.transformToString();
  };

  test(
    'know each other’s users, and refuse a key that any of them has disabled',
    async () => {
      const [one, other] = await openCluster({}, {});
      const made = await cli(one, 'user create alice --policy readwrite');
      expect(made.exitCode).toBe(0);
      const clients = [one, other].map((node) => clientOf(node, JSON.parse(made.said)));
      for (const client of clients) {
        await until(async () => (await nameOf(client.send(new ListBucketsCommand({})))) === 'done');
      }
      expect((await cli(other, 'user key disable alice')).exitCode).toBe(0);
      // At the node that has done it at once; at the other as soon as it has heard of it.
      expect(await nameOf((clients[1] as S3Client).send(new ListBucketsCommand({})))).toBe(
        'InvalidAccessKeyId',
      );
      await until(
        async () =>
          (await nameOf((clients[0] as S3Client).send(new ListBucketsCommand({})))) === 'InvalidAccessKeyId',
      );
    },
    patienceMs,
  );

  test(
    'show the same buckets and objects out of a common s3:// root, each what the other has just written',
    async () => {
      const [one, other] = (await openCluster({}, {})).map((node) => clientOf(node)) as [S3Client, S3Client];
      const Bucket = 'shared';
      await one.send(new CreateBucketCommand({ Bucket }));
      const isThere = async () => (await other.send(new ListBucketsCommand({}))).Buckets?.length === 1;
      await until(isThere);
      for (let round = 0; round < 5; round++) {
        for (const [writer, reader] of [
          [one, other],
          [other, one],
        ] as const) {
          const Body = `${round} ${writer === one}`;
          await writer.send(new PutObjectCommand({ Bucket, Key: 'a', Body }));
          expect([await textOf(reader, 'a'), await textOf(writer, 'a')]).toEqual([Body, Body]);
        }
      }
      await other.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
      expect(await nameOf(textOf(one, 'a'))).toBe('NoSuchKey');
      const { UploadId } = await one.send(new CreateMultipartUploadCommand({ Bucket, Key: 'm' }));
      const part = { Bucket, Key: 'm', UploadId, PartNumber: 1 };
      const { ETag } = await other.send(new UploadPartCommand({ ...part, Body: someBytes(100_000) }));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
      await one.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'm', UploadId, MultipartUpload }));
      const listed = await other.send(new ListObjectsV2Command({ Bucket }));
      expect(listed.Contents?.map(({ Key, Size }) => [Key, Size])).toEqual([['m', 100_000]]);
      expect(await nameOf(one.send(new DeleteBucketCommand({ Bucket })))).toBe('BucketNotEmpty');
      await one.send(new DeleteObjectCommand({ Bucket, Key: 'm' }));
      await one.send(new DeleteBucketCommand({ Bucket }));
      await until(async () => !(await isThere()));
    },
    patienceMs,
  );

  test(
    'use a mount that was added at another, with its sealed secret, until it is removed',
    async () => {
      const [one, other] = await openCluster({}, {});
      const where = `--endpoint http://127.0.0.1:${storage.proxy.port} --path-style`;
      const key = `--access-key-id ${below.accessKeyId} --secret-access-key-env SECRET`;
      const added = await cli(one, `mount add front s3://under/team/ ${where} ${key}`);
      expect([added.exitCode, added.said]).toEqual([0, added.said]);
      const client = clientOf(other);
      const put = () => nameOf(client.send(new PutObjectCommand({ Bucket: 'front', Key: 'k', Body: 'x' })));
      await until(async () => (await put()) === 'done');
      expect((await cli(other, 'mount remove front')).exitCode).toBe(0);
      expect(await put()).toBe('NoSuchBucket');
      await until(async () => (await cli(one, 'mount list')).said === '[]');
    },
    patienceMs,
  );

  test(
    'refuse a disabled key through each I/O thread as soon as it is disabled there',
    async () => {
      const [node] = await openCluster({ FOREBAY_IO_THREADS: '2' });
      const port = Number(new URL(node?.s3Url ?? '').port);
      const keys = JSON.parse((await cli(node, 'user create bob --policy readwrite')).said);
      const first = new Line(port, keys);
      expect((await first.send('PUT', '/bobs')).status).toBe(200);
      const files = join(folder, 'files');
      await mkdir(files);
      await writeFile(join(files, 'key'), 'hot');
      const mount = `mount add bobs/frozen/ ${pathToFileURL(files).href} --freshness immutable`;
      expect(await cli(node, mount)).toMatchObject({ exitCode: 0 });
      expect((await first.send('GET', '/bobs/frozen/key')).status).toBe(200);
      const lines = await hotLines(port, '/bobs/frozen/key', keys);
      expect((await cli(node, 'user key disable bob')).exitCode).toBe(0);
      for (const line of lines.values())
        expect((await line.send('GET', '/bobs/frozen/key')).status).toBe(403);
      for (const line of [first, ...lines.values()]) line.close();
    },
    patienceMs,
  );

  test(
    'go on with what they know while etcd is away, and say so',
    async () => {
      // Two, since one that is left alone by the others could not tell.
      const [node] = await openCluster({ FOREBAY_ETCD_TIMEOUT: '1s' }, { FOREBAY_ETCD_TIMEOUT: '1s' });
      const client = clientOf(node);
      const Bucket = 'shared';
      await client.send(new CreateBucketCommand({ Bucket }));
      await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'kept' }));
      expect(await readyz(node?.adminUrl)).toMatchObject({ status: 200, body: { etcd: { answers: true } } });
      proxy.cutOff();
      await until(async () => {
        const { status, body } = await readyz(node?.adminUrl);
        expect(status).toBe(200);
        return (body.etcd as { answers: boolean }).answers === false;
      });
      expect(await textOf(client, 'a')).toBe('kept');
      await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'changed' }));
      expect(await textOf(client, 'a')).toBe('changed');
      expect(await nameOf(client.send(new CreateBucketCommand({ Bucket: 'another' })))).toBe(
        'ServiceUnavailable',
      );
      proxy.mend();
      await until(async () => ((await readyz(node?.adminUrl)).body.etcd as { answers: boolean }).answers);
      expect(await nameOf(client.send(new CreateBucketCommand({ Bucket: 'another' })))).toBe('done');
    },
    patienceMs,
  );

  test(
    'accept no stored key when etcd was away for longer than known keys last, through no thread, and accept them again',
    async () => {
      const grace = { FOREBAY_ETCD_TIMEOUT: '1s', FOREBAY_CREDENTIAL_GRACE_MS: '3000' };
      const [node] = await openCluster({ ...grace, FOREBAY_IO_THREADS: '2' });
      const port = Number(new URL(node?.s3Url ?? '').port);
      const keys = JSON.parse((await cli(node, 'user create carol --policy readwrite')).said);
      const first = new Line(port, keys);
      expect((await first.send('PUT', '/carols')).status).toBe(200);
      const files = await mkdtemp(join(tmpdir(), 'forebay-frozen-'));
      await writeFile(join(files, 'key'), 'hot');
      const mount = `mount add carols/frozen/ ${pathToFileURL(files).href} --freshness immutable`;
      expect(await cli(node, mount)).toMatchObject({ exitCode: 0 });
      await first.send('GET', '/carols/frozen/key');
      const lines = await hotLines(port, '/carols/frozen/key', keys);
      const statuses = () =>
        Promise.all(
          [...lines.values()].map(async (line) => (await line.send('GET', '/carols/frozen/key')).status),
        );
      proxy.cutOff();
      await until(async () => (await readyz(node?.adminUrl)).status === 503);
      await until(async () => (await statuses()).every((status) => status === 503));
      expect(await nameOf(clientOf(node).send(new ListBucketsCommand({})))).toBe('done');
      proxy.mend();
      await until(async () => (await statuses()).every((status) => status === 200));
      await until(async () => (await readyz(node?.adminUrl)).status === 200);
      for (const [thread, line] of lines) {
        await until(async () => threadOf(await line.send('GET', '/carols/frozen/key')) === thread);
      }
      for (const line of [first, ...lines.values()]) line.close();
      await rm(files, { recursive: true });
    },
    patienceMs,
  );

  test(
    'wait for an etcd that is away when they start, and are not ready until then',
    async () => {
      const [first] = await openCluster({});
      await first?.close();
      const again = {
        FOREBAY_CLUSTER_NAME: `c${clusters - 1}`,
        FOREBAY_ROOT_MOUNT: `s3://under/c${clusters - 1}/`,
      };
      const adminPort = new URL(first?.adminUrl ?? '').port;
      proxy.cutOff();
      const stop = new AbortController();
      const stopped = open({ ...again, FOREBAY_ADMIN_PORT: adminPort }, stop.signal);
      stopped.catch(() => {});
      const ask = () => readyz(`http://127.0.0.1:${adminPort}`).catch(() => undefined);
      await until(async () => (await ask()) !== undefined);
      expect(await ask()).toMatchObject({
        status: 503,
        body: { message: expect.stringContaining('etcd has not answered') },
      });
      stop.abort();
      await expect(stopped).rejects.toBe(stop.signal.reason);
      const waiting = open({ ...again, FOREBAY_ADMIN_PORT: adminPort });
      await until(async () => (await ask()) !== undefined);
      proxy.mend();
      const node = await waiting;
      expect(await readyz(node.adminUrl)).toMatchObject({ status: 200 });
    },
    patienceMs,
  );

  test(
    'do not join with a root mount that others do not reach, or that is another than theirs',
    async () => {
      const data = join(folder, 'data-own');
      const file = (path: string) => ({ FOREBAY_DATA: data, FOREBAY_ROOT_MOUNT: pathToFileURL(path).href });
      for (const own of [{ FOREBAY_DATA: data }, file(join(data, 'root')), file(data)]) {
        await expect(open(own)).rejects.toThrow(/the root mount lies in this node's own data folder/);
      }
      await expect(
        open({ FOREBAY_ROOT_MOUNT: 's3://under/x/', FOREBAY_ENCRYPTION_KEY_FILE: '' }),
      ).rejects.toThrow(/need one encryption key/);
      await openCluster({});
      const name = `c${clusters - 1}`;
      await expect(
        open({ FOREBAY_CLUSTER_NAME: name, FOREBAY_ROOT_MOUNT: 's3://under/elsewhere/' }),
      ).rejects.toThrow(`has the root mount s3://under/${name}/`);
    },
    patienceMs,
  );
});
