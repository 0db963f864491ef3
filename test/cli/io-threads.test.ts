import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { startNode } from '../../src/cli/node.ts';
import { prepareSecrets } from '../../src/cli/node-secrets.ts';
import { run } from '../../src/cli/run.ts';
import type { RootCredentials, RunningNode } from '../../src/cli/running-node.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemRandom } from '../../src/common/random.ts';
import { Line, linesToThreads, threadOf } from '../gateway/thread-lines.ts';

let data: string;
let node: RunningNode;
let root: RootCredentials;
let environment: Record<string, string>;
let logged = '';

async function open(changes: Record<string, string> = {}): Promise<RunningNode> {
  const { settings } = resolveSettings({ flags: new Map(), environment: { ...environment, ...changes } });
  const { secrets } = await prepareSecrets(settings, systemRandom);
  root = secrets.root;
  const lines = {
    write: (text: string) => {
      logged += text;
    },
  };
  return startNode(settings, secrets, { log: pino({ level: 'info' }, lines), lines, droppedLines: () => 0 });
}

async function cli(...words: string[]): Promise<string> {
  let printed = '';
  const exitCode = await run([...words, '--json'], {
    environment: { ...environment, FOREBAY_ADMIN_URL: node.adminUrl },
    print: (text) => {
      printed += text;
    },
    printError: (text) => {
      printed += text;
    },
  });
  expect([exitCode, printed]).toEqual([0, printed]);
  return printed;
}

const port = () => Number(new URL(node.s3Url).port);

