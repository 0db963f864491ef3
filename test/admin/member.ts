import { systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import { ClusterMember } from '../../src/ring/cluster-member.ts';

/** A member of a cluster that has the store, joined. */
export async function joinAlone(store: CoordStore): Promise<ClusterMember> {
  const identity = { workerId: systemRandom.uuid(), incarnation: systemRandom.uuid(), weight: 1 };
  const own = createMemoryStore(systemClock, systemRandom);
  const member = await ClusterMember.open(
    systemClock,
    systemRandom,
    silentLog(),
    store,
    own,
    identity,
    // Short, so that no test waits for others that there are not.
    { initial: { mode: 'dynamic', virtualNodes: 8, leaseMs: 400 }, settlingMs: 1_000 },
  );
  const address = {
    host: '127.0.0.1',
    peerPort: 1,
    s3Url: 'http://127.0.0.1:2',
    adminUrl: 'http://127.0.0.1:3',
  };
  await member.join(address, new AbortController().signal);
  return member;
}
