import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { IdleConnections } from '../../src/gateway/idle-connections.ts';

let server: Server | undefined;
const clients: Socket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  if (server) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

async function serve(
  keepAliveMs: number,
  stalledMs: number,
  answer: (req: IncomingMessage, res: ServerResponse) => void,
) {
  const idle = new IdleConnections({ keepAliveMs, stalledMs });
  server = createServer({ keepAliveTimeout: 0 }, answer);
  server.on('connection', (socket) => idle.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return idle;
}

async function client(): Promise<Socket> {
  const socket = connect(((server as Server).address() as AddressInfo).port, '127.0.0.1');
  clients.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const get = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

async function ask(socket: Socket): Promise<void> {
  socket.write(get);
  await once(socket, 'data');
}

test('a connection that no request comes on any more is ended', async () => {
  await serve(50, 60_000, (_, res) => res.end('whole'));
  const socket = await client();
  await ask(socket);
  await once(socket, 'close');
});

test('requests keep a connection, and so does an answer that takes its time', async () => {
  await serve(200, 60_000, (req, res) => {
    if (req.headers['x-slow']) setTimeout(() => res.end('late'), 600);
    else res.end('whole');
  });
  const socket = await client();
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  await ask(socket);
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-slow: 1\r\n\r\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toContain('late');
  expect(closed).toBe(false);
});

test('one that never asks anything is ended as one that stands still, later than one that rests', async () => {
  await serve(20, 300, (_, res) => res.end('whole'));
  const silent = await client();
  const asking = await client();
  await ask(asking);
  await once(asking, 'close');
  expect(silent.destroyed).toBe(false);
  await once(silent, 'close');
});

test('an answer that stands still is ended, and not one of which something comes now and then', async () => {
  await serve(60_000, 200, (req, res) => {
    res.write('begun');
    if (req.url === '/stands') return;
    let pieces = 0;
    const more = setInterval(() => {
      if (++pieces < 12) res.write('more');
      else {
        clearInterval(more);
        res.end('last');
      }
    }, 50);
  });
  const standing = await client();
  standing.resume();
  standing.write('GET /stands HTTP/1.1\r\nhost: x\r\n\r\n');
  const going = await client();
  going.write(get);
  let text = '';
  going.on('data', (bytes) => {
    text += String(bytes);
  });
  await once(standing, 'close');
  while (!text.includes('last') && !going.destroyed) await wait(20);
  expect(text).toContain('last');
});

test('a reader that takes a little now and then is kept while bytes written long ago are still on their way', async () => {
  const body = Buffer.alloc(24 * 1024 * 1024);
  await serve(60_000, 1500, (_, res) => res.end(body));
  const slow = await client();
  let received = 0;
  slow.on('data', (bytes) => {
    received += bytes.length;
    if (received >= body.length) return;
    slow.pause();
    setTimeout(() => slow.resume(), 8);
  });
  slow.write(get);
  while (received < body.length && !slow.destroyed) await wait(20);
  expect(received).toBeGreaterThan(body.length);
});

test('at the end of the server idle ones go at once, and one whose answer is due does not', async () => {
  const due: ServerResponse[] = [];
  const idle = await serve(60_000, 60_000, (req, res) => {
    if (req.url === '/due') due.push(res);
    else res.end('whole');
  });
  const resting = await client();
  await ask(resting);
  const waiting = await client();
  waiting.write('GET /due HTTP/1.1\r\nhost: x\r\n\r\n');
  while (due.length === 0) await wait(5);
  idle.end();
  await once(resting, 'close');
  due[0]?.end('late');
  const [answer] = await once(waiting, 'data');
  expect(String(answer)).toContain('late');
});