describe('a node with two I/O threads', () => {
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'forebay-threads-'));
    environment = {
      FOREBAY_DATA: data,
      FOREBAY_S3_PORT: '0',
      FOREBAY_ADMIN_PORT: '0',
      FOREBAY_IO_THREADS: '2',
      FOREBAY_CACHE_MEMORY: '4MiB',
    };
    node = await open();
  });
  afterAll(async () => {
    await node.close();
    await rm(data, { recursive: true });
  });

  test('refuses a disabled key through each thread as soon as it is disabled', async () => {
    const user = JSON.parse(await cli('user', 'create', 'alice', '--policy', 'readwrite'));
    const keys = { accessKeyId: user.accessKeyId, secretAccessKey: user.secretAccessKey };
    const writer = new Line(port(), keys);
    expect((await writer.send('PUT', '/alices')).status).toBe(200);
    expect((await writer.send('PUT', '/alices/hot', Buffer.from('hot'))).status).toBe(200);
    expect((await writer.send('GET', '/alices/hot')).body.toString()).toBe('hot');
    const lines = await linesToThreads(port(), 2, '/alices/hot', keys);
    for (const [thread, line] of lines) expect(threadOf(await line.send('GET', '/alices/hot'))).toBe(thread);
    await cli('user', 'key', 'disable', 'alice');
    for (const line of lines.values()) {
      const answer = await line.send('GET', '/alices/hot');
      expect([answer.status, answer.body.toString().includes('InvalidAccessKeyId')]).toEqual([403, true]);
    }
    for (const line of [writer, ...lines.values()]) line.close();
  });

  test('knows no removed mount and no deleted user through any thread', async () => {
    const files = await mkdtemp(join(tmpdir(), 'forebay-mounted-'));
    await writeFile(join(files, 'hot'), 'hot');
    const user = JSON.parse(await cli('user', 'create', 'bob', '--policy', 'readonly'));
    const keys = { accessKeyId: user.accessKeyId, secretAccessKey: user.secretAccessKey };
    const uri = pathToFileURL(files).href;
    const add = () => cli('mount', 'add', 'mounted', uri, '--freshness', 'immutable', '--owner', 'bob');
    await add();
    const first = new Line(port(), keys);
    expect((await first.send('GET', '/mounted/hot')).body.toString()).toBe('hot');
    const lines = await linesToThreads(port(), 2, '/mounted/hot', keys);
    const answers = () => Promise.all([...lines.values()].map((line) => line.send('GET', '/mounted/hot')));
    await cli('mount', 'remove', 'mounted');
    for (const answer of await answers()) {
      expect([answer.status, answer.body.toString().includes('NoSuchBucket')]).toEqual([404, true]);
    }
    await writeFile(join(files, 'hot'), 'changed meanwhile');
    await add();
    for (const answer of await answers()) expect(answer.body.toString()).toBe('changed meanwhile');
    await cli('mount', 'remove', 'mounted');
    await cli('user', 'delete', 'bob');
    for (const answer of await answers()) {
      expect([answer.status, answer.body.toString().includes('InvalidAccessKeyId')]).toEqual([403, true]);
    }
    for (const line of [first, ...lines.values()]) line.close();
    await rm(files, { recursive: true });
  });

  test('reads parts of large pages from the disk in each thread', async () => {
    const line = new Line(port(), root);
    await line.send('PUT', '/bucket');
    const body = Buffer.alloc(3_000_000, 'part of a large page ');
    await line.send('PUT', '/bucket/large', body);
    expect((await line.send('GET', '/bucket/large')).body.equals(body)).toBe(true);
    const range = { range: 'bytes=1000000-1099999' };
    const whole = body.subarray(1_000_000, 1_100_000);
    await line.send('PUT', '/bucket/hot', Buffer.from('hot'));
    await line.send('GET', '/bucket/hot');
    const lines = await linesToThreads(port(), 2, '/bucket/hot', root);
    for (const [thread, one] of lines) {
      // The page may still be on its way to the disk.
      let answer = await one.send('GET', '/bucket/large', undefined, range);
      for (let i = 0; i < 100 && threadOf(answer) !== thread; i++) {
        await sleep(20);
        answer = await one.send('GET', '/bucket/large', undefined, range);
      }
      expect([answer.status, threadOf(answer), answer.headers['x-forebay-cache']]).toEqual([
        206,
        thread,
        'hit',
      ]);
      expect(answer.body.equals(whole)).toBe(true);
    }
    for (const one of [line, ...lines.values()]) one.close();
  });

  test('tells of its threads, and logs each request on a line of its own', async () => {
    const ready = await fetch(`${node.adminUrl}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', ioThreads: { running: 2, of: 2 } },
    ]);
    const lines = await linesToThreads(port(), 2, '/bucket/hot', root);
    await sleep(600);
    logged = '';
    const ids: unknown[] = [];
    for (let i = 0; i < 20; i++) {
      for (const line of lines.values()) {
        ids.push((await line.send('GET', '/bucket/hot')).headers['x-amz-request-id']);
        ids.push((await line.send('GET', '/bucket/none')).headers['x-amz-request-id']);
      }
    }
    await sleep(600);
    const records = logged
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    expect(records.map(({ requestId }) => requestId).sort()).toEqual(ids.sort());
    for (const { remote } of records) expect(remote).toBe('127.0.0.1');
    for (const line of lines.values()) line.close();
  });

  test('lets a request under way end, and is gone in time', async () => {
    const started = Date.now();
    const second = await mkdtemp(join(tmpdir(), 'forebay-threads-'));
    const other = await open({ FOREBAY_DATA: second, FOREBAY_TIMEOUT_SHUTDOWN: '2s' });
    const line = new Line(Number(new URL(other.s3Url).port), root);
    await line.send('PUT', '/bucket');
    const answers = Array.from({ length: 4 }, (_, i) =>
      line.send('PUT', `/bucket/key-${i}`, Buffer.alloc(1_000_000, 'x')),
    );
    await answers[0];
    await other.close();
    expect(Date.now() - started).toBeLessThan(60_000);
    await expect(fetch(other.s3Url)).rejects.toThrow();
    await Promise.allSettled(answers);
    line.close();
    await rm(second, { recursive: true });
  });

  test('does not share its port with a program that listens there already', async () => {
    const listener = createServer();
    await new Promise<void>((resolve) => {
      listener.listen({ host: '127.0.0.1', port: 0, reusePort: true }, resolve);
    });
    const address = listener.address();
    const taken = typeof address === 'object' && address ? address.port : 0;
    const second = await mkdtemp(join(tmpdir(), 'forebay-threads-'));
    const opening = open({ FOREBAY_DATA: second, FOREBAY_S3_PORT: String(taken) });
    await expect(opening).rejects.toMatchObject({ code: 'EADDRINUSE', port: taken });
    await new Promise((resolve) => listener.close(resolve));
    await rm(second, { recursive: true });
  });
});
