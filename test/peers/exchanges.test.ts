import { afterEach, expect, test } from '@jest/globals';
import type { ExchangeHandler } from '../../src/peers/connection.ts';
import type { Exchange } from '../../src/peers/exchange.ts';
import { resetReasons } from '../../src/peers/frames.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { someBytes } from '../support/upload-body.ts';
import { addressOf, PeersUnderTest } from './peers-under-test.ts';

const patienceMs = 120_000;
const peers = new PeersUnderTest();
afterEach(() => peers.close());

const kindOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { kind?: string }) => error.kind,
  );

async function wholeOf(exchange: Exchange): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of exchange.body) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** Says what it was asked, and sends back the body that comes with it. */
const echo: ExchangeHandler = async (request, exchange) => {
  if (request.toString().startsWith('body')) exchange.body.open(64 * 1024);
  const body = request.toString().startsWith('body') ? await wholeOf(exchange) : Buffer.alloc(0);
  exchange.send(request);
  if (!exchange.writeLastNow(body, () => {})) {
    await exchange.write(body);
    exchange.endBody();
  }
};

test(
  'thousands of exchanges at once each get their own answer, over a handful of connections',
  async () => {
    const { server, port } = await peers.serve('b', echo);
    const pool = peers.pool('a');
    const asked = Array.from({ length: 5000 }, async (_, i) => {
      const exchange = await pool.open(addressOf('b', port), 'small', Buffer.from(`question ${i}`));
      return (await exchange.receive()).toString();
    });
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 5000 }, (_, i) => `question ${i}`));
    await until(() => pool.usage.exchanges === 0);
    expect(server.count).toBeLessThanOrEqual(2);
  },
  patienceMs,
);

test(
  'bodies of all sizes go both ways and come back as they were',
  async () => {
    const { port } = await peers.serve('b', echo);
    const pool = peers.pool('a');
    const sizes = [0, 1, 16_383, 16_384, 65_535, 65_536, 65_537, 262_144, 1_000_003];
    const asked = sizes.map(async (size) => {
      const exchange = await pool.open(addressOf('b', port), 'bulk', Buffer.from(`body ${size}`));
      const sent = someBytes(size, size);
      expect(await exchange.write(sent)).toBe(true);
      exchange.endBody();
      expect((await exchange.receive()).toString()).toBe(`body ${size}`);
      expect((await wholeOf(exchange)).equals(sent)).toBe(true);
    });
    await Promise.all(asked);
    await until(() => pool.usage.exchanges === 0);
  },
  patienceMs,
);

test(
  'a reader that takes nothing holds up its own exchange and no other, and little is sent to it',
  async () => {
    let sentBytes = 0;
    const { port } = await peers.serve('b', async (request, exchange, from, ages) => {
      if (request.toString() === 'small') return echo(request, exchange, from, ages);
      exchange.send(request);
      for (let i = 0; i < 1000 && (await exchange.write(Buffer.alloc(64 * 1024, i))); i++)
        sentBytes += 64 * 1024;
      exchange.endBody();
    });
    const pool = peers.pool('a', { windowBytes: 600 * 1024 });
    const to = addressOf('b', port);
    const slow = await Promise.all(
      Array.from({ length: 50 }, async () => pool.open(to, 'small', Buffer.from('long'))),
    );
    for (const exchange of slow) expect((await exchange.receive()).toString()).toBe('long');
    for (let i = 0; i < 100; i++) {
      const exchange = await pool.open(to, 'small', Buffer.from('small'));
      expect((await exchange.receive()).toString()).toBe('small');
    }
    // Two windows of 256 KiB are in the budget, each of the other 48 exchanges has 16 KiB; and one frame more of each is asked to be written.
    expect(sentBytes).toBeLessThanOrEqual(2 * 256 * 1024 + 48 * 16 * 1024);
    const [first, ...others] = slow as [Exchange, ...Exchange[]];
    const whole = await wholeOf(first);
    expect([whole.length, whole[64 * 1024 * 500]]).toEqual([64 * 1024 * 1000, 500 % 256]);
    for (const exchange of others) exchange.cancel(resetReasons.cancelled);
    await until(() => pool.usage.exchanges === 0);
  },
  patienceMs,
);

test(
  'questions and answers go back and forth within an exchange',
  async () => {
    const { port } = await peers.serve('b', async (request, exchange) => {
      exchange.send(Buffer.from('how many?'));
      exchange.send(Buffer.from(`${request} ${await exchange.receive()}`), true);
    });
    const exchange = await peers.pool('a').open(addressOf('b', port), 'small', Buffer.from('give me'));
    expect((await exchange.receive()).toString()).toBe('how many?');
    exchange.send(Buffer.from('three'));
    expect((await exchange.receive()).toString()).toBe('give me three');
    expect(exchange.isOver).toBe(true);
    expect(exchange.body.takeWhole()).toEqual(Buffer.alloc(0));
  },
  patienceMs,
);

