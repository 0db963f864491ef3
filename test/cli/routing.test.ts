import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sign } from 'aws4';
import { planCluster } from '../../chaos/cluster/cluster-folder.ts';
import { NodeProcess } from '../../chaos/cluster/node-process.ts';
import { steadyPorts } from '../../chaos/cluster/steady-ports.ts';
import { startStorage } from '../../chaos/cluster/storage-process.ts';
import { describeOverEtcd, EtcdServer } from '../support/etcd-server.ts';
import { someBytes } from '../support/upload-body.ts';

const patienceMs = 280_000;
const Bucket = 'routed';
const root = { accessKeyId: 'AKIDROOTOFTHECLUSTER', secretAccessKey: 'secret-of-the-cluster' };

await describeOverEtcd('three nodes, each a process', (program) => {
  let folder: string;
  const closing: (() => Promise<unknown>)[] = [];
  const nodes: NodeProcess[] = [];
  const clients = new Map<NodeProcess, S3Client>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-routing-'));
    const plan = await planCluster(join(folder, 'cluster'), root);
    await mkdir(join(folder, 'etcd'));
    const etcd = await EtcdServer.start(program, [], join(folder, 'etcd'));
    closing.push(() => etcd.close());
    const storage = await startStorage(plan);
    closing.push(() => storage.stop());
    const ports = await steadyPorts(9);
    for (let index = 0; index < 3; index++) {
      const [s3Port = 0, adminPort = 0, peerPort = 0] = ports.slice(3 * index);
      const storageUrl = `http://127.0.0.1:${plan.storagePort}`;
      // One of them answers through threads.
      const environment = { FOREBAY_IO_THREADS: index === 0 ? '2' : '1' };
      const place = {
        name: `n${index}`,
        s3Port,
        adminPort,
        peerPort,
        etcdUrl: etcd.url,
        storageUrl,
        environment,
      };
      const node = new NodeProcess(plan, place);
      closing.push(() => node.stop());
      await node.start();
      nodes.push(node);
      const client = new S3Client({
        endpoint: node.s3Url,
        region: 'us-east-1',
        credentials: root,
        forcePathStyle: true,
        maxAttempts: 1,
      });
      clients.set(node, client);
    }
  }, patienceMs);
  afterAll(async () => {
    for (const client of clients.values()) client.destroy();
    for (const close of closing.reverse()) await close();
    await rm(folder, { recursive: true, force: true });
  }, patienceMs);

  const client = (node: NodeProcess | undefined) => clients.get(node as NodeProcess) as S3Client;
  const put = (node: NodeProcess, Key: string, Body: Buffer | string) =>
    client(node).send(new PutObjectCommand({ Bucket, Key, Body }));

  /** Signed, over plain HTTP, not following anything. */
  function plainGet(node: NodeProcess, key: string, more: Record<string, string> = {}): Promise<Response> {
    const { host } = new URL(node.s3Url);
    const path = `/${Bucket}/${key}?X-Amz-Expires=300`;
    const signed = sign({ service: 's3', region: 'us-east-1', host, path, signQuery: true }, root);
    return fetch(`${node.s3Url}${signed.path}`, { redirect: 'manual', headers: more });
  }

  async function ownerOf(key: string): Promise<NodeProcess> {
    const answer = await plainGet(nodes[0] as NodeProcess, key);
    await answer.arrayBuffer();
    const ids = await Promise.all(nodes.map((node) => node.nodeId()));
    const owner = nodes[ids.indexOf(answer.headers.get('x-forebay-owner') ?? '')];
    if (!owner) throw new Error(`nobody owns ${key}: ${answer.status}`);
    return owner;
  }

  async function counted(node: NodeProcess, name: string): Promise<Map<string, number>> {
    const text = await (await fetch(`${node.adminUrl}/metrics`)).text();
    const rows = text.matchAll(new RegExp(`^${name}\\{source="(\\w+)"\\} (\\d+)$`, 'gm'));
    return new Map([...rows].map(([, source = '', value]) => [source, Number(value)]));
  }

  const sum = (counts: ReadonlyMap<string, number>) =>
    [...counts.values()].reduce((all, one) => all + one, 0);

  test(
    'a bucket and objects made through one are there through all, and every byte is counted once, where it was handed to a client',
    async () => {
      const [first] = nodes as [NodeProcess];
      await client(first).send(new CreateBucketCommand({ Bucket }));
      const sizes = [10, 4096, 100_000, 9_000_000];
      let handed = 0;
      for (const [index, size] of sizes.entries()) {
        const sent = someBytes(size, index);
        // Right after the bucket, through nodes that may not have heard of it yet.
        for (const node of nodes) await put(node, `${index}/${node.place.name}`, sent);
        for (const reader of nodes) {
          for (const writer of nodes) {
            const Key = `${index}/${writer.place.name}`;
            const { Body } = await client(reader).send(new GetObjectCommand({ Bucket, Key }));
            expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(sent)).toBe(true);
            handed += size;
          }
        }
      }
      const served = await Promise.all(nodes.map((node) => counted(node, 'forebay_bytes_served_total')));
      expect(served.reduce((all, one) => all + sum(one), 0)).toBe(handed);
      const throughPeers = served.reduce((all, one) => all + (one.get('peer') ?? 0), 0);
      const forPeers = await Promise.all(nodes.map((node) => counted(node, 'forebay_peer_bytes_total')));
      expect(forPeers.reduce((all, one) => all + sum(one), 0)).toBe(throughPeers);
      expect(throughPeers).toBeGreaterThan(0);
    },
    patienceMs,
  );

  test(
    'each reads at once what any of them has written, hot or not, and what was deleted is gone for all',
    async () => {
      for (let round = 0; round < 9; round++) {
        const writer = nodes[round % 3] as NodeProcess;
        await put(writer, 'hot', `${round}`);
        for (const node of [...nodes, ...nodes]) {
          expect(await (await plainGet(node, 'hot')).text()).toBe(`${round}`);
        }
      }
      await client(nodes[1]).send(new DeleteObjectCommand({ Bucket, Key: 'hot' }));
      for (const node of nodes) expect((await plainGet(node, 'hot')).status).toBe(404);
    },
    patienceMs,
  );

  test(
    'a plain HTTP client that asks for it is sent to the owner, and gets the object there',
    async () => {
      await put(nodes[0] as NodeProcess, 'sent-on', 'here');
      const owner = await ownerOf('sent-on');
      for (const node of nodes) {
        const answer = await plainGet(node, 'sent-on', { 'x-forebay-route': 'redirect' });
        if (node === owner) {
          expect([answer.status, await answer.text()]).toEqual([200, 'here']);
          continue;
        }
        expect([answer.status, answer.headers.get('x-forebay-owner')]).toEqual([307, await owner.nodeId()]);
        const location = answer.headers.get('location') ?? '';
        expect(location.startsWith(`${owner.s3Url}/`)).toBe(true);
        const followed = await fetch(location);
        expect([followed.status, await followed.text()]).toEqual([200, 'here']);
        const one = await fetch(`${node.s3Url}${new URL(location).pathname}`, { redirect: 'manual' });
        expect(one.status).toBe(403);
      }
    },
    patienceMs,
  );

  test(
    'when an owner is killed its objects are read on without it, and written again when its time is over; it comes back as the owner of what is then there',
    async () => {
      const key = 'survives';
      await put(nodes[0] as NodeProcess, key, 'v1');
      const owner = await ownerOf(key);
      const others = nodes.filter((node) => node !== owner);
      await owner.kill();
      for (const node of others) {
        const answer = await plainGet(node, key);
        expect([answer.status, await answer.text()]).toEqual([200, 'v1']);
      }
      const written = async () => {
        for (;;) {
          const done = await put(others[0] as NodeProcess, key, 'v2').then(
            () => true,
            () => false,
          );
          if (done) return;
          await sleep(200);
        }
      };
      await written();
      for (const node of others) expect(await (await plainGet(node, key)).text()).toBe('v2');
      await owner.start();
      for (const node of nodes) expect(await (await plainGet(node, key)).text()).toBe('v2');
      await put(others[1] as NodeProcess, key, 'v3');
      for (const node of nodes) expect(await (await plainGet(node, key)).text()).toBe('v3');
    },
    patienceMs,
  );
});
