import { setTimeout as sleep } from 'node:timers/promises';
import { answers } from '../../conformance/child-server.ts';
import type { World } from '../world/world.ts';
import type { Door } from './door.ts';
import type { Reads } from './reads.ts';
import type { Record } from './record.ts';

/** Within which a cluster has to be ready to which nothing is done any more. */
const healWithinMs = 90_000;
/** Longer than anything that a node still does for a request which is over. */
const quietMs = 3_000;

/** Undoes what was done to the world; resolves when all nodes are ready and nothing is on its way. */
export async function heal(world: World, record: Record): Promise<void> {
  world.storage.delayMs = 0;
  world.storage.answerDelayMs = 0;
  await world.storage.settled();
  for (const node of world.nodes) {
    node.etcd.mend();
    await node.clock.set(0);
    if (node.isGuest || node.process.isAlive) continue;
    record.complain(`${node.name} ended by itself: ${await node.process.logTail()}`);
    await node.process.start();
  }
  const deadlineMs = Date.now() + healWithinMs;
  for (const node of world.members) {
    while (!(await answers(`${node.process.adminUrl}/readyz`, 200).catch(() => false))) {
      if (Date.now() > deadlineMs) throw new Error(`${node.name} is not ready, with nothing done to it`);
      await sleep(100);
    }
  }
  await sleep(quietMs);
}

/** Reads every key through every door, and complains where two do not agree. What is read takes part in the histories too. */
export async function agree(record: Record, reads: Reads, doors: readonly Door[]): Promise<void> {
  const seen = await Promise.all(doors.map((door) => reads.readAll(door)));
  for (const key of record.keys) {
    const said = seen.map((all) => all.get(key));
    // Of one that does not answer it was complained already.
    if (new Set(said.filter((one) => one !== undefined)).size > 1) {
      const each = doors.map(({ name }, index) => `${name}: ${said[index]}`);
      record.complain(`at the end ${key} is not the same everywhere: ${each.join(', ')}`);
    }
  }
}
