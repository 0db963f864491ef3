import { between, type Fault, type FaultScene } from './fault.ts';

/** Beyond some eight seconds the others own what the node owned, and it does not know. */
const etcdCutMs = [500, 13_000] as const;

/** Two different nodes that take part. */
function pickPair({ world, draws }: FaultScene): readonly [string, string] | undefined {
  const [from, to] = draws.shuffled(world.members);
  return from && to && [from.name, to.name];
}

const oneWayCut: Fault = {
  name: 'one-way cut',
  weight: 3,
  run: async (scene) => {
    const pair = pickPair(scene);
    if (!pair) return false;
    const forMs = between(scene.draws, 500, 6_000);
    scene.tell(`nothing comes from ${pair[0]} to ${pair[1]} for ${forMs} ms`);
    scene.world.links.cut(...pair);
    await scene.wait(forMs);
    scene.world.links.mend(...pair);
    return true;
  },
};

const delay: Fault = {
  name: 'delay',
  weight: 2,
  run: async (scene) => {
    const { world, draws } = scene;
    const ms = between(draws, 10, 250);
    const forMs = between(draws, 1_000, 5_000);
    const pair = pickPair(scene);
    const node = draws.pick(world.nodes);
    const place = draws.pick(['peers', 'storage', 'answers of storage', 'etcd']);
    scene.tell(
      `${place} of ${place === 'peers' ? pair?.join(' to ') : place === 'etcd' ? node.name : 'all'}: ${ms} ms later for ${forMs} ms`,
    );
    if (place === 'peers' && pair) world.links.delay(...pair, ms);
    else if (place === 'storage') world.storage.delayMs = ms;
    else if (place === 'answers of storage') world.storage.answerDelayMs = ms;
    else node.etcd.delay(ms);
    await scene.wait(forMs);
    if (place === 'peers' && pair) world.links.mend(...pair);
    else if (place === 'storage') world.storage.delayMs = 0;
    else if (place === 'answers of storage') world.storage.answerDelayMs = 0;
    else node.etcd.delay(0);
    return true;
  },
};

const etcdCut: Fault = {
  name: 'node without etcd',
  weight: 2,
  run: (scene) =>
    scene.withNode(async (node) => {
      const forMs = between(scene.draws, ...etcdCutMs);
      const isSilent = scene.draws.chance(0.5);
      scene.tell(`${node.name} does not reach etcd, ${isSilent ? 'unheard' : 'refused'}, for ${forMs} ms`);
      if (isSilent) node.etcd.silence();
      else node.etcd.cutOff();
      await scene.wait(forMs);
      node.etcd.mend();
    }),
};

export const networkFaults: readonly Fault[] = [oneWayCut, delay, etcdCut];
