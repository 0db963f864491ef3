import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { TlsDoor } from '../../src/common/tls.ts';
import type { ExchangeHandler } from '../../src/peers/connection.ts';
import { frameHeadBytes, frameKinds, writeFrameHead } from '../../src/peers/frames.ts';
import { ClusterSecret, proofBytes } from '../../src/peers/handshake.ts';
import type { PeerPool } from '../../src/peers/peer-pool.ts';
import { pairs } from '../common/tls-pairs.ts';
import { until } from '../support/until.ts';
import { addressOf, clockAt, cluster, PeersUnderTest, secretBytes } from './peers-under-test.ts';
import { type Seen, TamperingProxy } from './tampering-proxy.ts';

const patienceMs = 120_000;
const peers = new PeersUnderTest();
/** What the peer was asked, in order. */
let asked: string[];
const opened: { close(): Promise<void> }[] = [];

beforeEach(() => {
  asked = [];
});
afterEach(async () => {
  await peers.close();
  for (const part of opened.splice(0)) await part.close();
});

const answer: ExchangeHandler = (request, exchange) => {
  asked.push(request.toString());
  exchange.send(Buffer.from('ok'), true);
};

async function ask(pool: PeerPool, port: number, question: string): Promise<string> {
  try {
    const exchange = await pool.open(addressOf('b', port), 'small', Buffer.from(question));
    return (await exchange.receive()).toString();
  } catch (error) {
    return `${(error as { kind?: string }).kind}: ${(error as Error).message}`;
  }
}

function frame(kind: number, content: Buffer, exchange = 0): Buffer {
  const bytes = Buffer.alloc(frameHeadBytes + content.length);
  content.copy(bytes, writeFrameHead(bytes, 0, kind, exchange, content.length));
  return bytes;
}

function hello(changes: Record<string, unknown> = {}): Buffer {
  const greeting = {
    protocol: 'forebay-peer/1',
    cluster,
    from: { workerId: 'a', incarnation: 'i' },
    to: 'b',
    nonce: Buffer.alloc(32, 1).toString('base64'),
    timeMs: Date.now(),
    steadyMs: performance.now(),
    ...changes,
  };
  return frame(frameKinds.hello, Buffer.from(JSON.stringify(greeting)));
}

/** Sends bytes, then more when an answer has come, and says what came until the other side has closed. */
async function raw(port: number, first: Buffer, then?: (answer: Buffer) => Buffer): Promise<Buffer> {
  const socket: Socket = connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  // Reset or closed: it is the end in either case.
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (parts.push(chunk) === 1 && then) socket.write(then(chunk));
  });
  socket.write(first);
  await once(socket, 'close');
  return Buffer.concat(parts);
}

async function proxied(port: number, tamper?: (seen: Seen) => readonly Buffer[]): Promise<TamperingProxy> {
  const proxy = await TamperingProxy.start(port, tamper);
  opened.push(proxy);
  return proxy;
}

const request = frame(frameKinds.request, Buffer.concat([Buffer.alloc(20), Buffer.from('steal')]), 1);

