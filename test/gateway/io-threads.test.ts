import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { type Line, linesToThreads, threadOf } from './thread-lines.ts';

const hot = '/bucket/hot';

async function open(): Promise<GatewayUnderTest> {
  const root = new MemoryBackend(systemClock, systemRandom, { exclusive: true });
  const gateway = await startGateway(root, [], { ioThreads: 2 });
  await gateway.buckets.create({ name: 'bucket', owner: 'root', kind: 'root' });
  return gateway;
}

async function metricOf(gateway: GatewayUnderTest, name: string): Promise<number> {
  const text = await gateway.metrics.text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

describe('several I/O threads', () => {
  let gateway: GatewayUnderTest;
  let lines: Map<string, Line>;
  let all: Line[];
  /** What stands for the store thread in request ids. */
  let store: string;
  beforeAll(async () => {
    gateway = await open();
    await gateway.client.send(
      new PutObjectCommand({
        Bucket: 'bucket',
        Key: 'hot',
        Body: 'hot body',
      }),
    );
    const { client } = gateway;
    const first = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'hot' }));
    store = (first.$metadata.requestId ?? '').slice(0, 8);
    await first.Body?.transformToString();
    lines = await linesToThreads(gateway.port, 2, hot);
    all = [...lines.values()];
  });
  afterAll(async () => {
    for (const line of all ?? []) line.close();
    await gateway?.close();
  });

  test('each answers what is at hand by itself, and what follows from it', async () => {
    for (const [thread, line] of lines) {
      const whole = await line.send('GET', hot);
      expect([whole.status, whole.body.toString(), threadOf(whole)]).toEqual([200, 'hot body', thread]);
      expect(whole.headers['x-forebay-cache']).toBe('hit');
      const etag = whole.headers.etag ?? '';
      const cases = [
        [await line.send('GET', hot, undefined, { range: 'bytes=4-' }), 206, 'body'],
        [await line.send('HEAD', hot), 200, ''],
        [await line.send('GET', hot, undefined, { 'if-none-match': etag }), 304, ''],
        [await line.send('GET', hot, undefined, { 'if-match': '"other"' }), 412, undefined],
        [await line.send('GET', hot, undefined, { range: 'bytes=100-' }), 416, undefined],
      ] as const;
      for (const [answer, status, body] of cases) {
        expect([answer.status, threadOf(answer)]).toEqual([status, thread]);
        if (body !== undefined) expect(answer.body.toString()).toBe(body);
      }
    }
    expect(lines.has(store)).toBe(false);
  });

  test('everything else is answered by the store thread, through any of them', async () => {
    for (const line of all) {
      for (const [method, target, status] of [
        ['GET', '/bucket?list-type=2', 200],
        ['GET', '/bucket/none', 404],
        ['GET', '/none/none', 404],
        ['PUT', '/bucket/other', 200],
        ['DELETE', '/bucket/other', 204],
        ['GET', '/', 200],
      ] as const) {
        const answer = await line.send(method, target, method === 'PUT' ? Buffer.from('x') : undefined);
        expect([method, target, answer.status, threadOf(answer)]).toEqual([method, target, status, store]);
      }
    }
  });

  test('a write through one of them is seen through the others as soon as it is answered', async () => {
    const [one, two] = all as [Line, Line];
    for (let i = 0; i < 60; i++) {
      const [writer, reader] = i % 2 === 0 ? [one, two] : [two, one];
      const body = Buffer.alloc(100 + i, `version ${i} `);
      expect((await writer.send('PUT', '/bucket/changing', body)).status).toBe(200);
      for (const line of [reader, writer, reader]) {
        expect((await line.send('GET', '/bucket/changing')).body.equals(body)).toBe(true);
      }
      if (i % 5 !== 4) continue;
      expect((await writer.send('DELETE', '/bucket/changing')).status).toBe(204);
      expect((await reader.send('GET', '/bucket/changing')).status).toBe(404);
    }
  });

  test('large bodies are the same through memory that threads share', async () => {
    const body = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
    await all[0]?.send('PUT', '/bucket/large', body);
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(all.map((line) => line.send('GET', '/bucket/large')));
      for (const answer of answers) expect(answer.body.equals(body)).toBe(true);
    }
    for (const [thread, line] of lines) {
      expect(threadOf(await line.send('GET', '/bucket/large', undefined, { range: 'bytes=5-600000' }))).toBe(
        thread,
      );
    }
  });

  test('an answer of several pages is given by the thread that has its client', async () => {
    const body = Buffer.alloc(9_000_000, 'pages and pages ');
    await all[0]?.send('PUT', '/bucket/long', body);
    expect((await all[0]?.send('GET', '/bucket/long'))?.body.equals(body)).toBe(true);
    for (const [thread, line] of lines) {
      const answer = await line.send('GET', '/bucket/long');
      expect([answer.status, answer.headers['x-forebay-cache'], threadOf(answer)]).toEqual([
        200,
        'hit',
        thread,
      ]);
      expect(answer.body.equals(body)).toBe(true);
    }
  });

  test('a bucket that is deleted is gone for requests through each at once', async () => {
    for (let i = 0; i < 10; i++) {
      await gateway.buckets.create({ name: 'passing', owner: 'root', kind: 'root' });
      await all[0]?.send('PUT', '/passing/key', Buffer.from('there'));
      for (const line of all) expect((await line.send('GET', '/passing/key')).status).toBe(200);
      const record = gateway.buckets.get('passing');
      if (record) await gateway.buckets.delete(record);
      const answers = await Promise.all(all.map((line) => line.send('GET', '/passing/key')));
      expect(answers.map(({ status }) => status)).toEqual([404, 404]);
    }
  });

  test('every request is counted once, and every byte', async () => {
    const names = [
      'forebay_requests_total{operation="GetObject",code="OK"}',
      'forebay_requests_total{operation="HeadObject",code="OK"}',
      'forebay_requests_total{operation="GetObject",code="NoSuchKey"}',
      'forebay_request_seconds_count{operation="GetObject"}',
      'forebay_bytes_served_total{source="hit"}',
    ];
    const before = await Promise.all(names.map((name) => metricOf(gateway, name)));
    for (let i = 0; i < 10; i++) {
      for (const line of all) {
        await line.send('GET', hot);
        await line.send('HEAD', hot);
        await line.send('GET', '/bucket/none');
      }
    }
    const after = await Promise.all(names.map((name) => metricOf(gateway, name)));
    expect(after.map((value, i) => value - (before[i] ?? 0))).toEqual([20, 20, 20, 40, 160]);
  });

  test('one that has not heard of the newest change answers nothing by itself', async () => {
    gateway.announceChange();
    for (const line of all) {
      const answer = await line.send('GET', hot);
      expect([answer.status, threadOf(answer)]).toEqual([200, store]);
    }
    // The next change brings them up to date.
    await gateway.buckets.create({ name: 'next', owner: 'root', kind: 'root' });
    await sleep(50);
    for (const [thread, line] of lines) expect(threadOf(await line.send('GET', hot))).toBe(thread);
  });
});

