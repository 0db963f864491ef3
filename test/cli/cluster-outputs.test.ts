import { once } from 'node:events';
import { createServer } from 'node:net';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { RunningNode } from '../../src/cli/running-node.ts';
import { credentials } from '../gateway/memory-node.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { someBytes, TestBody } from '../support/upload-body.ts';
import { expectGolden, settled } from './golden.ts';
import { NodesOverEtcd, rootKey } from './nodes-over-etcd.ts';
import { say } from './say.ts';

const patienceMs = 240_000;
const disk = { FOREBAY_CACHE_DISK: '64MiB', FOREBAY_CACHE_MEMORY: '1MiB', FOREBAY_CACHE_MIN_FREE: '0' };
/** Where the other nodes find the one that is to fall silent: a proxy stands there. */
const besideHost = '127.0.0.2';
const workers = {
  one: '11111111-1111-4111-8111-111111111111',
  two: '22222222-2222-4222-8222-222222222222',
};

await describeOverEtcd('what commands print in a cluster of which a part is away', (program) => {
  let cluster: NodesOverEtcd;
  let peerProxy: TcpProxy;
  let one: RunningNode;
  /** A key that the node answers for which falls silent. */
  let ownedByTwo: string | undefined;

  beforeAll(async () => {
    cluster = await NodesOverEtcd.start(program);
    for (const [name, workerId] of Object.entries(workers)) await cluster.identify(name, workerId);
    one = await cluster.open('one', disk);
    const port = await freePort();
    peerProxy = await TcpProxy.start(port, { host: besideHost, port });
    await cluster.open('two', {
      ...disk,
      FOREBAY_PEER_PORT: String(port),
      FOREBAY_ADVERTISE_HOST: besideHost,
    });
    await until(async () => (await cluster.cli(one, 'node list')).json.length === 2);
    const client = new S3Client({
      endpoint: one.s3Url,
      region: 'us-east-1',
      credentials: rootKey,
      forcePathStyle: true,
    });
    await client.send(new CreateBucketCommand({ Bucket: 'lake' }));
    client.destroy();
    for (let i = 0; i < 20; i++) {
      const body = new TestBody(someBytes(10_000, i));
      await cluster.storage.backend.put(`ring/lake/set/k${i}`, body, { headers: {}, userMetadata: {} });
    }
    expect((await cluster.cli(one, 'policy set s3://lake/set --quota 10MiB')).exitCode).toBe(0);
    expect((await say(one, 'load s3://lake/set/', credentials.secretAccessKey, rootKey)).exitCode).toBe(0);
    for (let i = 0; ownedByTwo === undefined; i++) {
      const { owner } = (await cluster.cli(one, `explain s3://lake/set/k${i}`)).json;
      if (owner === workers.two) ownedByTwo = `set/k${i}`;
    }
  }, patienceMs);
  afterEach(() => {
    peerProxy.mend();
    cluster.proxyOf('one').mend();
  });
  afterAll(async () => {
    peerProxy?.mend();
    await cluster?.close();
    await peerProxy?.close();
  }, patienceMs);

  /** What commands print, and their exit codes, but for what is different each time. */
  async function transcript(lines: readonly string[]): Promise<string> {
    const said: string[] = [];
    for (const line of lines) {
      const { exitCode, said: text } = await say(one, line, credentials.secretAccessKey, rootKey);
      said.push(`$ forebay ${line}`, text, `(${exitCode})`, '');
    }
    const names = {
      [workers.one]: 'WORKER-ONE',
      [workers.two]: 'WORKER-TWO',
      [ownedByTwo as string]: 'set/KEY',
    };
    return (
      settled(said.join('\n').trimEnd(), names)
        .replaceAll(/127\.0\.0\.2:\d+/g, 'ADDRESS')
        // Which fault of the network it was depends on the moment.
        .replaceAll(/(ADDRESS: )[^\n":)]*E[A-Z]+ ADDRESS/g, '$1WHY')
        .replaceAll(/(cannot \w+ etcd): [^;\n]*/g, '$1: WHY')
        // How objects are spread depends on the incarnation of their bucket.
        .replaceAll(/\d+ +\d+ +[\d.]+ (KiB|B)$/gm, 'N  N  SIZE')
        .replaceAll(/("pages":|"bytes":)\d+/g, '$1N')
        .replaceAll(/(quota=10MiB +)[\d.]+ KiB/g, '$1SIZE')
        .replaceAll(/^[0-9a-f]{8}(?= )/gm, 'ID')
        .replaceAll(/view \d+, generation \d+/g, 'view N')
        .replaceAll(/ {2,}/g, '  ')
    );
  }

  test(
    'where a node does not answer: what is told is incomplete, says so and names it',
    async () => {
      peerProxy.silence();
      const silent = await transcript(['du --cached s3://lake']);
      peerProxy.mend();
      peerProxy.cutOff();
      const unreachable = await transcript([
        'du --cached s3://lake --json',
        'policy list',
        'policy set s3://lake --ttl 1h',
        'policy remove s3://lake',
        'policy set s3://lake/set --quota 1TiB',
        `policy explain s3://lake/${ownedByTwo}`,
        `explain s3://lake/${ownedByTwo}`,
        'config set cache.readAhead 4',
        'config unset cache.readAhead',
      ]);
      await expectGolden('cluster-silent-node', `${silent}\n\n${unreachable}`);
    },
    patienceMs,
  );

  test(
    'where etcd is away: nothing is changed, and what is known is told',
    async () => {
      const id = (await cluster.cli(one, 'job list')).json.jobs[0].id as string;
      cluster.proxyOf('one').cutOff();
      const text = await transcript([
        'load s3://lake/set/',
        'load s3://lake/set/ --plan',
        'free s3://lake/set/',
        'sync s3://lake/set/',
        'scrub',
        `job show ${id}`,
        `job pause ${id}`,
        `job stop ${id}`,
        'policy set s3://lake --ttl 1h',
        'policy remove s3://lake/set',
        'policy list',
        'job list',
        'mount list',
        'config set cache.readAhead 4',
        'user create reader --policy readonly',
        'load s3://nobody/set',
        'policy set s3://nobody --ttl 1h',
      ]);
      await expectGolden('cluster-etcd-away', text.replaceAll(id, 'ID'));
      const { exitCode, said } = await say(one, 'status', credentials.secretAccessKey, rootKey);
      expect(exitCode).toBe(1);
      expect(said).toMatch(
        /error +the node \w+ \(127\.0\.0\.1\) has no view lease\n +see whether it reaches etcd/,
      );
    },
    patienceMs,
  );

  test(
    'and all of it is as it was once both are back',
    async () => {
      await until(async () => (await cluster.cli(one, 'status')).json.health === 'ok');
      const { nodes, silent } = (await cluster.cli(one, 'du --cached s3://lake')).json;
      expect([nodes.length, silent]).toEqual([2, []]);
      const { policies } = (await cluster.cli(one, 'policy list')).json;
      expect(policies.map(({ target }: { target: string }) => target)).toEqual(['lake/set/']);
    },
    patienceMs,
  );
});

/** One that both addresses have free, and that no system gives to whoever asks for any. */
async function freePort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port++) {
    if ((await isFree('127.0.0.1', port)) && (await isFree(besideHost, port))) return port;
  }
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
