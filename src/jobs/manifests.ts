import { compareUtf8 } from '../common/utf8-order.ts';
import type { CoordStore } from '../coord/store.ts';
import { JobError } from './job-error.ts';
import type { JobObject } from './job-objects.ts';
import type { Manifest } from './job-record.ts';

/** Keys of one list, and lists of one job. */
export const maxListKeys = 500;
const maxLists = 400;
const prefix = 'job/manifests/';

/** Keys that were given one by one, in order, in lists in the coordination store. Rejects with `CoordError`. */
export class Manifests {
  readonly #store: CoordStore;

  constructor(store: CoordStore) {
    this.#store = store;
  }

  /**
   * What the manifest is with one list more, which is written first. Kinds: invalid, limit, conflict.
   */
  async add(before: Manifest, keys: readonly string[]): Promise<Manifest> {
    if (before.lists === maxLists)
      throw new JobError('limit', `a job takes at most ${maxLists * maxListKeys} keys one by one`);
    let { last } = before;
    for (const key of keys) {
      if (last !== undefined && compareUtf8(key, last) <= 0)
        throw new JobError('invalid', `keys come in order and once each: ${JSON.stringify(key)} does not`);
      last = key;
    }
    const name = listKey(before.of, before.lists);
    const value = JSON.stringify(keys);
    // One that was written and not told of has the same keys.
    if (!(await this.#store.putIf(name, value, 'absent')) && (await this.#store.get(name))?.value !== value)
      throw new JobError('conflict', 'somebody else gives keys to this job, too');
    return { ...before, lists: before.lists + 1, objects: before.objects + keys.length, last };
  }

  /** The keys that come after one, as many as one list has of them at most. Kinds: not-found. */
  async after(
    { of, lists }: Manifest,
    key: string | undefined,
    limit: number,
  ): Promise<{ readonly objects: readonly JobObject[]; readonly goesOn: boolean }> {
    let low = 0;
    let high = lists;
    let found: readonly string[] = [];
    // The first list that goes beyond the key.
    while (low < high) {
      const middle = key === undefined ? 0 : (low + high) >> 1;
      const keys = await this.#read(of, middle);
      if (key === undefined || compareUtf8(keys.at(-1) ?? '', key) > 0) {
        high = middle;
        found = keys;
      } else low = middle + 1;
    }
    const behind = found.filter((one) => key === undefined || compareUtf8(one, key) > 0);
    const objects = behind.slice(0, limit).map((one) => ({ key: one, sizeBytes: 0 }));
    return { objects, goesOn: low < lists - 1 || objects.length < behind.length };
  }

  async remove({ of, lists }: Manifest): Promise<void> {
    for (let number = 0; number < lists; number++) await this.#store.deleteIf(listKey(of, number), 'any');
  }

  async #read(of: string, number: number): Promise<readonly string[]> {
    const entry = await this.#store.get(listKey(of, number));
    if (!entry) throw new JobError('not-found', 'the keys that were given are not there any more');
    return JSON.parse(entry.value) as string[];
  }
}

function listKey(of: string, number: number): string {
  return `${prefix}${of}/${String(number).padStart(9, '0')}`;
}
