import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { remoteAddressOf } from '../../src/gateway/carried-request.ts';
import { HandOver } from '../../src/gateway/hand-over.ts';
import { HandOverServer } from '../../src/gateway/hand-over-server.ts';

type Handler = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean) => void;

let folder: string;
let inner: HandOverServer;
let outer: Server;
let handOver: HandOver;
let port: number;
let handler: Handler;
const failures: Error[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forebay-hand-over-'));
  const path = { socketPath: join(folder, 'threads.sock'), header: 'x-secret-name' };
  const taker = {
    handle: (...given: Parameters<Handler>) => handler(...given),
    noteUnparsable: () => {},
  };
  inner = new HandOverServer(taker, path, 16 * 1024, () => {});
  await inner.listen();
  failures.length = 0;
  handOver = new HandOver(path, 100, (_req, res, cause) => {
    failures.push(cause);
    res.writeHead(503).end();
  });
  outer = createServer((req, res) => handOver.take(req, res, false));
  outer.on('checkContinue', (req, res) => handOver.take(req, res, true));
  await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve));
  port = (outer.address() as AddressInfo).port;
});
afterEach(async () => {
  outer.closeAllConnections();
  outer.close();
  handOver.close();
  await inner.close();
  await rm(folder, { recursive: true });
});

/** Sends text as it is; gives what came until the connection ended or `until` is among it, or after so many looks. */
async function exchange(text: string, until: string, looks = 1000): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  for (let i = 0; i < looks && !received.includes(until) && !socket.closed; i++) await sleep(5);
  socket.destroy();
  return received;
}

function bodyOf(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => resolve(Buffer.concat(chunks)));
    req.on('error', reject);
  });
}

test('a request arrives with its headers as they were sent, in their order and spelling, and its client’s address', async () => {
  const seen: unknown[] = [];
  handler = (req, res) => {
    seen.push(req.method, req.url, req.rawHeaders, req.headers, remoteAddressOf(req));
    res.end('done');
  };
  const head =
    'GET /b/k%20x?a=%2F&b HTTP/1.1\r\nhOsT: h\r\nX-Twice: 1\r\nx-twice: caf\xe9\r\nAccept:\r\n\r\n';
  expect(await exchange(head, 'done')).toContain('200 OK');
  expect(seen).toEqual([
    'GET',
    '/b/k%20x?a=%2F&b',
    ['hOsT', 'h', 'X-Twice', '1', 'x-twice', 'caf\xe9', 'Accept', ''],
    { host: 'h', 'x-twice': '1, caf\xe9', accept: '' },
    '127.0.0.1',
  ]);
});

test('headers that Node’s client makes conditions about arrive as any other', async () => {
  const seen: unknown[] = [];
  handler = (req, res) => {
    seen.push(req.rawHeaders, req.headers);
    res.end('done');
  };
  const lines = ['Trailer: x-sum', 'TRAILER: y', '~~trailer: 1', '~Trailer: 2', '~: 3', 'Expect-CT: 4'];
  const head = `GET / HTTP/1.1\r\nHost: h\r\n${lines.join('\r\n')}\r\n\r\n`;
  expect(await exchange(head, 'done')).toContain('200 OK');
  expect(seen).toEqual([
    ['Host', 'h', ...lines.flatMap((line) => line.split(': '))],
    { host: 'h', trailer: 'x-sum, y', '~~trailer': '1', '~trailer': '2', '~': '3', 'expect-ct': '4' },
  ]);
  expect(failures).toEqual([]);
});

test('a request without a length stays one without a length', async () => {
  const seen: unknown[] = [];
  handler = async (req, res) => {
    seen.push(req.headers, (await bodyOf(req)).length);
    res.end('done');
  };
  for (const method of ['PUT', 'POST', 'DELETE']) {
    await exchange(`${method} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`, 'done');
  }
  const expected = { host: 'h', connection: 'close' };
  expect(seen).toEqual([expected, 0, expected, 0, expected, 0]);
});

