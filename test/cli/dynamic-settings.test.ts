import { beforeEach, describe, expect, test } from '@jest/globals';
import { DynamicSettings, dynamicKeys } from '../../src/cli/dynamic-settings.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { ConfigStore } from '../../src/coord/config-store.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import { until } from '../support/until.ts';

let store: CoordStore;
beforeEach(() => {
  store = createMemoryStore(systemClock, systemRandom);
});

async function nodeWith(environment: Record<string, string> = {}): Promise<DynamicSettings> {
  const { settings } = resolveSettings({ flags: new Map(), environment });
  return new DynamicSettings(settings, await ConfigStore.open(systemClock, store));
}

describe('a setting that is set for all nodes', () => {
  test('goes before what each was started with, on all of them, until it is unset', async () => {
    const [one, two] = [await nodeWith(), await nodeWith({ FOREBAY_CACHE_READ_AHEAD: '3' })];
    const seen: number[] = [];
    two.follow(() => seen.push(two.get('cache.readAhead')));
    await one.set('cache.readAhead', '20');
    await until(() => two.get('cache.readAhead') === 20);
    expect(one.get('cache.readAhead')).toBe(20);
    await one.set('limits.fillMemory', '64MiB');
    await one.unset('cache.readAhead');
    await until(() => two.get('cache.readAhead') === 3);
    expect([one.get('cache.readAhead'), one.get('limits.fillMemory')]).toEqual([8, 64 * 1024 ** 2]);
    expect([seen[0], seen.at(-1), seen.includes(20)]).toEqual([3, 3, true]);
    expect(one.list().filter(({ from }) => from === 'cluster')).toEqual([
      { key: 'limits.fillMemory', value: '64MiB', from: 'cluster' },
    ]);
  });

  test('is what a node goes by that starts later, but not what it cannot read', async () => {
    await (await nodeWith()).set('log.level', 'debug');
    await store.putIf(
      'config/limits.fills',
      JSON.stringify({ key: 'limits.fills', value: 'many' }),
      'absent',
    );
    const later = await nodeWith();
    expect([later.get('log.level'), later.get('limits.fills')]).toEqual(['debug', 256]);
  });

  test('has metadata kept on no node that keeps none', async () => {
    const [one, none] = [await nodeWith(), await nodeWith({ FOREBAY_FRESHNESS_LEASE: '0s' })];
    await one.set('freshness.lease', '1h');
    await until(() => none.list().some(({ from }) => from === 'cluster'));
    expect([one.get('freshness.lease'), none.get('freshness.lease')]).toEqual([3_600_000, 0]);
  });

  test.each([
    [
      's3.port',
      '9100',
      /^s3.port cannot be changed while nodes run: set FOREBAY_S3_PORT or --s3-port on each node/,
    ],
    ['root.secretAccessKey', 'x', /cannot be changed while nodes run/],
    ['limits.fils', '1', /^unknown setting limits.fils.*limits.fills/],
    ['limits.fills', 'many', /^limits.fills must be a whole number from 1 to 100000, not "many"/],
    ['cache.scrub', '-1', /^cache.scrub must be /],
    ['freshness.lease', '0s', /^freshness.lease cannot be 0s for all nodes/],
  ])('%s = %s is refused in words', async (key, value, message) => {
    const node = await nodeWith();
    await expect(node.set(key, value)).rejects.toThrow(message);
    await expect(node.unset('cache.scrub')).rejects.toThrow('cache.scrub is not set for all nodes');
    expect(node.list()).toHaveLength(dynamicKeys.length);
  });
});
