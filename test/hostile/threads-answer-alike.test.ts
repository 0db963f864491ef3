import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RunningNode, startNode } from '../../conformance/harness.ts';
import { HostileClient } from './hostile-client.ts';
import { codeOf, RawConnection } from './raw-connection.ts';

/** One that answers in the thread that listens, and one that hands most of it over to another. */
let nodes: { readonly one: RunningNode; readonly several: RunningNode };
beforeAll(async () => {
  const [one, several] = await Promise.all(
    ['1', '2'].map((threads) => startNode({ FOREBAY_IO_THREADS: threads })),
  );
  if (!one || !several) throw new Error('two nodes were started');
  nodes = { one, several };
  for (const node of [one, several]) {
    const client = new HostileClient(node);
    await client.send({ method: 'PUT', target: '/fortress' });
    await client.send({ method: 'PUT', target: '/fortress/kept', body: 'kept' });
  }
}, 60_000);
afterAll(async () => {
  for (const node of Object.values(nodes)) await node.stop();
}, 60_000);

const lengthFour = 'Content-Length: 4';
const chunked = 'Transfer-Encoding: chunked';
const fourChunked = '4\r\nabcd\r\n0\r\n\r\n';
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `x${i}: 1`);

/** Request line, header lines but Host, body. */
type Bytes = readonly [line: string, headers: readonly string[], body?: string];

const cases: readonly (readonly [what: string, ...Bytes])[] = [
  ['a GET', 'GET /fortress/kept HTTP/1.1', []],
  ['a HEAD', 'HEAD /fortress/kept HTTP/1.1', []],
  ['trailers announced without any', 'GET /fortress/kept HTTP/1.1', ['Trailer: x']],
  ['trailers beside a length', 'PUT /fortress/kept HTTP/1.1', ['Trailer: x', lengthFour], 'abcd'],
  [
    'trailers',
    'PUT /fortress/k HTTP/1.1',
    [chunked, 'Trailer: x'],
    '4\r\nabcd\r\n0\r\nx: y\r\nX: \xff\r\n\r\n',
  ],
  ['a tab in the target', 'GET /a\tb HTTP/1.1', []],
  ['a form feed in the target', 'GET /a\fb HTTP/1.1', []],
  ['bytes above ASCII in the target', 'GET /a\xe9\xff HTTP/1.1', []],
  ['a folded header', 'GET /fortress HTTP/1.1', ['X-A: b\r\n c']],
  ['a control character in a header', 'GET /fortress HTTP/1.1', ['X-A: b\x01c']],
  ['a byte above ASCII in a header', 'GET /fortress HTTP/1.1', ['X-A: b\xffc']],
  ['a header whose name begins with a tilde', 'GET /fortress HTTP/1.1', ['~A: b', '~Trailer: c']],
  ['a header that JavaScript knows', 'GET /fortress HTTP/1.1', ['__proto__: x', 'constructor: y']],
  ['cookies', 'GET /fortress HTTP/1.1', ['Cookie: a=b', 'Cookie: c=d', 'Set-Cookie: e']],
  ['a websocket', 'GET /fortress HTTP/1.1', ['Connection: Upgrade', 'Upgrade: websocket']],
  [
    'HTTP/2',
    'GET /fortress HTTP/1.1',
    ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: A'],
  ],
  ['a tunnel', 'CONNECT a:1 HTTP/1.1', []],
  ['OPTIONS of all', 'OPTIONS * HTTP/1.1', []],
  ['HTTP/1.0', 'GET /fortress HTTP/1.0', []],
  ['HTTP/1.0 kept alive', 'GET /fortress HTTP/1.0', ['Connection: keep-alive']],
  ['an expectation in HTTP/1.0', 'PUT /fortress/k HTTP/1.0', ['Expect: 100-continue', lengthFour], 'abcd'],
  ['an unknown expectation in HTTP/1.0', 'PUT /fortress/k HTTP/1.0', ['Expect: foo', lengthFour], 'abcd'],
  ['an unknown expectation', 'PUT /fortress/k HTTP/1.1', ['Expect: foo', lengthFour], 'abcd'],
  ['an expectation without a body', 'PUT /fortress/k HTTP/1.1', ['Expect: 100-continue']],
  ['an expectation of a GET', 'GET /fortress/k HTTP/1.1', ['Expect: 100-continue']],
  ['a GET with a body', 'GET /fortress/k HTTP/1.1', [lengthFour], 'abcd'],
  ['a GET with a chunked body', 'GET /fortress/k HTTP/1.1', [chunked], fourChunked],
  ['a DELETE with a chunked body', 'DELETE /fortress/k HTTP/1.1', [chunked], fourChunked],
  ['two transfer codings', 'PUT /fortress/k HTTP/1.1', ['Transfer-Encoding: gzip, chunked'], fourChunked],
  ['two hosts', 'GET /fortress/k HTTP/1.1', ['Host: 127.0.0.1']],
  [
    'two wishes for the connection',
    'GET /fortress HTTP/1.1',
    ['Connection: close', 'Connection: keep-alive'],
  ],
  ['a connection header without a value', 'GET /fortress HTTP/1.1', ['Connection:']],
  ['a connection header that names another', 'GET /fortress HTTP/1.1', ['Connection: host']],
  ['as many headers as are taken', 'GET /fortress HTTP/1.1', numbered(199)],
  ['more headers than are taken', 'GET /fortress HTTP/1.1', numbered(300)],
  ['a length behind more headers', 'PUT /fortress/k HTTP/1.1', [...numbered(300), lengthFour], 'abcd'],
  ['the longest header', 'GET /fortress HTTP/1.1', [`X: ${'a'.repeat(16_200)}`]],
  ['the longest target', `GET /fortress/${'b'.repeat(16_200)} HTTP/1.1`, []],
  ['a header that is too long', 'GET /fortress HTTP/1.1', [`X: ${'a'.repeat(17_000)}`]],
  ['a rare method', 'M-SEARCH /fortress HTTP/1.1', []],
  ['a rare method with a body', 'QUERY /fortress HTTP/1.1', [lengthFour], 'abcd'],
  ['TRACE', 'TRACE /fortress HTTP/1.1', []],
  ['an absolute target', 'GET http://127.0.0.1/fortress HTTP/1.1', []],
  ['an absolute target of another host', 'GET http://other/fortress HTTP/1.1', []],
  ['an empty target', 'GET  HTTP/1.1', []],
];

