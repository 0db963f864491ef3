import { between, type Fault, type FaultScene } from './fault.ts';

/** How long a node may stand still and still be believed to be alive, and longer: its view lease is two seconds. */
const shortPauseMs = [200, 1_500] as const;
const longPauseMs = [2_500, 12_000] as const;

const kill: Fault = {
  name: 'kill',
  weight: 2,
  run: (scene) =>
    scene.withNode(async (node) => {
      scene.tell(`${node.name} is killed`);
      await node.trouble(async () => {
        await node.process.kill();
        await scene.wait(between(scene.draws, 0, 4_000));
        await node.process.start();
      });
      scene.tell(`${node.name} is ready again`);
    }),
};

const killAmidChanges: Fault = {
  name: 'kill amid changes',
  weight: 1,
  run: (scene) =>
    scene.withNode(async (node) => {
      const { world, draws, wait, tell, settlingMs } = scene;
      const late = Array.from({ length: 6 }, () => ({
        kind: 'done late' as const,
        afterMs: between(draws, 0.6 * settlingMs, 0.9 * settlingMs),
        // Whoever sent it finds out too late to do something about it.
        silentMs: 1_000,
      }));
      world.storage.faults.push(...late);
      await wait(600);
      world.storage.withdraw(late);
      tell(`${node.name} is killed, and gone until changes that it may have sent have come`);
      await node.trouble(async () => {
        await node.process.kill();
        await wait(between(draws, 1.1 * settlingMs, 1.4 * settlingMs));
        await node.process.start();
      });
      tell(`${node.name} is ready again`);
    }),
};

function pause(scene: FaultScene, forMs: number): Promise<boolean> {
  return scene.withNode(async (node) => {
    scene.tell(`${node.name} stands still for ${forMs} ms`);
    await node.trouble(async () => {
      node.process.pause();
      try {
        await scene.wait(forMs);
      } finally {
        node.process.resume();
      }
      // It has to hear of everything first that happened meanwhile.
      await scene.wait(500);
    });
  });
}

const shortPause: Fault = {
  name: 'short pause',
  weight: 2,
  run: (scene) => pause(scene, between(scene.draws, ...shortPauseMs)),
};

const longPause: Fault = {
  name: 'long pause',
  weight: 2,
  run: (scene) => pause(scene, between(scene.draws, ...longPauseMs)),
};

const clockJump: Fault = {
  name: 'clock jump',
  weight: 2,
  run: async (scene) => {
    if (!scene.world.nodes.every(({ clock }) => clock.isSettable)) return false;
    return scene.withNode(async (node) => {
      const offsetMs = between(scene.draws, -60_000, 60_000);
      scene.tell(`the clock of ${node.name} jumps to ${offsetMs} ms ahead`);
      // Requests are answered all the while, so that this is no excuse for it.
      await node.clock.set(offsetMs);
      await scene.wait(between(scene.draws, 2_000, 5_000));
      if (scene.draws.chance(0.7)) await node.clock.set(0);
    });
  },
};

export const nodeFaults: readonly Fault[] = [kill, killAmidChanges, shortPause, longPause, clockJump];
