import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test as jestTest } from '@jest/globals';
import type { LeftOutGroup } from '../left-out.ts';

type Body = () => Promise<void>;

const { CLIENT, BACKEND, CASES } = process.env;
const text = readFileSync(join(import.meta.dirname, '../left-out.json'), 'utf8');
const leftOut = new Set(
  (JSON.parse(text) as LeftOutGroup[])
    .filter((group) => group.client === CLIENT && group.backend === BACKEND)
    .flatMap(({ cases }) => Object.keys(cases)),
);

function isWanted(name: string, isQuick: boolean): boolean {
  if (CASES === 'quick' && !isQuick) return false;
  return leftOut.has(`javascript/javascript.test.ts > ${name}`) === (CASES === 'left-out');
}

/** A case that is run where it is wanted; where it is not, it is not there. */
export function test(name: string, body: Body): void {
  if (isWanted(name, false)) jestTest(name, body);
}

/** One of those that `npm test` runs over the other backends. */
export function quickTest(name: string, body: Body): void {
  if (isWanted(name, true)) jestTest(name, body);
}

/** About the node itself, not about what it does with a backend. */
export function nodeTest(name: string, body: Body): void {
  if (BACKEND === 'file') test(name, body);
}

/** How long a backend that looks first and writes then is given to show it. */
const patienceMs = 150_000;

/** Runs a race of writers: once; where it is left out, for as long as it takes to see why. */
export async function eachRound(race: Body): Promise<void> {
  const until = performance.now() + (CASES === 'left-out' ? patienceMs : 0);
  do await race();
  while (performance.now() < until);
}

test.each = <Value extends string>(values: readonly Value[]) => {
  return (name: string, body: (value: Value) => Promise<void>): void => {
    for (const value of values) test(name.replace('%s', value), () => body(value));
  };
};