const changing: ReadonlySet<string> = new Set(['date', 'x-amz-request-id']);

/** What came back on a connection of its own, but for what differs from request to request. */
async function answerOf(node: RunningNode, [line, headers, body = '']: Bytes): Promise<unknown> {
  const connection = await RawConnection.open(node.s3Port);
  connection.write(`${[line, 'Host: 127.0.0.1', ...headers].join('\r\n')}\r\n\r\n${body}`);
  const answer = await connection.answer({ headOnly: line.startsWith('HEAD') });
  const isClosed = await connection.isClosed(100);
  connection.close();
  const told = [...(answer?.headers ?? [])].filter(([name]) => !changing.has(name));
  return { status: answer?.status, code: codeOf(answer), told, isClosed, more: connection.unread };
}

test('whatever bytes come, several threads answer as one does, and none of them dies', async () => {
  for (const [what, ...bytes] of cases) {
    const [one, several] = await Promise.all([answerOf(nodes.one, bytes), answerOf(nodes.several, bytes)]);
    expect([what, several]).toEqual([what, one]);
  }
  const ready = await fetch(`http://127.0.0.1:${nodes.several.adminPort}/readyz`);
  expect(await ready.json()).toEqual({ status: 'ready', ioThreads: { running: 2, of: 2 } });
  expect(await nodes.several.logTail()).not.toContain('an I/O thread died');
}, 60_000);
