import { describe, expect, test } from '@jest/globals';
import { Folders, folderOf } from '../../../src/worker/disk/folders.ts';
import { PageTableWriter } from '../../../src/worker/disk/page-table-writer.ts';
import { ChangingPolicies } from '../changing-policies.ts';

describe('the folder of a path', () => {
  test.each([
    ['key', ''],
    ['a/b/key', 'a/b/'],
    ['a/b/', 'a/b/'],
    ['a/key\0version/with/slashes', 'a/'],
    ['key\0a/b', ''],
  ])('%j lies in %j', (path, folder) => {
    expect(folderOf(path)).toBe(folder);
  });
});

describe('folders beyond those that are told apart', () => {
  test('are counted together as far as the same policies hold for them, so that what is in force stays exact', () => {
    const policies = ChangingPolicies.of({ 'team/': { quotaBytes: 1_000_000 }, 'team/in/': { pin: true } });
    const folders = new Folders(new PageTableWriter(100, 1), policies, 3);
    const add = (folder: string) => {
      const number = folders.numberOf({ incarnation: 'i', folder });
      folders.count(number, 1, 110, 100);
      return number;
    };
    for (const folder of ['x/', 'y/', 'z/']) add(folder);
    const numbers = ['team/a/b/', 'team/c/', 'team/in/d/', 'other/e/', 'x/'].map(add);
    expect(numbers.map((number) => folders.nameOf(number).folder)).toEqual([
      'team/',
      'team/',
      'team/in/',
      '',
      'x/',
    ]);
    expect(folders.heldBelow('i', 'team/')).toEqual({ pages: 3, bytes: 300 });
    expect(folders.heldBelow('i', '')).toEqual({ pages: 8, bytes: 800 });
    expect(folders.quotaUses().map(({ usedBytes }) => usedBytes)).toEqual([300]);
    expect(folders.pinnedBytes).toBe(110);
    for (const number of numbers) folders.count(number, -1, -110, -100);
    expect([folders.usage, folders.pinnedBytes]).toEqual([{ pages: 3, bytes: 330 }, 0]);
  });
});
