import { afterEach, expect, test } from '@jest/globals';
import { steadyPorts } from '../../chaos/cluster/steady-ports.ts';
import { CommandError } from '../../src/cli/errors.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';
import { until } from '../support/until.ts';
import { NodesOverEtcd } from './nodes-over-etcd.ts';

const patienceMs = 240_000;

await describeOverEtcd('a node that starts while etcd is not to be had', (program) => {
  let nodes: NodesOverEtcd | undefined;

  afterEach(async () => {
    await nodes?.close();
    nodes = undefined;
  }, patienceMs);

  test(
    'waits where etcd goes away in the middle, wherever that is, says so, and goes on with it',
    async () => {
      nodes = await NodesOverEtcd.start(program);
      await nodes.end(await nodes.open('one'));
      const [port = 0] = await steadyPorts(1);
      const proxy = nodes.proxyOf('one');
      const ask = async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
        return { status: answer.status, body: (await answer.json()) as { message?: string } };
      };
      for (const answers of [2, 6, 12]) {
        proxy.cutOffAfter(answers);
        const own = { FOREBAY_ADMIN_PORT: String(port), FOREBAY_IO_THREADS: '2' };
        const starting = nodes.open('one', own);
        starting.catch(() => {});
        await until(() => proxy.isCutOff);
        await until(async () => /waiting/.test((await ask().catch(() => undefined))?.body.message ?? ''));
        expect((await ask()).status).toBe(503);
        proxy.mend();
        const node = await starting;
        expect((await ask()).status).toBe(200);
        await nodes.end(node);
      }
    },
    patienceMs,
  );

  test(
    'ends with what is to be mended where that is a setting',
    async () => {
      nodes = await NodesOverEtcd.start(program);
      for (const [wrong, why] of [
        [{ FOREBAY_ETCD_USER: 'nobody', FOREBAY_ETCD_PASSWORD: 'x' }, /FOREBAY_ETCD_USER/],
        [{ FOREBAY_ETCD_ENDPOINTS: 'http://no-such-host.invalid:2379' }, /no such host/],
      ] as const) {
        const ended = nodes.open('one', wrong);
        await expect(ended).rejects.toThrow(CommandError);
        await expect(ended).rejects.toThrow(why);
      }
    },
    patienceMs,
  );
});