test(
  'who has no secret is asked nothing and answered nothing, whatever it says',
  async () => {
    const { port, server } = await peers.serve('b', answer);
    expect(await raw(port, request)).toEqual(Buffer.alloc(0));
    expect(await raw(port, Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toEqual(Buffer.alloc(0));
    const guessed = frame(frameKinds.proof, Buffer.alloc(proofBytes, 9));
    await raw(port, hello(), () => Buffer.concat([guessed, request]));
    // What the peer itself has just proved proves nothing of the other side.
    const echoed = (welcome: Buffer) =>
      frame(frameKinds.proof, welcome.subarray(frameHeadBytes, frameHeadBytes + proofBytes));
    await raw(port, hello(), (welcome) => Buffer.concat([echoed(welcome), request]));
    await raw(port, hello(), () => request);
    await raw(port, Buffer.concat([hello(), request]));
    expect([asked, server.count]).toEqual([[], 0]);
    const noSecret = 'it does not have the secret of this cluster';
    expect(peers.refusals).toEqual([
      'there is no frame of kind 5 here',
      'there is no frame of kind 47 here',
      noSecret,
      noSecret,
      'there is no frame of kind 5 here',
      'there is no frame of kind 5 here',
    ]);
  },
  patienceMs,
);

test(
  'two nodes of which one has another secret have nothing to do with each other, and the caller says why',
  async () => {
    const { port } = await peers.serve('b', answer);
    const stranger = peers.pool('a', { secret: new ClusterSecret(Buffer.alloc(32, 6)) });
    expect(await ask(stranger, port, 'steal')).toBe('refused: it does not have the secret of this cluster');
    expect(asked).toEqual([]);
    expect(await ask(peers.pool('a'), port, 'mine')).toBe('ok');
    expect(() => new ClusterSecret(secretBytes.subarray(0, 15))).toThrow('at least 16 bytes');
  },
  patienceMs,
);

test(
  'a node of another cluster, another worker than was meant, and one whose clock is wrong are refused with a message that says so',
  async () => {
    const { port } = await peers.serve('b', answer);
    expect(await ask(peers.pool('a', { cluster: 'other' }), port, 'x')).toMatch(
      /^refused: .*it belongs to the cluster.*other/,
    );
    const late = peers.pool('a', { clock: clockAt(-60_000) });
    expect(await ask(late, port, 'x')).toMatch(/^refused: .*clock.*differ by \d+ ms, more than 10000 ms/);
    const elsewhere = await peers.serve('c', answer);
    expect(await ask(peers.pool('a'), elsewhere.port, 'x')).toMatch(/^refused: .*asked for where c answers/);
    const other = await raw(port, hello({ protocol: 'forebay-peer/2' }));
    expect(other.toString()).toContain('where this node speaks forebay-peer/1');
    expect(asked).toEqual([]);
  },
  patienceMs,
);

test(
  'what was recorded of a connection is of no use on another',
  async () => {
    const { port } = await peers.serve('b', answer);
    const proxy = await proxied(port);
    expect(await ask(peers.pool('a'), proxy.port, 'delete')).toBe('ok');
    await raw(port, Buffer.concat(proxy.seen.map(({ bytes }) => bytes)));
    const [greeting, ...rest] = proxy.seen.map(({ bytes }) => bytes) as [Buffer, ...Buffer[]];
    await raw(port, greeting, () => Buffer.concat(rest));
    expect(asked).toEqual(['delete']);
  },
  patienceMs,
);

test(
  'a request that comes twice, or under another number, is not answered twice, and ends the connection',
  async () => {
    const { port, server } = await peers.serve('b', answer);
    const twice = await proxied(port, ({ kind, bytes }) =>
      kind === frameKinds.request ? [bytes, bytes] : [bytes],
    );
    await ask(peers.pool('a'), twice.port, 'once');
    await until(() => server.count === 0);
    const again = await proxied(port, ({ kind, bytes }) => {
      if (kind !== frameKinds.request) return [bytes];
      const next = Buffer.from(bytes);
      next.writeUInt32BE(2, 5);
      return [bytes, next];
    });
    await ask(peers.pool('c'), again.port, 'twice');
    await until(() => server.count === 0);
    expect(asked).toEqual(['once', 'twice']);
  },
  patienceMs,
);

test(
  'a request of which one bit is altered is not answered, wherever the bit is',
  async () => {
    const { port, server } = await peers.serve('b', answer);
    const question = '{"hops":1,"key":"a"}';
    const pool = peers.pool('a');
    // The proof, the window, the hop mark and the key; and the very last byte.
    for (const at of [0, 15, 16, 19, 20 + 8, 20 + 17, 20 + question.length - 1]) {
      const proxy = await proxied(port, ({ kind, bytes }) => {
        if (kind !== frameKinds.request) return [bytes];
        const altered = Buffer.from(bytes);
        const index = frameHeadBytes + at;
        altered[index] = (altered[index] as number) ^ 1;
        return [altered];
      });
      expect(await ask(pool, proxy.port, question)).toMatch(/^lost/);
      await until(() => server.count === 0);
    }
    expect(asked).toEqual([]);
  },
  patienceMs,
);

test(
  'a message within an exchange cannot be altered, and only who answers ends an exchange',
  async () => {
    const { port, server } = await peers.serve('b', async (question, exchange) => {
      asked.push(question.toString());
      exchange.send(Buffer.from('sure?'));
      // Ended instead of answered.
      const said = await exchange.receive().catch(() => undefined);
      if (said) asked.push(said.toString());
    });
    for (const tamper of [
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('y')]),
      (bytes: Buffer) => {
        const final = Buffer.from(bytes);
        final[4] = (final[4] as number) | 0x80;
        return final;
      },
    ]) {
      const proxy = await proxied(port, ({ kind, bytes }) =>
        kind === frameKinds.message ? [tamper(bytes)] : [bytes],
      );
      const exchange = await peers.pool('a').open(addressOf('b', proxy.port), 'small', Buffer.from('do'));
      expect((await exchange.receive()).toString()).toBe('sure?');
      exchange.send(Buffer.from('n'));
      await until(() => server.count === 0);
    }
    expect(asked).toEqual(['do', 'do']);
  },
  patienceMs,
);

test(
  'more bytes than were granted end the connection',
  async () => {
    const { port, server } = await peers.serve('b', (question) => {
      asked.push(question.toString());
    });
    const proxy = await proxied(port, ({ kind, bytes }) =>
      kind === frameKinds.request ? [bytes, frame(frameKinds.data, Buffer.alloc(1), 1)] : [bytes],
    );
    expect(await ask(peers.pool('a'), proxy.port, 'x')).toMatch(/^lost/);
    await until(() => server.count === 0);
    expect(asked).toEqual(['x']);
  },
  patienceMs,
);

test(
  'over TLS nodes find each other whatever their certificate says, and nobody can stand between two TLS connections',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'forebay-peers-'));
    const files = { certPath: join(folder, 'tls.crt'), keyPath: join(folder, 'tls.key') };
    await writeFile(files.certPath, pairs.first.cert);
    await writeFile(files.keyPath, pairs.first.key);
    const door = await TlsDoor.open(systemClock, silentLog(), files);
    const { port } = await peers.serve('b', answer, {}, door);
    const pool = peers.pool('a', { tls: true });
    expect(await ask(pool, port, 'through TLS')).toBe('ok');
    expect(await ask(peers.pool('a', { connectTimeoutMs: 3_000 }), port, 'without')).toMatch(/^unreachable/);
    const between = createTlsServer({ cert: pairs.second.cert, key: pairs.second.key }, (client) => {
      const target = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      client.pipe(target).pipe(client);
      for (const socket of [client, target]) {
        socket.on('error', () => {
          client.destroy();
          target.destroy();
        });
      }
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    const { port: there } = between.address() as { port: number };
    expect(await ask(peers.pool('c', { tls: true }), there, 'listened to')).toBe(
      'refused: it does not have the secret of this cluster',
    );
    expect(asked).toEqual(['through TLS']);
    between.close();
    await peers.close();
    door.close();
    await rm(folder, { recursive: true });
  },
  patienceMs,
);
