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
  ['an expectation of nothing', 'PUT /fortress/k HTTP/1.1', ['Expect:', lengthFour], 'abcd'],
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

const changing: ReadonlySet<string> = new Set([
  'date',
  'last-modified',
  'x-amz-id-2',
  'x-amz-request-id',
  'x-forebay-owner',
  'x-forebay-validated',
]);

/** What came back on a connection of its own, but for what differs from request to request. */
async function answerOf(node: RunningNode, text: string): Promise<unknown> {
  const connection = await RawConnection.open(node.s3Port);
  connection.write(text);
  const answer = await connection.answer({ headOnly: text.startsWith('HEAD') });
  // A connection that is to be ended is ended in the end; of one that is kept nothing is seen but that it stays.
  const isLast = answer?.headers.get('connection') === 'close';
  const isClosed = await connection.isClosed(isLast ? 10_000 : 100);
  connection.close();
  const code = codeOf(answer);
  // Whether all of a body that nobody wants has come by the time it is refused is a matter of time.
  const mayEnd = code !== undefined && hasBody(text) && isClosed === isLast;
  const told = [...(answer?.headers ?? [])].filter(
    ([name]) => !changing.has(name) && !(mayEnd && name === 'connection'),
  );
  // An error's text holds the request's id, in as many characters every time.
  return {
    status: answer?.status,
    code,
    body: code ?? answer?.body,
    told,
    isClosed: mayEnd ? 'or not' : isClosed,
    more: connection.unread,
  };
}

const hasBody = (text: string): boolean => text.indexOf('\r\n\r\n') + 4 < text.length;

const textOf = ([line, headers, body = '']: Bytes): string =>
  `${[line, 'Host: 127.0.0.1', ...headers].join('\r\n')}\r\n\r\n${body}`;

test('whatever bytes come, several threads answer as one does, and none of them dies', async () => {
  for (const [what, ...bytes] of cases) {
    const text = textOf(bytes);
    const [one, several] = await Promise.all([answerOf(nodes.one, text), answerOf(nodes.several, text)]);
    expect([what, several]).toEqual([what, one]);
  }
  const ready = await fetch(`http://127.0.0.1:${nodes.several.adminPort}/readyz`);
  expect(await ready.json()).toEqual({ status: 'ready', ioThreads: { running: 2, of: 2 } });
  expect(await nodes.several.logTail()).not.toContain('an I/O thread died');
}, 60_000);

const target = '/fortress/kept';
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const amzDate = (date: Date) => date.toISOString().replace(/[-:]|\.\d+/g, '');
const signed = (headers: Record<string, string>) => (client: HostileClient) =>
  client.signed({ target, headers }).text();
const plain = (client: HostileClient, path: string, lines: readonly string[] = []): string =>
  `${[`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${client.port}`, ...lines].join('\r\n')}\r\n\r\n`;
const virtual = 'fortress.s3.forebay.test';

