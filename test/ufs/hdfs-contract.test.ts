import { afterAll, beforeAll, jest } from '@jest/globals';
import { backendContract } from '../contracts/backend.ts';
import { describeOverHdfs, HdfsCluster } from '../support/hdfs-cluster.ts';
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

  backendContract('a directory of HDFS', () => openHdfs(cluster));
});
