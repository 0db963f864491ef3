import { expect, test } from '@jest/globals';
import { UnresolvedChanges } from '../../src/ufs/unresolved.ts';
import { ManualClock, turn } from '../worker/manual-clock.ts';

const settings = { backend: 's3://bucket/', settlingMs: 1_000, maxHoldMs: 1_000 };

test('a change without an answer counts for its key, for what it expects there, and for a while', async () => {
  const clock = new ManualClock();
  const changes = new UnresolvedChanges(clock, settings);
  expect(changes.mayStillChange('k', 'absent')).toBe(false);
  changes.add('k', { etag: 'one' });
  changes.add('new', 'absent');
  changes.add('any', 'anything');
  const seen = () =>
    [
      changes.mayStillChange('k', { etag: 'one' }),
      changes.mayStillChange('k', { etag: 'two' }),
      changes.mayStillChange('k', 'absent'),
      changes.mayStillChange('new', 'absent'),
      changes.mayStillChange('new', { etag: 'one' }),
      changes.mayStillChange('any', 'absent'),
      changes.mayStillChange('any', { etag: 'one' }),
      changes.mayStillChange('other', 'absent'),
    ].map(Number);
  expect(seen()).toEqual([1, 0, 0, 1, 0, 1, 1, 0]);
  await clock.pass(999);
  // The same again counts from now on.
  changes.add('new', 'absent');
  await clock.pass(1);
  expect(seen()).toEqual([0, 0, 0, 1, 0, 0, 0, 0]);
  await clock.pass(999);
  expect(seen()).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});

test('only what replaces anything holds up what comes later', async () => {
  const clock = new ManualClock();
  const changes = new UnresolvedChanges(clock, settings);
  changes.add('k', { etag: 'one' });
  await changes.settled('k', undefined);
  changes.add('k', 'anything');
  let over = false;
  const waited = changes.settled('k', undefined).then(() => {
    over = true;
  });
  await clock.pass(600);
  // Another one meanwhile makes the wait longer.
  changes.add('k', 'anything');
  await clock.pass(999);
  expect(over).toBe(false);
  await clock.pass(1);
  await turn();
  expect(over).toBe(true);
  await waited;
});

test('more of them than are told apart count for every key, so that none is forgotten', async () => {
  const clock = new ManualClock();
  const changes = new UnresolvedChanges(clock, settings);
  for (let i = 0; i < 10_000; i++) changes.add(`k${i}`, 'absent');
  expect(changes.mayStillChange('other', 'absent')).toBe(false);
  await clock.pass(500);
  changes.add('one more', 'absent');
  expect(changes.mayStillChange('k0', 'absent')).toBe(true);
  expect(changes.mayStillChange('other', 'absent')).toBe(true);
  await clock.pass(500);
  expect(changes.mayStillChange('other', 'absent')).toBe(false);
  expect(changes.mayStillChange('one more', 'absent')).toBe(true);
});
