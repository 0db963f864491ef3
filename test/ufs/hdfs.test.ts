import { afterAll, beforeAll } from '@jest/globals';
import { describeOverHdfs, HdfsCluster } from '../support/hdfs-cluster.ts';
import { hdfsFaults } from './hdfs-faults.ts';
import { hdfsOwn } from './hdfs-own.ts';

await describeOverHdfs('HDFS', (jars) => {
  let cluster: HdfsCluster;

  beforeAll(async () => {
    cluster = await HdfsCluster.start(jars);
  }, 300_000);

  afterAll(async () => {
    await cluster?.stop();
  }, 30_000);

  hdfsOwn(() => cluster);
  hdfsFaults(() => cluster);
});
