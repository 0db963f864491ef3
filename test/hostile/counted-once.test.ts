import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningNode, startNode } from '../../conformance/harness.ts';
import { HostileClient } from './hostile-client.ts';
import { RawConnection } from './raw-connection.ts';

/** `operation code` of each S3 request counted so far, with how often. */
async function counted(node: RunningNode): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${node.adminPort}/metrics`)).text();
  const found = text.matchAll(/^forebay_requests_total\{operation="(\w+)",code="(\w+)"\} (\d+)$/gm);
  return new Map([...found].map(([, operation, code, count]) => [`${operation} ${code}`, Number(count)]));
}

/** What is counted, and logged, from now on; when so many are, and nothing has come after them for a moment. */
async function watch(node: RunningNode): Promise<(requests: number) => Promise<string[]>> {
  const before = await counted(node);
  return async (requests) => {
    let news: string[] = [];
    for (let i = 0; i < 200 && news.length < requests; i++) {
      await sleep(25);
      news = [...(await counted(node))].flatMap(([name, count]) =>
        Array.from({ length: count - (before.get(name) ?? 0) }, () => name),
      );
    }
    return news.sort();
  };
}

describe.each(['1', '2'])('with %s I/O threads', (threads) => {
  let node: RunningNode;
  let client: HostileClient;
  beforeAll(async () => {
    node = await startNode({ FOREBAY_IO_THREADS: threads });
    client = new HostileClient(node);
    await client.send({ method: 'PUT', target: '/fortress' });
    await client.send({ method: 'PUT', target: '/fortress/kept', body: 'kept' });
    await client.send({ target: '/fortress/kept' });
  }, 60_000);
  afterAll(() => node.stop(), 60_000);

  const upload = () =>
    client
      .signed({
        method: 'PUT',
        target: '/fortress/broken',
        payload: 'UNSIGNED-PAYLOAD',
        headers: { 'Content-Length': '1000' },
      })
      .text();
  const chunked = () =>
    client
      .signed({ method: 'PUT', target: '/fortress/broken', payload: 'UNSIGNED-PAYLOAD' })
      .text({ 'Content-Length': undefined, 'Transfer-Encoding': 'chunked', 'X-Unsigned': '1' });
  const get = (target = '/fortress/kept') => client.signed({ target }).text();

  const cases: readonly [string, () => string, string[]][] = [
    ['an upload whose client goes away', () => `${upload()}ab`, ['PutObject ClientGone']],
    ['a read that is followed by nothing', () => get(), ['GetObject OK']],
    ['a read that is refused', () => get('/fortress/none'), ['GetObject NoSuchKey']],
    ['a read and what is no request', () => `${get()}\x00\x00\r\n\r\n`, ['GetObject OK']],
    ['what is no request', () => 'no request\r\n\r\n', ['Unparsable InvalidRequest']],
    ['two reads in one piece', () => get() + get(), ['GetObject OK', 'GetObject OK']],
  ];
  test.each(cases)('%s is counted once', async (_what, bytes, expected) => {
    const since = await watch(node);
    const connection = await RawConnection.open(node.s3Port);
    connection.write(bytes());
    if (expected.some((name) => name.includes('ClientGone'))) await sleep(200);
    else await connection.answer();
    connection.close();
    // A second count of the same request comes when the thread that listens hears of its end.
    await since(expected.length);
    await sleep(200);
    expect(await since(expected.length)).toEqual(expected);
  });

  test('an upload whose chunks are none is counted once', async () => {
    const since = await watch(node);
    const connection = await RawConnection.open(node.s3Port);
    connection.write(`${chunked()}5\r\nabcdeXYZ\r\n`);
    await connection.isClosed(5_000);
    connection.close();
    await since(1);
    await sleep(200);
    expect(await since(1)).toHaveLength(1);
  });
});
