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
  }, 120_000);
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
});