test('an answer comes back with its headers as they were given, and is the last where it says so', async () => {
  handler = (_req, res) => {
    res.writeHead(404, 'Gone Away', [
      'X-One',
      'a',
      'x-one',
      'b',
      'Content-Length',
      '2',
      'connection',
      'close',
    ]);
    res.end('no');
  };
  const received = await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'never');
  expect(received).toContain('HTTP/1.1 404 Gone Away\r\nX-One: a\r\nx-one: b\r\nContent-Length: 2\r\n');
  expect(received).toMatch(/connection: close/i);
  expect(received).not.toMatch(/keep-alive/i);
  expect(received).toMatch(/no$/);
});

test('bodies pass both ways whole, chunked ones with their trailers', async () => {
  const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) & 0xff));
  const trailers: unknown[] = [];
  handler = async (req, res) => {
    const body = await bodyOf(req);
    trailers.push(req.rawTrailers);
    res.end(body);
  };
  const back = await new Promise<Buffer>((resolve, reject) => {
    const headers = { 'transfer-encoding': 'chunked', trailer: 'x-sum' };
    const req = request({ port, method: 'PUT', path: '/', headers }, (res) =>
      bodyOf(res).then(resolve, reject),
    );
    req.on('error', reject);
    for (let at = 0; at < sent.length; at += 77_777) req.write(sent.subarray(at, at + 77_777));
    req.addTrailers({ 'X-Sum': 'abc' });
    req.end();
  });
  expect(back.equals(sent)).toBe(true);
  expect(trailers).toEqual([['X-Sum', 'abc']]);
});

test('a client that waits for 100 Continue is asked when the store thread asks, and refused without', async () => {
  let asks = true;
  handler = async (req, res, expectsContinue) => {
    expect(expectsContinue).toBe(true);
    if (!asks) return res.writeHead(403, { connection: 'close', 'content-length': 2 }).end('no');
    res.writeContinue();
    res.end(await bodyOf(req));
  };
  const head = 'PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (text) => {
    if (received === '' && String(text).startsWith('HTTP/1.1 100')) socket.write('body');
    received += text;
  });
  socket.write(head);
  for (let i = 0; i < 1000 && !received.endsWith('body'); i++) await sleep(5);
  expect(received).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
  socket.destroy();
  asks = false;
  expect(await exchange(head, 'never')).toMatch(/^HTTP\/1.1 403 Forbidden[\s\S]*no$/);
});

test('an answer that comes before the body has been sent reaches its client', async () => {
  handler = (_req, res) => {
    res.writeHead(400, { connection: 'close', 'content-length': 3 });
    res.end('bad');
  };
  for (let i = 0; i < 30; i++) {
    const text = `PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6000000000\r\n\r\n${'x'.repeat(i * 100)}`;
    expect(await exchange(text, 'bad')).toContain('400 Bad Request');
  }
  expect(failures).toEqual([]);
});

test('an upload that is broken off is broken off in the store thread too', async () => {
  const ended = Promise.withResolvers<string>();
  handler = (req, res) => {
    req.resume();
    req.on('error', (error: NodeJS.ErrnoException) => ended.resolve(error.code ?? ''));
    req.on('end', () => ended.resolve('whole'));
    res.on('error', () => {});
  };
  const socket: Socket = connect(port, '127.0.0.1');
  socket.write('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nsome of it');
  await sleep(50);
  socket.destroy();
  expect(await ended.promise).toBe('ECONNRESET');
});

test('a client that goes away ends the work for it', async () => {
  const gone = Promise.withResolvers<boolean>();
  handler = (_req, res) => {
    res.once('close', () => gone.resolve(res.writableFinished));
    res.write('first');
  };
  await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'first');
  expect(await gone.promise).toBe(false);
});

test('a client that goes away before its request is handed over is told of, so that it is counted', async () => {
  handler = () => {
    throw new Error('the store thread never hears of it');
  };
  const narrow = new HandOver(
    { socketPath: join(folder, 'threads.sock'), header: 'x' },
    1,
    (_req, res, cause) => {
      failures.push(cause);
      expect(res.destroyed).toBe(true);
    },
  );
  outer.removeAllListeners('request');
  outer.on('request', (req, res) => {
    res.once('close', () => narrow.take(req, res, false));
  });
  await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'never', 50);
  for (let i = 0; i < 200 && failures.length === 0; i++) await sleep(5);
  expect(failures.map(({ message }) => message)).toEqual(['the client went away']);
  narrow.close();
});

