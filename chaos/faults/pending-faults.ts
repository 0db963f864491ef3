import { setTimeout as sleep } from 'node:timers/promises';
import { areOnTwoNodes } from '../world/pending-sets.ts';
import { between, type Fault } from './fault.ts';

/** Others take over what a node keeps that is gone for some eight seconds. */
const goneMs = [5_000, 20_000] as const;
const healthyWithinMs = 90_000;
const lookEveryMs = 500;

const longKill: Fault = {
  name: 'long kill',
  weight: 2,
  run: (scene) =>
    scene.withNode(async (node) => {
      const forMs = between(scene.draws, ...goneMs);
      scene.tell(`${node.name} is killed, and gone for ${forMs} ms`);
      await node.trouble(async () => {
        await node.process.kill();
        await scene.wait(forMs);
        await node.process.start();
      });
      scene.tell(`${node.name} is ready again`);
    }),
};

/**
 * A node is lost with its disk, and another one comes in its place. A write lies on two disks: so nothing else is done to nodes before
 * all that is pending lies on two again.
 */
const lostDisk: Fault = {
  name: 'lost disk',
  weight: 2,
  // What etcd forgets nobody knows then.
  holds: 'etcd',
  run: async (scene) => {
    const { world, draws } = scene;
    const members = world.nodes.filter(({ process }) => process.isAlive);
    if (members.some(({ isHeld }) => isHeld)) return false;
    for (const node of members) node.isHeld = true;
    try {
      if (!(await areOnTwoNodes(world))) return false;
      const node = draws.pick(members.filter(({ isGuest }) => !isGuest));
      scene.tell(`${node.name} is lost with its disk`);
      await node.trouble(async () => {
        await node.process.kill();
        await node.process.loseDisk();
        await scene.wait(between(draws, 0, 15_000));
        await node.process.start();
      });
      scene.tell(`${node.name} is there again, with an empty disk`);
      for (const untilMs = Date.now() + healthyWithinMs; !(await areOnTwoNodes(world)); ) {
        if (Date.now() > untilMs) {
          scene.complain(`what is pending does not come to lie on two nodes, after ${node.name} was lost`);
          break;
        }
        await sleep(lookEveryMs);
      }
      scene.tell('what is pending lies on two nodes again');
      return true;
    } finally {
      for (const node of members) node.isHeld = false;
    }
  },
};

/** Of campaigns in which writes are acknowledged before the storage has them. */
export const pendingFaults: readonly Fault[] = [longKill, lostDisk];