test(
  'who gives an exchange up is heard by the other side, and the connection goes on',
  async () => {
    const heard: string[] = [];
    const { port } = await peers.serve('b', async (request, exchange) => {
      if (request.toString() === 'refuse') return exchange.cancel(resetReasons.overloaded);
      exchange.signal.addEventListener('abort', () => heard.push(request.toString()));
      if (request.toString() === 'answer') exchange.send(Buffer.from('ok'), true);
    });
    const pool = peers.pool('a');
    const to = addressOf('b', port);
    const given = await pool.open(to, 'small', Buffer.from('wait'));
    const answer = given.receive();
    given.cancel(resetReasons.cancelled);
    expect(await kindOf(answer)).toBe('cancelled');
    await until(() => heard.length === 1);
    const refused = await pool.open(to, 'small', Buffer.from('refuse'));
    expect(await kindOf(refused.receive())).toBe('overloaded');
    const fine = await pool.open(to, 'small', Buffer.from('answer'));
    expect((await fine.receive()).toString()).toBe('ok');
    expect(heard).toEqual(['wait']);
    expect(pool.usage).toEqual({ connections: 1, exchanges: 0 });
  },
  patienceMs,
);

test(
  'a peer takes no more exchanges at once than it is set to',
  async () => {
    const { port } = await peers.serve('b', () => {}, { maxExchanges: 10 });
    const pool = peers.pool('a');
    const to = addressOf('b', port);
    const asked = [];
    for (let i = 0; i < 12; i++) asked.push(await pool.open(to, 'small', Buffer.from('wait')));
    await until(() => pool.usage.exchanges <= 10);
    const kinds = asked.map((exchange) => kindOf(exchange.receive()));
    expect(await Promise.race(kinds)).toBe('overloaded');
    for (const exchange of asked) exchange.cancel(resetReasons.cancelled);
    await Promise.all(kinds);
    expect(() => peers.pool('c', { maxExchanges: 0 }).open(to, 'small', Buffer.from('x'))).toThrow(
      'this node asks other nodes too much at once',
    );
  },
  patienceMs,
);

test(
  'a peer that falls silent is found out, on either side, and what was asked of it is lost',
  async () => {
    const ended: unknown[] = [];
    const { server, port } = await peers.serve('b', (_request, exchange) => {
      exchange.signal.addEventListener('abort', () => ended.push(exchange.signal.reason.kind));
    });
    const proxy = await TcpProxy.start(port);
    const pool = peers.pool('a');
    const exchange = await pool.open(addressOf('b', proxy.port), 'small', Buffer.from('x'));
    const answer = kindOf(exchange.receive());
    await until(() => server.count === 1);
    proxy.silence();
    expect(await answer).toBe('lost');
    await until(() => server.count === 0 && ended.length === 1);
    expect(ended).toEqual(['lost']);
    await proxy.close();
  },
  patienceMs,
);

test(
  'an exchange whose answer takes long is waited for as long as the peer is there',
  async () => {
    const finish = Promise.withResolvers<void>();
    const { port } = await peers.serve('b', async (request, exchange) => {
      await finish.promise;
      exchange.send(request, true);
    });
    const proxy = await TcpProxy.start(port);
    const pool = peers.pool('a', { tickMs: 20, maxSilentTicks: 50 });
    const exchange = await pool.open(addressOf('b', proxy.port), 'small', Buffer.from('x'));
    const answer = exchange.receive();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    // Far longer than the peer may be silent.
    await until(() => ticks > 150);
    clearInterval(timer);
    finish.resolve();
    expect((await answer).toString()).toBe('x');
    await proxy.close();
  },
  patienceMs,
);

test(
  'who cannot be reached is asked again after a while, not each time, and idle connections are closed',
  async () => {
    const proxy = await TcpProxy.start(1);
    const to = addressOf('b', proxy.port);
    const pool = peers.pool('a', { retryAfterMs: 1_000_000, connectTimeoutMs: 2_000 });
    const open = async () => pool.open(to, 'small', Buffer.from('x'));
    expect(await kindOf(open())).toBe('unreachable');
    const { opened } = proxy;
    expect(await kindOf(open())).toBe('unreachable');
    expect(proxy.opened).toBe(opened);
    await proxy.close();
    const { server, port } = await peers.serve('c', echo);
    const restless = peers.pool('a', { maxIdleTicks: 2 });
    await (await restless.open(addressOf('c', port), 'small', Buffer.from('x'))).receive();
    expect(restless.usage.connections).toBe(1);
    await until(() => restless.usage.connections === 0 && server.count === 0);
    await (await restless.open(addressOf('c', port), 'small', Buffer.from('x'))).receive();
    restless.retain(new Set(['d']));
    await until(() => server.count === 0);
  },
  patienceMs,
);
