import type { Draws } from '../../fuzz/lib/draws.ts';
import { between } from '../faults/fault.ts';
import type { PendingWorld } from './pending-world.ts';

export interface FaultScene {
  readonly world: PendingWorld;
  readonly draws: Draws;
  /** The longest that the storage is away. */
  readonly awayMs: number;
  /** Milliseconds; ends early when the campaign does. */
  wait(ms: number): Promise<void>;
  tell(what: string): void;
}

/** Things that go wrong beside each other, each lane with one at a time. What is done is undone when the call returns. */
export type Lane = (scene: FaultScene) => Promise<string>;

const killing: Lane = async ({ world, draws, wait, tell }) => {
  await wait(between(draws, 500, 6_000));
  tell('the node is killed');
  await world.node.kill();
  await wait(draws.chance(0.5) ? 0 : between(draws, 0, 1_500));
  await world.node.start();
  tell('the node is back');
  return 'kill';
};

const storage: Lane = async ({ world, draws, awayMs, wait, tell }) => {
  const { proxy } = world;
  await wait(between(draws, 100, 1_500));
  const what = draws.weighted([
    [3, 'answer lost'],
    [3, 'done late'],
    [2, 'away'],
    [1, 'silent'],
    [1, 'slow'],
  ] as const);
  if (what === 'answer lost') {
    const count = 1 + draws.below(3);
    tell(`the next ${count} changes are done by the storage, and not answered`);
    for (let left = count; left > 0; left--) proxy.faults.push({ kind: what });
  } else if (what === 'done late') {
    const afterMs = between(draws, 50, 6_000);
    tell(`the next change is done ${afterMs} ms after its connection was closed`);
    proxy.faults.push({ kind: what, afterMs });
  } else if (what === 'slow') {
    proxy.delayMs = between(draws, 50, 300);
    await wait(between(draws, 500, 3_000));
    proxy.delayMs = 0;
  } else {
    const ms = what === 'away' ? between(draws, 500, awayMs) : between(draws, 500, Math.min(awayMs, 6_000));
    tell(`the storage is ${what} for ${ms} ms`);
    proxy.leave(what === 'away' ? 'refusing' : 'silent');
    await wait(ms);
    proxy.comeBack();
    tell('the storage is back');
  }
  return what;
};

const disk: Lane = async ({ world, draws, wait, tell }) => {
  await wait(between(draws, 2_000, 9_000));
  if (world.disk.missing !== undefined) return 'disk never full';
  tell('the disk is full');
  await world.disk.fill(draws.below(300_000));
  await wait(between(draws, 300, 3_000));
  await world.disk.free();
  tell('the disk has room again');
  return 'full disk';
};

const mode: Lane = async ({ world, draws, wait, tell }) => {
  await wait(between(draws, 2_000, 9_000));
  const other = draws.pick(['through', 'around']);
  // Where there is no answer it may be changed all the same.
  const isTold = await isSet(world, other);
  tell(isTold ? `the write mode is ${other}` : `the write mode may be ${other}`);
  await wait(between(draws, 200, 2_500));
  while (!(await isSet(world, 'back'))) await wait(100);
  tell('the write mode is back');
  return isTold ? 'other mode' : 'mode not changed';
};

/** The node may be gone, or have no room, or the storage be away, which is asked whether it is fit for it. */
async function isSet(world: PendingWorld, to: string): Promise<boolean> {
  return world.setMode(to).then(
    () => true,
    () => false,
  );
}

export const lanes: readonly Lane[] = [killing, storage, disk, mode];
