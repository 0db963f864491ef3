import { describe, test } from '@jest/globals';
import { findEtcd } from '../../chaos/cluster/etcd-process.ts';

export { EtcdServer, findEtcd } from '../../chaos/cluster/etcd-process.ts';

/** A suite over a real etcd: left out, and named, where there is none; in continuous integration that is a failure. */
export async function describeOverEtcd(name: string, suite: (program: string) => void): Promise<void> {
  const found = await findEtcd();
  if ('program' in found) {
    describe(name, () => suite(found.program));
    return;
  }
  const missing = (inCi: boolean) => {
    if (inCi) throw new Error(`etcd is not to be had: ${found.missing}`);
  };
  const inCi = process.env.CI === 'true';
  (inCi ? describe : describe.skip)(name, () => {
    test(`left out, since etcd is not to be had: ${found.missing}`, () => missing(inCi));
  });
}
