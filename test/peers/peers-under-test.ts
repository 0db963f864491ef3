import { pino } from 'pino';
import { type Clock, systemClock } from '../../src/common/clock.ts';
import type { Log } from '../../src/common/log.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import type { TlsDoor } from '../../src/common/tls.ts';
import type { ExchangeHandler } from '../../src/peers/connection.ts';
import type { GreetingParts } from '../../src/peers/greeting.ts';
import { ClusterSecret } from '../../src/peers/handshake.ts';
import { PeerPool, type PeerPoolSettings } from '../../src/peers/peer-pool.ts';
import { PeerServer, type PeerServerSettings } from '../../src/peers/peer-server.ts';

export const cluster = 'tested';
export const secretBytes = Buffer.alloc(32, 5);

const limits = { maxExchanges: 10_000, maxSilentTicks: 3, tickMs: 200 };

/** What a node says of itself. A short name stands for its UUID. */
export function greetingParts(workerId: string, changes: Partial<GreetingParts> = {}): GreetingParts {
  return {
    clock: systemClock,
    random: systemRandom,
    secret: new ClusterSecret(secretBytes),
    cluster,
    self: { workerId, incarnation: systemRandom.uuid() },
    maxClockDifferenceMs: 10_000,
    ...changes,
  };
}

/** A clock that shows another time of day. */
export function clockAt(differenceMs: number): Clock {
  return { ...systemClock, nowMs: () => Date.now() + differenceMs };
}

/** Servers and pools of a test, closed together. */
export class PeersUnderTest {
  /** Why peers were refused, in order. */
  readonly refusals: string[] = [];
  private readonly opened: { close(): Promise<void> }[] = [];

  async serve(
    workerId: string,
    handler: ExchangeHandler,
    changes: Partial<GreetingParts & PeerServerSettings> = {},
    tls?: TlsDoor,
  ): Promise<{ readonly server: PeerServer; readonly port: number }> {
    const settings = {
      ...limits,
      host: '127.0.0.1',
      port: 0,
      maxConnections: 100,
      greetingTimeoutMs: 30_000,
      ...changes,
    };
    const server = new PeerServer(this.log(), tls, greetingParts(workerId, changes), settings, handler);
    this.opened.push(server);
    return { server, port: await server.listen() };
  }

  pool(workerId: string, changes: Partial<GreetingParts & PeerPoolSettings> = {}): PeerPool {
    const settings = {
      ...limits,
      connectTimeoutMs: 30_000,
      retryAfterMs: 0,
      maxIdleTicks: 100,
      windowBytes: 64 * 1024 * 1024,
      tls: false,
      ...changes,
    };
    const pool = new PeerPool(silentLog(), greetingParts(workerId, changes), settings);
    this.opened.push(pool);
    return pool;
  }

  private log(): Log {
    const write = (line: string) => void this.refusals.push((JSON.parse(line) as { reason: string }).reason);
    return pino({ level: 'warn' }, { write });
  }

  async close(): Promise<void> {
    this.refusals.length = 0;
    for (const part of this.opened.splice(0).reverse()) await part.close();
  }
}

export function addressOf(workerId: string, peerPort: number) {
  return { workerId, host: '127.0.0.1', peerPort };
}
