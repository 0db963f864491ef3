import { between, type Fault } from './fault.ts';

const answerLost: Fault = {
  name: 'answer lost',
  weight: 3,
  run: async ({ world, draws, wait, tell }) => {
    const count = 1 + draws.below(3);
    tell(`the next ${count} changes are done by the storage, and not answered`);
    for (let left = count; left > 0; left--) world.storage.faults.push({ kind: 'answer lost' });
    await wait(between(draws, 200, 1_000));
    return true;
  },
};

const doneLate: Fault = {
  name: 'done late',
  weight: 3,
  run: async ({ world, draws, wait, tell }) => {
    const afterMs = between(draws, 50, 6_000);
    tell(`the next change is done ${afterMs} ms after its connection was closed`);
    world.storage.faults.push({ kind: 'done late', afterMs });
    await wait(between(draws, 200, 1_000));
    return true;
  },
};

export const storageFaults: readonly Fault[] = [answerLost, doneLate];
