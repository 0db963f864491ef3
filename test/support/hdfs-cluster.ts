import { describe, test } from '@jest/globals';
import { findHdfs } from '../../conformance/backends/hdfs-cluster.ts';

export { HdfsCluster } from '../../conformance/backends/hdfs-cluster.ts';

/** A suite over HDFS: left out, and named, where there is none; in continuous integration that is a failure. */
export async function describeOverHdfs(name: string, suite: (jars: string) => void): Promise<void> {
  const found = await findHdfs();
  if ('jars' in found) {
    describe(name, () => suite(found.jars));
    return;
  }
  const inCi = process.env.CI === 'true';
  (inCi ? describe : describe.skip)(name, () => {
    test(`left out, since HDFS is not to be had: ${found.missing}`, () => {
      if (inCi) throw new Error(`HDFS is not to be had: ${found.missing}`);
    });
  });
}