/** Reads of an object that is in memory, each signed for the node that it goes to, or not quite. */
const reads: readonly (readonly [what: string, of: (client: HostileClient) => string])[] = [
  ['a good one', signed({})],
  ['a HEAD', (client) => client.signed({ method: 'HEAD', target }).text()],
  ['none', (client) => plain(client, target)],
  [
    'one that is changed',
    (client) =>
      client
        .signed({ target })
        .text()
        .replace(/(Signature=[0-9a-f]{63})(.)/, (_, most, last) => most + (last === '0' ? '1' : '0')),
  ],
  [
    'one for another key',
    (client) => client.signed({ target: '/fortress/other' }).text().replace('/other', '/kept'),
  ],
  [
    'an unknown access key',
    (client) =>
      client.signed({ target, credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'x' } }).text(),
  ],
  [
    'a wrong secret',
    (client) =>
      client
        .signed({ target, credentials: { accessKeyId: client.node.accessKeyId, secretAccessKey: 'x' } })
        .text(),
  ],
  ['a clock that is late', signed({ 'X-Amz-Date': amzDate(minutesAgo(14)) })],
  ['a clock that is too late', signed({ 'X-Amz-Date': amzDate(minutesAgo(16)) })],
  ['a clock that is too early', signed({ 'X-Amz-Date': amzDate(minutesAgo(-16)) })],
  ['a session token', signed({ 'X-Amz-Security-Token': 'token' })],
  ['an unsigned header of Amazon’s', (client) => client.signed({ target }).text({}, ['X-Amz-Meta-A: b'])],
  [
    'two authorizations',
    (client) => client.signed({ target }).text({}, ['Authorization: AWS4-HMAC-SHA256 x']),
  ],
  ['two dates', (client) => client.signed({ target }).text({}, ['X-Amz-Date: 20200101T000000Z'])],
  ['two hosts', (client) => client.signed({ target }).text({}, ['Host: other'])],
  ['an unsigned payload', (client) => client.signed({ target, payload: 'UNSIGNED-PAYLOAD' }).text()],
  ['a payload that is none', (client) => client.signed({ target, payload: 'x' }).text()],
  ['a digest of something', (client) => client.signed({ target, payload: 'a'.repeat(64) }).text()],
  ['a presigned URL', (client) => plain(client, client.presigned({ target }))],
  [
    'a presigned URL that ends now',
    (client) => plain(client, client.presigned({ target }, 60, minutesAgo(2))),
  ],
  ['a presigned URL for later', (client) => plain(client, client.presigned({ target }, 60, minutesAgo(-20)))],
  ['a presigned URL for too long', (client) => plain(client, client.presigned({ target }, 700_000))],
  [
    'a presigned URL and an authorization',
    (client) => plain(client, client.presigned({ target }), ['Authorization: x']),
  ],
  ['a presigned URL for writing', (client) => plain(client, client.presigned({ target, method: 'PUT' }))],
  [
    'a presigned URL that is changed',
    (client) => plain(client, client.presigned({ target }).replace('Expires=60', 'Expires=61')),
  ],
  ['a bucket in the host', (client) => client.signed({ target: '/kept', host: virtual }).text()],
  [
    'a bucket in the host that was not signed',
    (client) => client.signed({ target: '/kept' }).text({ Host: virtual }),
  ],
  [
    'an absolute target',
    (client) => client.signed({ target }).text().replace('GET /', `GET http://127.0.0.1:${client.port}/`),
  ],
  [
    'an absolute target elsewhere',
    (client) => client.signed({ target }).text().replace('GET /', 'GET http://other/'),
  ],
  ['a path that is written otherwise', (client) => client.signed({ target: '/fortress/%6bept' }).text()],
  ['another bucket', (client) => client.signed({ target: '/FORTRESS/kept' }).text()],
  ['a range', signed({ Range: 'bytes=1-2' })],
  ['a suffix', signed({ Range: 'bytes=-2' })],
  ['a range beyond the end', signed({ Range: 'bytes=9-' })],
  ['two ranges', signed({ Range: 'bytes=0-0,2-2' })],
  ['a range that is none', signed({ Range: 'bytes=x' })],
  ['a condition that holds', signed({ 'If-None-Match': '"other"' })],
  ['a condition that does not', signed({ 'If-None-Match': '*' })],
  ['a condition on the date', signed({ 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' })],
  ['checksums', signed({ 'X-Amz-Checksum-Mode': 'ENABLED' })],
  [
    'headers of the answer',
    (client) => client.signed({ target: `${target}?response-content-type=a%2Fb` }).text(),
  ],
  ['a part', (client) => client.signed({ target: `${target}?partNumber=1` }).text()],
  ['a part that is not there', (client) => client.signed({ target: `${target}?partNumber=2` }).text()],
  ['a version', (client) => client.signed({ target: `${target}?versionId=null` }).text()],
  ['a version that is not there', (client) => client.signed({ target: `${target}?versionId=x` }).text()],
  ['its tags', (client) => client.signed({ target: `${target}?tagging=` }).text()],
  [
    'a body',
    (client) => `${client.signed({ target, headers: { 'Content-Length': '4' }, body: 'abcd' }).text()}abcd`,
  ],
  ['an expectation', signed({ Expect: '100-continue' })],
  ['the last one on its connection', signed({ Connection: 'close' })],
  ['HTTP/1.0', (client) => client.signed({ target }).text().replace('HTTP/1.1', 'HTTP/1.0')],
];

test('who may read what is at hand, and what is answered, is the same through every thread', async () => {
  const clients = { one: new HostileClient(nodes.one), several: new HostileClient(nodes.several) };
  // The first reads bring it to hand.
  for (const client of Object.values(clients)) await client.send({ target });
  const seen = new Set<unknown>();
  for (const [what, of] of reads) {
    const [one, ...several] = await Promise.all([
      answerOf(nodes.one, of(clients.one)),
      ...Array.from({ length: 4 }, () => answerOf(nodes.several, of(clients.several))),
    ]);
    for (const answer of several) expect([what, answer]).toEqual([what, one]);
    seen.add(JSON.stringify(one));
  }
  // Otherwise nothing would have been compared.
  expect(seen.size).toBeGreaterThan(25);
}, 60_000);
