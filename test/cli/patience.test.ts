import { expect, test } from '@jest/globals';
import { CommandError } from '../../src/cli/errors.ts';
import { Patience } from '../../src/cli/patience.ts';
import { type Clock, systemClock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { CoordError } from '../../src/coord/store.ts';
import { UfsError } from '../../src/ufs/errors.ts';

const clock: Clock = { ...systemClock, sleep: async () => {} };
const never = new AbortController().signal;

function failing(...errors: Error[]): () => Promise<string> {
  return async () => {
    const error = errors.shift();
    if (error) throw error;
    return 'done';
  };
}

test.each([
  new CoordError('unavailable', 'cannot list etcd: 14 UNAVAILABLE: No connection established'),
  new UfsError('timeout', 'the storage is slow: 3000 ms a call', { backend: 's3://under/' }),
  new UfsError('throttled', 'SlowDown', { backend: 's3://under/' }),
])('what is away or slow is tried again, and told meanwhile: %p', async (error) => {
  const told: (string | undefined)[] = [];
  const patience = new Patience(
    { ...clock, sleep: async () => void told.push(patience.readiness().reasonNotReady) },
    silentLog(),
    never,
  );
  expect(await patience.until('it', failing(error, error))).toBe('done');
  expect(told).toEqual([`waiting for it: ${error.message}`, `waiting for it: ${error.message}`]);
  expect(patience.readiness().reasonNotReady).toBeUndefined();
});

test.each([
  ['cannot read etcd: etcd refuses this user: permission denied', 'FOREBAY_ETCD_USER'],
  [
    'cannot read etcd: 14 UNAVAILABLE: Name resolution failed for target dns:etcd:2379',
    'FOREBAY_ETCD_ENDPOINTS',
  ],
  ['cannot read etcd: 14 UNAVAILABLE: No connection established. Last error: Protocol error', 'no etcd'],
  ['cannot read etcd: unable to verify the first certificate', 'FOREBAY_ETCD_CA_FILE'],
])('what only a person mends ends it, with what to look at: %s', async (message, setting) => {
  const patience = new Patience(clock, silentLog(), never);
  const tried = patience.until('etcd', failing(new CoordError('unavailable', message)));
  await expect(tried).rejects.toThrow(CommandError);
  await expect(tried).rejects.toThrow(setting);
});

test.each([
  new CoordError('corrupt', 'sealed with another key'),
  new UfsError('denied', 'no rights', { backend: 's3://under/' }),
  new UfsError('unavailable', 'no such host', { backend: 's3://under/' }),
  new CommandError('another root mount'),
])('other errors are passed on at once: %p', async (error) => {
  const patience = new Patience(clock, silentLog(), never);
  await expect(patience.until('it', failing(error))).rejects.toBe(error);
});

test('a step that hangs does not keep whoever is asked to end', async () => {
  const stop = new AbortController();
  const patience = new Patience(clock, silentLog(), stop.signal);
  const waiting = patience.until('it', () => new Promise(() => {}));
  stop.abort(new Error('asked to end'));
  await expect(waiting).rejects.toThrow('asked to end');
});