describe('an I/O thread that dies', () => {
  test('takes its own connections with it, and is started again', async () => {
    const gateway = await open();
    try {
      await gateway.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'hot', Body: 'hot body' }));
      // The first read fills what the threads share.
      await linesToThreads(gateway.port, 1, hot).then((first) => {
        for (const line of first.values()) line.close();
      });
      const lines = await linesToThreads(gateway.port, 2, hot);
      const before = await metricOf(gateway, 'forebay_requests_total{operation="GetObject",code="OK"}');
      await gateway.threads?.terminate(1);
      let alive = 0;
      for (const line of lines.values()) {
        const status = await line.send('GET', hot).then(
          (answer) => answer.status,
          () => undefined,
        );
        if (status === 200) alive++;
      }
      // The other one is cut off, or its agent has already found another connection.
      expect(alive).toBeGreaterThanOrEqual(1);
      for (let i = 0; gateway.threads?.running !== 2 && i < 500; i++) await sleep(20);
      expect(gateway.threads?.running).toBe(2);
      const again = await linesToThreads(gateway.port, 2, hot);
      expect([...again.keys()].filter((thread) => !lines.has(thread))).toHaveLength(1);
      // What it had counted is not lost.
      const after = await metricOf(gateway, 'forebay_requests_total{operation="GetObject",code="OK"}');
      expect(after).toBeGreaterThanOrEqual(before);
      for (const line of [...lines.values(), ...again.values()]) line.close();
    } finally {
      await gateway.close();
    }
  });
});
