import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { S3Side } from '../../fuzz/lib/s3-side.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';

const program = resolve(import.meta.dirname, '../../scripts/cluster.ts');
const patienceMs = 240_000;
const root = { accessKeyId: 'AKIDROOTOFTHECLUSTER', secretAccessKey: 'secret-of-the-cluster' };

interface NodeLine {
  readonly nodeId: string;
  readonly s3: string;
  readonly admin: string;
  readonly pid: number;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

await describeOverEtcd('npm run cluster', () => {
  let folder: string;
  let cluster: ChildProcess;
  const lines: NodeLine[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'forebay-cluster-'));
    cluster = spawn(process.execPath, [program, '--nodes', '2', '--data', folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        FOREBAY_ROOT_ACCESS_KEY_ID: root.accessKeyId,
        FOREBAY_ROOT_SECRET_ACCESS_KEY: root.secretAccessKey,
      },
    });
    if (!cluster.stdout) throw new Error('it has no output');
    for await (const line of createInterface(cluster.stdout)) {
      if (lines.push(JSON.parse(line) as NodeLine) === 2) break;
    }
  }, patienceMs);
  afterAll(async () => {
    if (cluster.exitCode === null) cluster.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  test('says of each node who it is and where it listens, and each is ready', async () => {
    expect(new Set(lines.map(({ nodeId }) => nodeId)).size).toBe(2);
    for (const { admin } of lines) expect((await fetch(`${admin}/readyz`)).status).toBe(200);
  });

  test(
    'shows through one node what was written through another',
    async () => {
      const [one, other] = lines.map(({ s3 }) => new S3Side({ port: Number(new URL(s3).port), ...root }));
      if (!one || !other) throw new Error('there are not two nodes');
      expect((await one.send({ method: 'PUT', path: '/bucket' })).status).toBe(200);
      for (;;) {
        const { status } = await other.send({ method: 'PUT', path: '/bucket/key', body: 'shared' });
        // The other hears of buckets a little later.
        if (status === 200) break;
        expect(status).toBe(404);
      }
      expect((await one.send({ method: 'GET', path: '/bucket/key' })).body.toString()).toBe('shared');
      for (const side of [one, other]) side.close();
    },
    patienceMs,
  );

  test(
    'ends all that it started when it gets SIGTERM, also where a node was killed before',
    async () => {
      process.kill(lines[0]?.pid ?? 0, 'SIGKILL');
      const ended = once(cluster, 'exit');
      cluster.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
      expect(lines.map(({ pid }) => isAlive(pid))).toEqual([false, false]);
    },
    patienceMs,
  );
});
