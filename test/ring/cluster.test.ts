import { afterEach, describe, expect, test } from '@jest/globals';
import { hashObject } from '../../src/ring/ring.ts';
import { VirtualCluster } from './virtual-cluster.ts';

let cluster: VirtualCluster | undefined;

afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

const hashes = Array.from({ length: 300 }, (_, i) => hashObject('mount', `key-${i}`));

describe('a cluster', () => {
  test('joins nodes one after the other, and each object has one owner at a time', async () => {
    cluster = new VirtualCluster(4);
    for (let i = 0; i < 4; i++) {
      await cluster.join(i);
      await cluster.time.until(() => cluster?.isSettled() === true, 'settled');
      for (const hash of hashes) {
        const owners = cluster.members().filter(({ ownership }) => ownership.mayUseMetadata(hash));
        expect(owners.map(({ workerId }) => workerId)).toEqual([
          owners[0]?.ownership.view().metadataOwnerOf(hash),
        ]);
      }
    }
    expect(cluster.machine(0).ownership.view()).toMatchObject({ generation: 1, epoch: 4 });
  });
});
