import { afterEach, describe, expect, test } from '@jest/globals';
import { RawConnection } from './raw-connection.ts';
import { useScene } from './scene.ts';

const scene = useScene();
afterEach(() => scene.expectUntouched());

/**
 * Sends an ambiguous request with a whole second one hidden in it. The node must see one request at most, refuse it, and
 * close the connection, so that no byte after it is taken for a request (RFC 9112, sections 6.3 and 11.2).
 */
async function expectRefusedAndClosed(text: string): Promise<void> {
  const connection = await RawConnection.open(scene.port);
  connection.write(text);
  const answer = await connection.answer();
  expect(answer === undefined || answer.status >= 400).toBe(true);
  expect(await connection.isClosed(5_000)).toBe(true);
  expect(connection.unread).not.toContain('HTTP/1.1 200');
  connection.close();
}

const hidden = (): string => scene.client.signed({ method: 'DELETE', target: '/fortress/kept' }).text();
const putHead = (change: Record<string, string | undefined>, extra: string[] = []): string =>
  scene.client
    .signed({ method: 'PUT', target: '/fortress/smuggled', payload: 'UNSIGNED-PAYLOAD' })
    .text(change, extra);

test('a length and a transfer coding at once are refused', () =>
  expectRefusedAndClosed(
    `${putHead({ 'Content-Length': '6', 'Transfer-Encoding': 'chunked' })}0\r\n\r\n${hidden()}`,
  ));

test.each([
  'xchunked',
  'chunked, identity',
  'identity, chunked',
  'gzip, chunked',
  '\x0bchunked',
  'chunked\x00',
])('the transfer coding %j beside a length is refused', (coding) =>
  expectRefusedAndClosed(
    `${putHead({ 'Content-Length': '4', 'Transfer-Encoding': coding })}0\r\n\r\n${hidden()}`,
  ),
);

test('two transfer codings are refused', () =>
  expectRefusedAndClosed(
    `${putHead({ 'Content-Length': undefined }, ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'])}0\r\n\r\n${hidden()}`,
  ));

test.each(['0', '5', '44'])('two different lengths are refused (%s)', (second) =>
  expectRefusedAndClosed(
    `${putHead({ 'Content-Length': '4' }, [`Content-Length: ${second}`])}four${hidden()}`,
  ),
);

test.each(['+4', '-1', '4 4', '4,4', '4, 5', '0x4', '4.0', '', '99999999999999999999999999', '４'])(
  'the length %j is refused',
  (length) => expectRefusedAndClosed(`${putHead({ 'Content-Length': length })}four${hidden()}`),
);

test('a folded header line is refused', () =>
  expectRefusedAndClosed(`${putHead({}, ['X-Folded: one', ' Content-Length: 4'])}${hidden()}`));

test('a header name with a space before its colon is refused', () =>
  expectRefusedAndClosed(
    `${putHead({ 'Content-Length': undefined }, ['Content-Length : 4'])}four${hidden()}`,
  ));

test('a line that is no header is refused', () =>
  expectRefusedAndClosed(`${putHead({}, ['no colon here'])}${hidden()}`));

test('lines that end without a carriage return are refused', () =>
  expectRefusedAndClosed(`${putHead({}).replaceAll('\r\n', '\n')}${hidden()}`));

test('a carriage return alone does not end a line', () =>
  expectRefusedAndClosed(`${putHead({ 'X-Odd': 'a\rContent-Length: 4' })}${hidden()}`));

describe('in a chunked body of HTTP', () => {
  const chunked = (body: string): string =>
    putHead({ 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }) + body;

  test.each([
    ['a size that is none', 'zz\r\nfour\r\n0\r\n\r\n'],
    ['a negative size', '-4\r\nfour\r\n0\r\n\r\n'],
    ['a size beyond every number', 'ffffffffffffffffffff\r\nfour\r\n0\r\n\r\n'],
    ['a chunk longer than it says', '2\r\nfour\r\n0\r\n\r\n'],
    ['an extension with a line feed', '4;a=\nb\r\nfour\r\n0\r\n\r\n'],
    ['line feeds alone', '4\nfour\n0\n\n'],
  ])('%s is refused', (_, body) => expectRefusedAndClosed(chunked(body) + hidden()));

  test('an extension of absurd length is refused', () =>
    expectRefusedAndClosed(`${chunked(`4;${'x'.repeat(100_000)}\r\nfour\r\n0\r\n\r\n`)}${hidden()}`));
});

test('a body on a request without one is not taken for a request', async () => {
  const connection = await RawConnection.open(scene.port);
  const inner = hidden();
  connection.write(
    scene.client.signed({ target: '/fortress/kept' }).text({ 'Content-Length': String(inner.length) }),
  );
  connection.write(inner);
  const answer = await connection.answer();
  expect(answer?.status).toBeLessThan(500);
  const second = await connection.answer({ timeoutMs: 300 });
  expect(second).toBeUndefined();
  connection.close();
});

test('a refused upload does not leave its body to be read as the next request', async () => {
  const connection = await RawConnection.open(scene.port);
  const inner = hidden();
  const head = scene.client.signed({ method: 'PUT', target: '/fortress/new', body: inner });
  connection.write(
    head.text({ Authorization: head.headers.Authorization?.replace(/.{4}$/, '0000') }) + inner,
  );
  expect((await connection.answer())?.status).toBe(403);
  const second = await connection.answer({ timeoutMs: 300 });
  expect(second?.status ?? 0).not.toBe(204);
  connection.close();
});
