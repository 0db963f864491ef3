import { beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import type { CoordStore } from '../../src/coord/store.ts';
import { BucketStore } from '../../src/mounts/bucket-store.ts';
import type { BucketRecord } from '../../src/mounts/mount.ts';

let store: CoordStore;
let buckets: BucketStore;

beforeEach(async () => {
  store = createMemoryStore(systemClock, systemRandom);
  buckets = await BucketStore.open(systemClock, systemRandom, store);
  await buckets.create({ name: 'one', owner: 'ada', kind: 'root' });
});

const present = () => buckets.get('one') as BucketRecord;

describe('changing a bucket', () => {
  test('leaves what was not changed, and is seen when it returns, by others too', async () => {
    const others = await BucketStore.open(systemClock, systemRandom, store);
    const before = present();
    expect(await buckets.change(before, (record) => ({ ...record, access: { policy: '{}' } }))).toBe(true);
    expect(present()).toEqual({ ...before, access: { policy: '{}' } });
    expect(others.get('one')).toEqual(present());
  });

  test('at the same moment loses none of the changes', async () => {
    const record = present();
    const others = await BucketStore.open(systemClock, systemRandom, store);
    const add = (where: BucketStore, id: string) =>
      where.change(record, (now) => ({
        ...now,
        access: { policy: `${now.access?.policy ?? ''}${id}` },
      }));
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(ids.map((id, index) => add(index % 2 === 0 ? buckets : others, id)));
    expect([...(present().access?.policy ?? '')].sort()).toEqual(ids);
  });

  test('is refused where the bucket was deleted, or created again, meanwhile', async () => {
    const former = present();
    await buckets.delete(former);
    expect(await buckets.change(former, (record) => record)).toBe(false);
    await buckets.create({ name: 'one', owner: 'eve', kind: 'root' });
    expect(await buckets.change(former, (record) => ({ ...record, owner: 'ada' }))).toBe(false);
    expect(present().owner).toBe('eve');
  });

  test('that throws changes nothing', async () => {
    const before = present();
    const refused = buckets.change(before, () => {
      throw new Error('no');
    });
    await expect(refused).rejects.toThrow('no');
    expect(present()).toEqual(before);
  });
});
