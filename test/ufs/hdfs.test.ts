import { afterAll, beforeAll, jest } from '@jest/globals';
import { unprobed } from '../../src/ufs/s3-settings.ts';
import { type Unprobed, undeclaredCapabilities } from '../contracts/undeclared-capabilities.ts';
import { describeOverHdfs, HdfsCluster } from '../support/hdfs-cluster.ts';
import { hdfsFaults } from './hdfs-faults.ts';
import { hdfsFences } from './hdfs-fences.ts';
import { hdfsOwn } from './hdfs-own.ts';
import { hdfsRefusals } from './hdfs-refusals.ts';
import { hdfsRoot } from './hdfs-root.ts';
import { openHdfs } from './hdfs-under-test.ts';

// A storage of two Java processes takes its time on a busy machine.
jest.setTimeout(180_000);

await describeOverHdfs('HDFS', (jars) => {
  let cluster: HdfsCluster;

  beforeAll(async () => {
    cluster = await HdfsCluster.start(jars);
  }, 300_000);

  afterAll(async () => {
    await cluster?.stop();
  }, 30_000);

  hdfsRefusals(() => cluster);
  hdfsFences(() => cluster);
  hdfsOwn(() => cluster);
  hdfsFaults(() => cluster);
  hdfsRoot(() => cluster);
  undeclaredCapabilities('HDFS', () => unprobedHdfs(cluster));
});

async function unprobedHdfs(cluster: HdfsCluster): Promise<Unprobed> {
  const { backend, client, root, close } = await openHdfs(cluster, { abilities: unprobed });
  return {
    backend,
    stored: async () => {
      await backend.idle();
      // As the NameNode lists it, so that nothing lies beside what Forebay shows.
      const { entries } = await client.list(root, undefined);
      const names = entries.map(({ pathSuffix }) => pathSuffix).filter((name) => name !== '.forebay');
      return Promise.all(names.map(async (name) => [name, (await backend.head(name)).etag] as const));
    },
    close,
  };
}
