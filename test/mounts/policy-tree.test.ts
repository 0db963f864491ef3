import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MountTable } from '../../src/mounts/mount-table.ts';
import type { PolicyRow } from '../../src/mounts/policy.ts';
import { PolicyTable } from '../../src/mounts/policy-table.ts';
import { PolicyTree } from '../../src/mounts/policy-tree.ts';
import { mountOf } from './mount-of.ts';

const plain = { keyPrefix: '', pathPrefix: '' };
const row = (prefix: string, fields: Partial<PolicyRow> = {}): PolicyRow => ({
  bucket: 'lake',
  prefix,
  ...fields,
});
const treeOf = (rows: readonly PolicyRow[], base = plain) => new PolicyTree(rows, base, () => undefined);
const folder = fc
  .array(fc.constantFrom('a/', 'b/', 'a', 'é/', '\u{10000}/'), { maxLength: 4 })
  .map((parts) => parts.join(''));
const prefix = folder.map((text) => (text === '' || text.endsWith('/') ? text : `${text}/`));

describe('what holds for a path', () => {
  test('is taken field by field from the longest prefix that sets it', () => {
    const tree = treeOf([
      row('', { ttlMs: 86_400_000, priority: 'low' }),
      row('a/', { pin: true, priority: 'high' }),
      row('a/tmp/', { ttlMs: 1000, pin: false }),
    ]);
    const at = (path: string) => {
      const { ttlMs, isPinned, priority } = tree.of(path) ?? {};
      return [ttlMs, isPinned, priority];
    };
    expect(at('x')).toEqual([86_400_000, false, 'low']);
    expect(at('a/x')).toEqual([86_400_000, true, 'high']);
    expect(at('a/tmp/x')).toEqual([1000, false, 'high']);
    expect(at('a/tmpx')).toEqual([86_400_000, true, 'high']);
    expect(treeOf([row('a/', { pin: true })]).of('b/x')).toBeUndefined();
  });

  test('is that for any prefixes and paths, whatever their letters', () => {
    const property = fc.property(fc.uniqueArray(prefix, { maxLength: 12 }), folder, (prefixes, path) => {
      const rows = prefixes.map((one, index) =>
        row(one, index % 2 === 0 ? { ttlMs: 1000 + index } : { pin: true }),
      );
      const around = rows.filter((one) => path.startsWith(one.prefix));
      const longest = (name: 'ttlMs' | 'pin') =>
        around
          .filter((one) => one[name] !== undefined)
          .sort((a, b) => b.prefix.length - a.prefix.length)[0]?.[name];
      const found = treeOf(rows).of(path);
      expect([found?.ttlMs, found?.isPinned]).toEqual(
        around.length === 0 ? [undefined, undefined] : [longest('ttlMs'), longest('pin') ?? false],
      );
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('is without an end of age where an inner prefix says so', () => {
    const tree = treeOf([row('', { ttlMs: 1000 }), row('kept/', { ttlMs: 0 })]);
    expect([tree.of('x')?.ttlMs, tree.of('kept/x')?.ttlMs]).toEqual([1000, undefined]);
  });
});

describe('what is kept', () => {
  test('goes by patterns, which match what follows their prefix, by sizes and by the rule', () => {
    const tree = treeOf([
      row('', { exclude: ['*.tmp', 'logs/*'] }),
      row('tables/', { include: ['*.parquet', '?.csv'], minSizeBytes: 10, maxSizeBytes: 100 }),
      row('once/', { cache: 'second-read', exclude: [] }),
    ]);
    const keeps = (path: string, size = 50) => tree.of(path)?.keeps(path, size);
    expect(keeps('a/b.tmp')).toBe('never');
    expect(keeps('logs/today')).toBe('never');
    expect(keeps('a/logs/today')).toBe('always');
    expect(
      ['tables/x/y.parquet', 'tables/1.csv', 'tables/12.csv', 'tables/y.tmp'].map((path) => keeps(path)),
    ).toEqual(['always', 'always', 'never', 'never']);
    expect([9, 10, 100, 101].map((size) => keeps('tables/1.csv', size))).toEqual([
      'never',
      'always',
      'always',
      'never',
    ]);
    expect(tree.of('tables/1.csv')?.keeps('tables/1.csv')).toBe('always');
    expect(keeps('once/a.tmp')).toBe('second-read');
    expect(keeps('a/b.tmp\0version.1')).toBe('never');
  });
});

describe('the policies of a bucket', () => {
  const rows = [
    row('', { ttlMs: 5000 }),
    row('in/here/', { pin: true, exclude: ['x*'] }),
    row('in/', { quotaBytes: 100, exclude: ['here/y*'] }),
    row('in/here/too/', { quotaBytes: 10 }),
    { ...row('', { cache: 'never' }), bucket: 'other' },
  ];
  const nested = { ...mountOf('lake', 'in/here/'), incarnation: 'nested' };
  const table = new PolicyTable(rows, new MountTable([nested]), (name) =>
    name === 'lake' ? { incarnation: 'of-lake' } : undefined,
  );

  test('hold for the paths of the root mount and of every mount inside', () => {
    expect(table.of('of-lake', 'lake/in/k')).toMatchObject({
      ttlMs: 5000,
      isPinned: false,
      quota: { name: 'lake/in/', bytes: 100 },
    });
    expect(table.of('nested', 'k')).toMatchObject({
      ttlMs: 5000,
      isPinned: true,
      quota: { name: 'lake/in/' },
    });
    expect(table.of('nested', 'too/k')?.quota).toEqual({
      name: 'lake/in/here/too/',
      bytes: 10,
      outer: { name: 'lake/in/', bytes: 100, outer: undefined },
    });
    expect([table.of('nested', 'xk')?.keeps('xk'), table.of('nested', 'k')?.keeps('k')]).toEqual([
      'never',
      'always',
    ]);
    expect(table.of('elsewhere', 'k')).toBeUndefined();
  });

  test('match patterns with the part of the key that the path of a mount does not have', () => {
    const outer = new PolicyTable(
      [row('in/', { exclude: ['here/y*'] })],
      new MountTable([nested]),
      () => undefined,
    );
    expect(outer.of('nested', 'yk')?.keeps('yk')).toBe('never');
    expect(outer.of('nested', 'k')?.keeps('k')).toBe('always');
  });
});
