import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Client } from '../../chaos/campaign/client.ts';
import { steadyPorts } from '../../chaos/cluster/steady-ports.ts';
import { PeerLinks } from '../../chaos/world/peer-links.ts';
import { StorageProxy } from '../../chaos/world/storage-proxy.ts';

const patienceMs = 60_000;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Connects to the address and port in its arguments, sends `ping` and each line that it is given, and says what it hears. */
const callerProgram = `
const socket = require('node:net').connect(Number(process.argv[2]), process.argv[1]);
socket.on('data', (chunk) => process.stdout.write(chunk));
socket.on('error', () => {});
socket.write('ping');
process.stdin.on('data', (chunk) => socket.write(chunk));
`;

describe('the links between nodes', () => {
  /** A node that answers whatever it hears with `pong`, and another one that calls it. */
  async function twoNodes() {
    const heard: string[] = [];
    const [port = 0] = await steadyPorts(1);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        heard.push(chunk.toString());
        socket.write('pong');
      });
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const links = new PeerLinks();
    closers.push(() => links.close());
    const address = links.addressOf(0);
    await links.add(0, { name: 'called', peerPort: port, pid: process.pid });
    const start = async () => {
      const args = ['--input-type=commonjs', '-e', callerProgram, address, String(port)];
      // It calls as soon as it runs, and is known by its process by then.
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      closers.push(() => child.kill('SIGKILL'));
      const [other = 0] = await steadyPorts(1);
      await links.add(1, { name: 'calling', peerPort: other, pid: child.pid ?? 0 });
      const answers: string[] = [];
      child.stdout.on('data', (chunk) => answers.push(String(chunk)));
      return { child, answers };
    };
    return { links, heard, start };
  }

  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((done) => setTimeout(done, 10));
  };

  test(
    'pass on what nodes tell each other',
    async () => {
      const { start, heard, links } = await twoNodes();
      const { answers } = await start();
      await until(() => answers.includes('pong'));
      expect([heard, links.opened, links.cutBytes]).toEqual([['ping'], 1, 0]);
    },
    patienceMs,
  );

  test(
    'are cut in one direction, until they are mended',
    async () => {
      const { start, heard, links } = await twoNodes();
      links.cut('called', 'calling');
      const { answers, child } = await start();
      await until(() => heard.length === 1);
      await until(() => links.cutBytes === 4);
      expect(answers).toEqual([]);
      links.mend('called', 'calling');
      await until(() => answers.length === 1);
      links.cut('calling', 'called');
      child.stdin.write('more');
      await until(() => links.cutBytes === 8);
      expect(heard).toEqual(['ping']);
      links.mend('calling', 'called');
      await until(() => heard.includes('more'));
    },
    patienceMs,
  );
});

describe('the way to the storage', () => {
  async function storage() {
    const done: string[] = [];
    const server: Server = createHttpServer((req, res) => {
      req.resume().on('end', () => {
        done.push(`${req.method} ${req.url}`);
        res.end('done');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const proxy = await StorageProxy.start((server.address() as AddressInfo).port);
    closers.push(() => proxy.close());
    const client = new Client('client', proxy.port, { accessKeyId: 'KEY', secretAccessKey: 'SECRET' });
    closers.push(() => client.close());
    return { done, proxy, client };
  }
  const put = { method: 'PUT', path: '/under/key', body: 'body' };

  test('is plain where nothing is done to it', async () => {
    const { client, done, proxy } = await storage();
    expect(await client.send(put)).toMatchObject({ kind: 'answer', answer: { status: 200 } });
    expect(done).toEqual(['PUT /under/key']);
    expect(proxy.requests).toMatchObject([{ method: 'PUT', url: '/under/key', status: 200 }]);
  });

  test('loses the answer to a change, and to no read and no part of an upload', async () => {
    const { client, done, proxy } = await storage();
    proxy.faults.push({ kind: 'answer lost' });
    expect(await client.send({ method: 'GET', path: '/under/key' })).toMatchObject({ kind: 'answer' });
    const query = [['partNumber', '1']] as const;
    expect(await client.send({ ...put, query })).toMatchObject({ kind: 'answer' });
    expect(await client.send(put)).toMatchObject({ kind: 'lost' });
    expect(done.at(-1)).toBe('PUT /under/key');
    expect(await client.send(put)).toMatchObject({ kind: 'answer' });
  });

  test('brings a change after its sender was told that the connection is closed', async () => {
    const { client, done, proxy } = await storage();
    proxy.faults.push({ kind: 'done late', afterMs: 200 });
    expect(await client.send(put)).toMatchObject({ kind: 'lost' });
    expect(done).toEqual([]);
    await proxy.settled();
    expect(done).toEqual(['PUT /under/key']);
  });
});
