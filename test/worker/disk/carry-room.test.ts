import { expect, test } from '@jest/globals';
import { carryRoom, longLogBytes } from '../../../src/worker/disk/carry-room.ts';
import { newRegion, Regions } from '../../../src/worker/disk/regions.ts';

const MiB = 1024 * 1024;
const settings = {
  directory: 0,
  path: '/pages',
  capacityBytes: 320 * MiB,
  storeBytes: 320 * MiB,
  regionBytes: 10 * MiB,
  minFreeBytes: 0,
  unsyncedBytes: MiB,
  bypassMs: 0,
};

/** Regions of which one has an index of so many bytes. */
function regionsWith(indexBytes: number): Regions {
  const regions = new Regions();
  const region = newRegion(1, 'small', Buffer.alloc(16), { state: 'open', file: undefined, fileBytes: 0 });
  regions.add(region);
  regions.grow(region, 9 * MiB, indexBytes - region.indexBytes);
  return regions;
}

test('a region finds room with its index, which may be cut in two, and so does a record that is longer', () => {
  const logBytes = longLogBytes(settings);
  const [small, large] = [1_000, 2 * MiB].map((indexBytes) =>
    carryRoom(4096, logBytes, regionsWith(indexBytes), settings),
  ) as [number, number];
  expect(small).toBeGreaterThanOrEqual(10 * MiB + 2 * 1_000);
  expect(large - small).toBe(2 * (2 * MiB - 1_000));
  expect(carryRoom(30 * MiB, logBytes, regionsWith(1_000), settings) - small).toBe(20 * MiB);
});

test('the largest index that there was counts, also when its region has gone', () => {
  const regions = regionsWith(MiB);
  const before = carryRoom(4096, 0, regions, settings);
  for (const region of regions.all()) regions.delete(region);
  expect(carryRoom(4096, 0, regions, settings)).toBe(before);
});

test('the log has room, twice, to grow as long as it may be', () => {
  const regions = regionsWith(1_000);
  const longest = longLogBytes(settings);
  expect(longest).toBe(MiB);
  const room = [0, MiB / 2, MiB, 2 * MiB].map((logBytes) => carryRoom(4096, logBytes, regions, settings));
  expect(room.map((bytes) => bytes - (room[2] as number))).toEqual([2 * MiB, MiB, 0, 0]);
});
