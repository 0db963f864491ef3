import { describe, expect, test } from '@jest/globals';
import { FillBudget } from '../../src/worker/fill-budget.ts';
import { turn } from './manual-clock.ts';

const never = new AbortController().signal;
const urgent = () => true;
const background = () => false;

function budgetOf(maxFillBytes: number, maxFills = 100) {
  const granted: string[] = [];
  const releases = new Map<string, () => void>();
  let pressures = 0;
  const budget = new FillBudget(() => pressures++, { maxFillBytes, maxFills });
  const ask = (name: string, bytes: number, isUrgent = urgent, signal = never) => {
    void budget.acquire(bytes, signal, isUrgent).then((release) => {
      granted.push(release ? name : `${name} gave up`);
      if (release) releases.set(name, release);
    });
  };
  const release = (name: string) => releases.get(name)?.();
  return { budget, granted, ask, release, pressures: () => pressures };
}

describe('memory for fills', () => {
  test('is given in order of asking', async () => {
    const { granted, ask, release } = budgetOf(10);
    ask('a', 6);
    ask('b', 6);
    ask('c', 1);
    await turn();
    expect(granted).toEqual(['a']);
    release('a');
    await turn();
    expect(granted).toEqual(['a', 'b', 'c']);
  });

  test('is given to a page that is larger than all of it, alone', async () => {
    const { granted, ask, release } = budgetOf(10);
    ask('a', 50);
    ask('b', 1);
    await turn();
    expect(granted).toEqual(['a']);
    release('a');
    await turn();
    expect(granted).toEqual(['a', 'b']);
  });
});

describe('what nobody waits for', () => {
  test('has half of the limits, and leaves the rest to those who wait', async () => {
    const { budget, granted, ask, pressures } = budgetOf(10);
    expect(budget.hasBackgroundRoom(5, 0, 0)).toBe(true);
    expect(budget.hasBackgroundRoom(6, 0, 0)).toBe(false);
    expect(budget.hasBackgroundRoom(3, 3, 1)).toBe(false);
    ask('ahead 1', 3, background);
    ask('ahead 2', 3, background);
    await turn();
    expect(granted).toEqual(['ahead 1']);
    expect(pressures()).toBe(0);
    expect(budget.hasBackgroundRoom(1, 0, 0)).toBe(false);
    ask('reader', 7);
    await turn();
    expect(granted).toEqual(['ahead 1', 'reader']);
  });

  test('comes after everybody who waits, even who came later', async () => {
    const { granted, ask, release } = budgetOf(10);
    ask('first', 10);
    ask('ahead', 4, background);
    ask('reader', 9);
    await turn();
    release('first');
    await turn();
    expect(granted).toEqual(['first', 'reader']);
    release('reader');
    await turn();
    expect(granted).toEqual(['first', 'reader', 'ahead']);
  });

  test('is urgent from when somebody waits for it', async () => {
    const { budget, granted, ask, pressures } = budgetOf(10);
    ask('first', 6);
    let isWanted = false;
    ask('ahead', 4, () => isWanted);
    await turn();
    expect(granted).toEqual(['first']);
    isWanted = true;
    budget.reprioritise();
    await turn();
    expect(granted).toEqual(['first', 'ahead']);
    expect(pressures()).toBe(0);
  });

  test('gives up its place when it is aborted', async () => {
    const { granted, ask, budget } = budgetOf(10);
    const client = new AbortController();
    ask('first', 6);
    ask('ahead', 4, background, client.signal);
    client.abort();
    await turn();
    expect(granted).toEqual(['first', 'ahead gave up']);
    expect(budget.usage.waiting).toBe(0);
  });
});
