import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { EtcdStore, type EtcdStoreSettings } from '../../src/coord/etcd.ts';
import { describeCoordStore } from '../contracts/coord-store.ts';
import { describeOverEtcd, EtcdServer } from '../support/etcd-server.ts';
import { SkippingClock } from './skipping-clock.ts';

await describeOverEtcd('over etcd', (program) => {
  const clock = new SkippingClock();
  let server: EtcdServer;
  let made = 0;
  const settings = (): EtcdStoreSettings => ({
    endpoints: [server.url],
    clusterName: `c${made++}`,
    timeoutMs: 60_000,
    pulseMs: 5_000,
  });
  const open = (more: Partial<EtcdStoreSettings> = {}) =>
    new EtcdStore(clock, systemRandom, silentLog(), { ...settings(), ...more });

  beforeAll(async () => {
    server = await EtcdServer.start(program);
  }, 240_000);
  afterAll(() => server.close());

  describeCoordStore(
    'in etcd',
    async () => open(),
    async (ms) => {
      await clock.skip(ms);
      // What is on its way may arrive.
      await new Promise((done) => setTimeout(done, 20));
    },
  );

  test('clusters of other names, and prefixes of a name, see nothing of each other', async () => {
    const [one, other] = [open({ clusterName: 'a' }), open({ clusterName: 'a-b' })];
    await one.putIf('k', 'one', 'absent');
    await other.putIf('k', 'other', 'absent');
    expect((await one.list('')).entries.map(({ value }) => value)).toEqual(['one']);
    expect((await other.get('k'))?.value).toBe('other');
    await one.close();
    await other.close();
  });

  test('a list of several pages shows one moment', async () => {
    const [store, other] = [open({ clusterName: 'pages' }), open({ clusterName: 'pages' })];
    // Long enough for the writer to get on between the first page and the last.
    for (let i = 10; i < 50; i++) await store.putIf(`m/${i}`, 'x'.repeat(250_000), 'any');
    let done = false;
    const writer = (async () => {
      for (let i = 1; !done; i++) {
        await other.putIf('a', String(i), 'any');
        await other.putIf('z', String(i), 'any');
      }
    })();
    for (let i = 0; i < 10; i++) {
      const { entries } = await store.list('');
      const [first, last] = [entries[0], entries.at(-1)];
      if (first?.key !== 'a' || last?.key !== 'z') continue;
      expect(entries).toHaveLength(42);
      // The one is always written before the other.
      expect([0, 1]).toContain(Number(first.value) - Number(last.value));
    }
    done = true;
    await writer;
    await store.close();
    await other.close();
  });

  test('values that are together longer than an answer may be are listed all the same', async () => {
    const store = open();
    for (let i = 10; i < 30; i++) await store.putIf(`v/${i}`, String(i).repeat(500_000), 'any');
    const { entries } = await store.list('v/');
    expect(entries.map(({ key, value }) => [key, value.length])).toEqual(
      Array.from({ length: 20 }, (_, i) => [`v/${i + 10}`, 1_000_000]),
    );
    await store.close();
  });
});
