import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Etcd3 } from 'etcd3';
import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { EtcdStore, type EtcdStoreSettings } from '../../src/coord/etcd.ts';
import type { CoordError, CoordStore, StoreEvent } from '../../src/coord/store.ts';
import { WatchedPrefix } from '../../src/coord/watched-prefix.ts';
import { watchInto } from '../contracts/coord-store.ts';
import { describeOverEtcd, EtcdServer } from '../support/etcd-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const patienceMs = 240_000;

const kindOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (error: CoordError) => error.kind,
  );

/** Which numbers a watch of one counter has seen. */
const numbers = (events: readonly StoreEvent[]) =>
  events.map((event) => (event.type === 'put' ? Number(event.entry.value) : Number.NaN));

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

await describeOverEtcd('with faults between it and its store, a node', (program) => {
  let server: EtcdServer;
  let proxy: TcpProxy;
  let made = 0;
  let clusterName: string;
  /** Not through the proxy: what other nodes do. */
  let other: EtcdStore;
  let store: EtcdStore;
  let written: number;

  const open = (url: string, more: Partial<EtcdStoreSettings> = {}) =>
    new EtcdStore(systemClock, systemRandom, silentLog(), {
      endpoints: [url],
      clusterName,
      timeoutMs: patienceMs,
      pulseMs: 100,
      ...more,
    });

  beforeAll(async () => {
    server = await EtcdServer.start(program);
  }, patienceMs);
  afterAll(() => server.close());
  beforeEach(async () => {
    clusterName = `faults-${made++}`;
    written = 0;
    proxy = await TcpProxy.start(server.port);
    other = open(server.url);
    // Soon tired of waiting, so that a connection that hangs is found out.
    store = open(`http://127.0.0.1:${proxy.port}`, { timeoutMs: 1_500 });
  });
  afterEach(async () => {
    await store.close();
    await other.close();
    await proxy.close();
  });

  /** Others count on, one change each. */
  async function count(times: number, at: CoordStore = other): Promise<void> {
    for (let i = 0; i < times; i++) await at.putIf('n', String(++written), 'any');
  }

  async function watched() {
    const seen = watchInto();
    const { revision } = await other.list('');
    await store.watch('', revision, seen.onEvents, seen.onReset);
    await count(1);
    await until(() => seen.events.length === 1);
    return seen;
  }

  /** Everything arrived, each change once, in order, and nothing had to be listed again. */
  async function sawAll(seen: ReturnType<typeof watchInto>): Promise<void> {
    await until(() => seen.events.length >= written);
    expect([numbers(seen.events), seen.resets()]).toEqual([upTo(written), 0]);
  }

  test(
    'whose connections are cut again and again misses no change and sees none twice',
    async () => {
      const seen = await watched();
      for (let round = 0; round < 8; round++) {
        await count(5);
        proxy.cut();
        await count(5);
      }
      await sawAll(seen);
      expect(proxy.opened).toBeGreaterThan(2);
    },
    patienceMs,
  );

  test(
    'that cannot connect for a while says so, and sees what came meanwhile',
    async () => {
      const seen = await watched();
      expect(store.health.silentMs).toBeUndefined();
      proxy.cutOff();
      await count(20);
      await until(() => store.health.silentMs !== undefined);
      expect(store.health.reason).toMatch(/etcd/);
      expect(await kindOf(store.get('n'))).toBe('unavailable');
      expect(seen.events).toHaveLength(1);
      proxy.mend();
      await count(5);
      await sawAll(seen);
      await until(() => store.health.silentMs === undefined);
      expect((await store.get('n'))?.value).toBe('26');
    },
    patienceMs,
  );

  test(
    'whose connections fall silent gives them up and goes on over others',
    async () => {
      const seen = await watched();
      proxy.stick();
      await count(20);
      await sawAll(seen);
      expect((await store.get('n'))?.value).toBe('21');
    },
    patienceMs,
  );

  test(
    'to whom nothing comes through finds out, and catches up',
    async () => {
      const seen = await watched();
      proxy.silence();
      await count(10);
      await until(() => store.health.silentMs !== undefined);
      expect(await kindOf(store.list(''))).toBe('unavailable');
      proxy.mend();
      await sawAll(seen);
      await until(() => store.health.silentMs === undefined);
    },
    patienceMs,
  );

  test(
    'over a slow line sees everything in order',
    async () => {
      const seen = await watched();
      proxy.delay(30);
      await count(20);
      await count(5, store);
      await sawAll(seen);
    },
    patienceMs,
  );

  test(
    'goes on when etcd was killed and comes back',
    async () => {
      const seen = await watched();
      await count(5);
      await server.kill();
      await until(() => store.health.silentMs !== undefined);
      await server.startAgain();
      await count(5);
      await sawAll(seen);
      await count(1, store);
      await sawAll(seen);
    },
    patienceMs,
  );

  test(
    'that was cut off while what it had not seen was compacted is told to list again, once',
    async () => {
      const seen = await watched();
      const following = await WatchedPrefix.open(systemClock, store, '', Number, () => {});
      proxy.cutOff();
      await count(10);
      await compact();
      await count(3);
      expect(following.get('n')).toBe(1);
      proxy.mend();
      await until(() => seen.resets() > 0 && following.get('n') === written);
      expect([seen.resets(), seen.events.length]).toEqual([1, 1]);
      await count(2);
      await until(() => following.get('n') === written);
      await following.close();
    },
    patienceMs,
  );

  test(
    'that has seen everything goes on over a compaction without listing again',
    async () => {
      const seen = await watched();
      await count(10);
      await sawAll(seen);
      await compact();
      proxy.cut();
      await count(3);
      await sawAll(seen);
    },
    patienceMs,
  );

  test(
    'lists again when etcd comes back with an older state',
    async () => {
      await count(20);
      const following = await WatchedPrefix.open(systemClock, store, '', Number, () => {});
      const seen = watchInto();
      await store.watch('', (await store.list('')).revision, seen.onEvents, seen.onReset);
      await count(1);
      await until(() => seen.events.length === 1);
      await server.startEmpty();
      await other.putIf('n', '3', 'absent');
      await until(() => following.get('n') === 3 && seen.resets() === 1);
      await following.close();
    },
    patienceMs,
  );

  test(
    'whose answer is lost does not take its change for refused, nor make it twice',
    async () => {
      await store.putIf('warm', '1', 'any');
      proxy.silence('answers');
      expect(await kindOf(store.putIf('once', 'mine', 'absent'))).toBe('unavailable');
      proxy.mend();
      const found = await other.get('once');
      // If it arrived at all, it is there as it was sent.
      expect(found?.value ?? 'mine').toBe('mine');
      const { kvs } = await raw().kv.range({ key: Buffer.from(`/forebay/${clusterName}/once`) });
      expect(kvs.map(({ version }) => version)).toEqual(found ? ['1'] : []);
    },
    patienceMs,
  );

  test(
    'whose connection breaks after its change was made is told that it is unknown, and not that somebody was faster',
    async () => {
      await store.putIf('warm', '1', 'any');
      proxy.silence('answers');
      const outcome = kindOf(store.putIf('once', 'mine', 'absent'));
      for (let isThere = false; !isThere; ) isThere = (await other.get('once')) !== undefined;
      proxy.cut();
      proxy.mend();
      expect(await outcome).toBe('unavailable');
    },
    patienceMs,
  );

  test(
    'is not answered before its own change was delivered to it, though the watch hangs',
    async () => {
      await store.close();
      store = open(`http://127.0.0.1:${proxy.port}`, { timeoutMs: 3_000 });
      await store.get('n');
      const connected = proxy.opened;
      const seen = watchInto();
      await store.watch('', (await store.list('')).revision, seen.onEvents, seen.onReset);
      await count(1);
      await until(() => seen.events.length === 1);
      expect(proxy.opened).toBe(connected + 1);
      // The connection of the watch.
      proxy.stickLast();
      for (let made = false; !made; ) {
        const before = seen.events.length;
        // Where the time is over before the watch has been begun anew, nobody may take the change for made.
        made = (await store.putIf('own', 'x', 'any').catch(() => undefined)) !== undefined;
        if (made) expect(seen.events.length).toBeGreaterThan(before);
      }
      expect(seen.events.at(-1)).toMatchObject({ entry: { key: 'own' } });
    },
    patienceMs,
  );

  test(
    'learns with its next word that etcd has forgotten its lease',
    async () => {
      const leases = await Promise.all([store.lease(60_000), store.lease(60_000), store.lease(60_000)]);
      const [kept, put, revoked] = leases;
      for (const lease of leases) {
        await store.putIf(`l/${lease.id}`, '1', 'any', lease);
        await raw().leaseClient.leaseRevoke({ ID: lease.id });
      }
      expect(await kindOf(kept?.keepAlive() ?? fail())).toBe('lease-lost');
      expect(await kindOf(store.putIf('l/x', '1', 'any', put))).toBe('lease-lost');
      await revoked?.revoke();
      for (const lease of leases) {
        expect([lease.ended.aborted, lease.remainingMs(), await kindOf(lease.keepAlive())]).toEqual([
          true,
          0,
          'lease-lost',
        ]);
      }
      expect((await other.list('l/')).entries).toEqual([]);
    },
    patienceMs,
  );

  test(
    'gives up a lease that it cannot keep before etcd does',
    async () => {
      const lease = await store.lease(3_000);
      await store.putIf('l/a', '1', 'any', lease);
      const seen: boolean[] = [];
      await other.watch(
        'l/',
        (await other.list('')).revision,
        () => void seen.push(lease.remainingMs() === 0),
        fail,
      );
      const keeping = (async () => {
        while (!lease.ended.aborted) {
          await lease.keepAlive().catch(() => {});
          await systemClock.sleep(100);
        }
      })();
      await systemClock.sleep(500);
      proxy.silence();
      await until(() => seen.length > 0);
      expect(seen).toEqual([true]);
      await keeping;
      expect(await kindOf(lease.keepAlive())).toBe('lease-lost');
      proxy.mend();
      expect(await kindOf(store.putIf('l/b', '1', 'any', lease))).toBe('lease-lost');
      expect((await other.list('l/')).entries).toEqual([]);
    },
    patienceMs,
  );

  test(
    'finds the member that answers',
    async () => {
      proxy.cutOff();
      const both = open('', { endpoints: [`http://127.0.0.1:${proxy.port}`, server.url] });
      await count(3, both);
      proxy.mend();
      expect((await both.list('')).entries).toHaveLength(1);
      await both.close();
    },
    patienceMs,
  );

  /** A client of the test's own. */
  function raw(): Etcd3 {
    client ??= new Etcd3({ hosts: server.url });
    return client;
  }
  let client: Etcd3 | undefined;
  afterAll(() => client?.close());

  async function compact(): Promise<void> {
    await raw().kv.compact({ revision: (await other.list('')).revision, physical: true });
  }
});

function fail(): never {
  throw new Error('this is not to be called');
}
