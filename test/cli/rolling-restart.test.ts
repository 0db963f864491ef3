import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { SmallCluster } from '../../chaos/cluster/small-cluster.ts';
import { rollThrough } from '../../chaos/rolling/rolling-restart.ts';
import { describeOverEtcd } from '../support/etcd-server.ts';

const patienceMs = 240_000;
const root = { accessKeyId: 'AKIDROLLING', secretAccessKey: 'secret-of-the-rolling-restart' };

await describeOverEtcd('a cluster whose nodes are drained and restarted one after the other', () => {
  test(
    'loses no request of clients that try nothing twice',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'forebay-rolling-'));
      const cluster = await SmallCluster.start(folder, 3, root, { FOREBAY_IO_THREADS: '1' });
      try {
        const settings = { clients: 6, restarts: 1, drain: true, lookEveryMs: 50, calmMs: 200 };
        const report = await rollThrough(cluster, settings);
        expect(report.failures).toEqual([]);
        expect(report.restarts).toHaveLength(1);
        expect(Math.min(report.reads, report.writes)).toBeGreaterThan(20);
      } finally {
        await cluster.close();
        await rm(folder, { recursive: true, force: true });
      }
    },
    patienceMs,
  );
});
