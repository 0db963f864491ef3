import { hashObject } from '../../src/ring/ring.ts';
import { pointerKey, type ViewPointer } from '../../src/ring/view-record.ts';
import { VirtualCluster } from './virtual-cluster.ts';
import type { Machine } from './virtual-node.ts';

const opened: VirtualCluster[] = [];

/** To be called after each test. */
export async function closeAll(): Promise<void> {
  for (const cluster of opened.splice(0)) await cluster.close();
}

export const hashes = Array.from({ length: 300 }, (_, i) => hashObject('mount', `key-${i}`));

/** A cluster whose first nodes have joined. */
export async function clusterOf(joined: number, more = 0): Promise<VirtualCluster> {
  const cluster = new VirtualCluster(joined + more);
  opened.push(cluster);
  for (let i = 0; i < joined; i++) await cluster.join(i);
  await settle(cluster);
  return cluster;
}

export function settle(cluster: VirtualCluster): Promise<void> {
  return cluster.time.until(
    () => cluster.isSettled(),
    'settled',
    () => cluster.describe(),
  );
}

/** Who may use what is cached of an object, at this moment. */
export function usersOf(cluster: VirtualCluster, hash: number): string[] {
  const running = cluster.machines.filter(({ node }) => node !== undefined);
  return running.filter(({ ownership }) => ownership.mayUseMetadata(hash)).map(({ workerId }) => workerId);
}

export function ownedBy({ ownership }: Machine): number[] {
  return hashes.filter((hash) => ownership.owns(hash));
}

export async function pointerOf({ store }: VirtualCluster): Promise<ViewPointer> {
  return JSON.parse((await store.get(pointerKey))?.value ?? '') as ViewPointer;
}
