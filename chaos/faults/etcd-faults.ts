import { rm } from 'node:fs/promises';
import { between, type Fault } from './fault.ts';
import { raiseGeneration } from './raise-generation.ts';

const away: Fault = {
  name: 'etcd away',
  weight: 1,
  holds: 'etcd',
  run: async ({ world, draws, wait, tell }) => {
    const forMs = between(draws, 500, 6_000);
    tell(`etcd is killed, and away for ${forMs} ms`);
    await world.etcd.kill();
    await wait(forMs);
    await world.etcd.startAgain();
    tell('etcd is there again');
    return true;
  },
};

const standsStill: Fault = {
  name: 'etcd paused',
  weight: 1,
  holds: 'etcd',
  run: async ({ world, draws, wait, tell }) => {
    const forMs = between(draws, 500, 5_000);
    tell(`etcd stands still for ${forMs} ms`);
    world.etcd.pause();
    await wait(forMs);
    world.etcd.resume();
    return true;
  },
};

const restored: Fault = {
  name: 'etcd restored',
  weight: 1,
  holds: 'etcd',
  run: async ({ world, draws, wait, tell }) => {
    const snapshot = await world.etcd.snapshot();
    try {
      await wait(between(draws, 1_000, 4_000));
      tell('etcd is restored from a snapshot');
      await world.etcd.restore(snapshot);
      tell(`the generation was raised: ${await raiseGeneration(world)}`);
    } finally {
      await rm(snapshot.folder, { recursive: true, force: true });
    }
    return true;
  },
};

export const etcdFaults: readonly Fault[] = [away, standsStill, restored];
