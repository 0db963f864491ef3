import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { codeOf, exchange, RawConnection } from './raw-connection.ts';
import { useScene } from './scene.ts';

const scene = useScene();
afterEach(() => scene.expectUntouched());

const getHead = (extra: string[]): string =>
  scene.client.signed({ target: '/fortress/kept' }).text({}, extra);

describe('headers', () => {
  test('of 64 KiB in one line are refused', async () => {
    const answer = await exchange(scene.port, getHead([`X-Long: ${'x'.repeat(65_536)}`]));
    expect([400, 431]).toContain(answer?.status);
  });

  test('in a number of 2,000 do no harm', async () => {
    const lines = Array.from({ length: 2_000 }, (_, index) => `X-${index}: 1`);
    const answer = await exchange(scene.port, getHead(lines));
    expect(answer === undefined || [200, 400, 431].includes(answer.status)).toBe(true);
  });

  test.each(['\x00', '\x01', '\x7f'])('with the character %j in a value are refused', async (character) => {
    const answer = await exchange(scene.port, getHead([`X-Odd: a${character}b`]));
    expect(answer?.status).toBe(400);
  });

  test('with a character that no name may have are refused', async () => {
    for (const name of ['X(', 'X@', 'X\x00', 'Ü', '']) {
      expect((await exchange(scene.port, getHead([`${name}: 1`])))?.status).toBe(400);
    }
  });

  test('with two different hosts are refused', async () => {
    expect((await exchange(scene.port, getHead(['Host: elsewhere'])))?.status).toBe(400);
  });

  test('without a host are refused', async () => {
    const head = scene.client.signed({ target: '/fortress/kept' });
    const { Host: _, ...others } = head.headers;
    const lines = Object.entries(others).map(([name, value]) => `${name}: ${value}`);
    const answer = await exchange(scene.port, `GET /fortress/kept HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    expect(answer?.status).toBe(400);
  });

  test('given twice where one is signed are refused', async () => {
    const head = scene.client.signed({ target: '/fortress/kept' });
    for (const name of ['Authorization', 'X-Amz-Date', 'X-Amz-Content-Sha256']) {
      const answer = await exchange(scene.port, head.text({}, [`${name}: ${head.headers[name]}x`]));
      expect([400, 403]).toContain(answer?.status);
    }
  });
});

describe('a request line', () => {
  test.each([
    ['of HTTP/0.9', 'GET /fortress/kept\r\n\r\n'],
    ['of a later HTTP', 'GET /fortress/kept HTTP/3.0\r\nHost: a\r\n\r\n'],
    ['of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['of nothing but spaces', '   \r\n\r\n'],
    ['with a method that is none', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['with a NUL', 'GET /fortress/\x00 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['with a space in its target', 'GET /fortress/a b HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['with no target', 'GET HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s gets an error or a closed connection', async (_, text) => {
    const connection = await RawConnection.open(scene.port);
    connection.write(text);
    connection.finish();
    const answer = await connection.answer();
    expect(answer === undefined || (answer.status >= 400 && answer.status < 500)).toBe(true);
    expect(await connection.isClosed(5_000)).toBe(true);
    connection.close();
  });

  test('with a target of 100 KB is refused', async () => {
    const answer = await exchange(scene.port, `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect([400, 414, 431]).toContain(answer?.status);
  });

  test.each(['CONNECT', 'TRACE', 'PATCH', 'PROPFIND', 'LINK'])(
    'with the method %s is refused',
    async (method) => {
      const target = method === 'CONNECT' ? 'fortress:80' : '/fortress/kept';
      const connection = await RawConnection.open(scene.port);
      connection.write(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const answer = await connection.answer();
      expect(answer === undefined || (answer.status >= 400 && answer.status <= 501)).toBe(true);
      connection.close();
    },
  );

  test('with an absolute target of another host is not proxied', async () => {
    const answer = await exchange(
      scene.port,
      'GET http://127.0.0.1:1/fortress/kept HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    expect(answer?.status).toBeGreaterThanOrEqual(400);
    expect(answer?.status).toBeLessThan(500);
  });
});

describe('a target', () => {
  test.each(['%', '%4', '%zz', 'a%2', '%ff', '%c3%28', '%ed%a0%80', '%c0%af', '%f8%88%80%80%80'])(
    'with the encoding %s is refused',
    async (encoded) => {
      for (const method of ['GET', 'PUT']) {
        const head = scene.client.signed({ method, target: '/fortress/plain' });
        const answer = await exchange(
          scene.port,
          head.text().replace('/fortress/plain', `/fortress/${encoded}`),
        );
        expect([400, 403]).toContain(answer?.status);
        expect(['InvalidURI', 'SignatureDoesNotMatch', 'InvalidArgument']).toContain(codeOf(answer));
      }
    },
  );

  test('with raw bytes beyond ASCII does no harm', async () => {
    const answer = await exchange(scene.port, 'GET /fortress/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer === undefined || [400, 403].includes(answer.status)).toBe(true);
  });

  test.each([
    '/..%2f..%2fetc/passwd',
    '/fortress/..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
  ])('that climbs (%s) finds nothing', async (target) => {
    const answer = await scene.client.send({ target });
    expect([400, 403, 404]).toContain(answer.status);
    expect(answer.body).not.toContain('root:');
  });
});

test('garbage after a whole request ends the connection', async () => {
  const connection = await RawConnection.open(scene.port);
  connection.write(`${scene.client.signed({ target: '/fortress/kept' }).text()}\x00\x01garbage\r\n\r\n`);
  // The first request may be answered or not; what answers the garbage does not stand in its place.
  expect(['kept', undefined]).toContain((await connection.answer())?.body);
  expect(await connection.isClosed(5_000)).toBe(true);
  connection.close();
});

test('whole requests sent at once are answered in order', async () => {
  const connection = await RawConnection.open(scene.port);
  const requests = ['/fortress/kept', '/fortress/none', '/fortress/kept', '/', '/fortress/kept'];
  connection.write(requests.map((target) => scene.client.signed({ target }).text()).join(''));
  const statuses: (number | undefined)[] = [];
  for (const _ of requests) statuses.push((await connection.answer())?.status);
  expect(statuses).toEqual([200, 404, 200, 200, 200]);
  connection.close();
});

test('uploads that nobody may make and whose bodies never come keep nobody out', async () => {
  const text = 'PUT /fortress/new HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n';
  const connections = await Promise.all(Array.from({ length: 1100 }, () => RawConnection.open(scene.port)));
  for (const connection of connections) connection.write(text);
  for (let round = 0; round < 3; round++) {
    await sleep(100);
    expect((await scene.client.send({ target: '/fortress/kept' })).body).toBe('kept');
  }
  for (const connection of connections) connection.close();
});

test('a thousand connections that say nothing keep nobody out', async () => {
  const silent = await Promise.all(Array.from({ length: 1_000 }, () => RawConnection.open(scene.port)));
  expect((await scene.client.send({ target: '/fortress/kept' })).body).toBe('kept');
  for (const connection of silent) connection.close();
});