test('a client that goes away while its request waits for a connection is told of, once', async () => {
  let waiting = 0;
  const secondGone = Promise.withResolvers<void>();
  handler = (_req, res) => {
    waiting++;
    void secondGone.promise.then(() => res.end('done'));
  };
  const path = { socketPath: join(folder, 'threads.sock'), header: 'x-secret-name' };
  const narrow = new HandOver(path, 1, (_req, _res, cause) => void failures.push(cause));
  outer.removeAllListeners('request');
  outer.on('request', (req, res) => {
    narrow.take(req, res, false);
    if (waiting > 0) res.once('close', () => secondGone.resolve());
  });
  const first = exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'done');
  while (waiting === 0) await sleep(5);
  await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'never', 50);
  expect(await first).toContain('done');
  for (let i = 0; i < 200 && failures.length === 0; i++) await sleep(5);
  expect([failures.map(({ message }) => message), waiting]).toEqual([['the client went away'], 1]);
  narrow.close();
});

test('a client that goes away when its answer has come whole, and was not taken, keeps no connection to the store thread', async () => {
  const path = { socketPath: join(folder, 'threads.sock'), header: 'x-secret-name' };
  const narrow = new HandOver(path, 1, (_req, _res, cause) => void failures.push(cause));
  outer.removeAllListeners('request');
  outer.on('request', (req, res) => {
    // What is written stays here, so that the rest of the answer waits in front of it.
    if (req.url === '/large') res.socket?.cork();
    narrow.take(req, res, false);
  });
  const inward: Socket[] = [];
  for (let kib = 70; kib <= 130; kib += 10) {
    const sent = Promise.withResolvers<void>();
    handler = (req, res) => {
      inward.push(req.socket);
      res.end(req.url === '/large' ? Buffer.alloc(kib * 1024) : 'small', () => sent.resolve());
    };
    const client = connect(port, '127.0.0.1').on('error', () => {});
    client.write('GET /large HTTP/1.1\r\nHost: h\r\n\r\n');
    await sent.promise;
    await sleep(20);
    client.destroy();
    // There is one connection: whoever kept it would let nobody else have an answer.
    expect(await exchange('GET /small HTTP/1.1\r\nHost: h\r\n\r\n', 'small')).toContain('small');
  }
  expect([inward.length, failures]).toEqual([14, []]);
  narrow.close();
});

test('an answer that is cut off is cut off for its client', async () => {
  handler = (_req, res) => {
    res.writeHead(200, { 'content-length': 10 });
    res.write('half');
    setTimeout(() => res.destroy(), 20);
  };
  const received = await new Promise<string>((resolve) => {
    request({ port }, (res) =>
      bodyOf(res).then(
        () => resolve('whole'),
        (error) => resolve(error.code),
      ),
    ).end();
  });
  expect(received).toBe('ECONNRESET');
});

test('a reader that is slow holds the answer up in the store thread, and no memory', async () => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  handler = (_req, res) => {
    res.writeHead(200, { 'content-length': total });
    const more = () => {
      while (written < total && !res.destroyed) {
        written += 65_536;
        if (!res.write(Buffer.alloc(65_536))) return void res.once('drain', more);
      }
    };
    more();
  };
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  await new Promise((resolve) => socket.once('readable', resolve));
  let before = -1;
  for (let i = 0; i < 100 && before !== written; i++) {
    before = written;
    await sleep(100);
  }
  expect(written).toBeLessThan(total / 2);
  socket.destroy();
});

test('the socket is for this user alone, and whoever does not know the name of the header is not heard', async () => {
  const socketPath = join(folder, 'threads.sock');
  expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  let heard = 0;
  handler = (_req, res) => {
    heard++;
    res.end();
  };
  const outcome = await new Promise<string>((resolve) => {
    const req = request({ socketPath, headers: { 'x-secret': '127.0.0.1' } }, () => resolve('answered'));
    req.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    req.end();
  });
  expect([outcome, heard]).toEqual(['ECONNRESET', 0]);
});

test('where the store thread cannot be reached the request is answered all the same', async () => {
  await inner.close();
  expect(await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', '503')).toContain('503');
  expect(failures).toHaveLength(1);
  await inner.listen();
});
