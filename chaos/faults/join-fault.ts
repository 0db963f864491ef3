import type { WorldNode } from '../world/world-node.ts';
import { between, type Fault, type FaultScene } from './fault.ts';

const slowPutMs = 10_000;

/** One node comes and goes: it joins while a PUT is under way, takes part for a while, and leaves in good order. */
export function joinFault(): Fault {
  let guest: WorldNode | undefined;
  return {
    name: 'join during a PUT',
    weight: 1,
    holds: 'joining',
    run: async (scene) => {
      const through = scene.draws.pick(scene.world.members);
      const writing = scene.slowPut(scene.doorOf(through), slowPutMs);
      guest ??= await scene.world.addNode();
      guest.isHeld = true;
      const node = guest;
      await scene.wait(between(scene.draws, 0, 4_000));
      scene.tell(`${node.name} joins while ${through.name} takes a PUT`);
      await node.trouble(() => node.process.start());
      await writing;
      await takePart(scene, node);
      return true;
    },
  };
}

async function takePart(scene: FaultScene, node: WorldNode): Promise<void> {
  await scene.wait(between(scene.draws, 1_000, 5_000));
  scene.tell(`${node.name} leaves`);
  await node.trouble(() => node.process.stop().catch((error: Error) => scene.complain(error.message)));
}
