import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MountTable } from '../../src/mounts/mount-table.ts';
import { mountOf } from './mount-of.ts';

const table = new MountTable([
  mountOf('b', ''),
  mountOf('b', 'a/'),
  mountOf('b', 'a/b/c/'),
  mountOf('nested-only', 'x/'),
]);
const where = (bucket: string, key: string) => {
  const { mount, path } = table.resolve(bucket, key);
  return mount === 'root' ? ['root', path] : [mount.incarnation, path];
};

describe('a mount table', () => {
  test.each([
    ['b', 'k', 'b|', 'k'],
    ['b', 'a', 'b|', 'a'],
    ['b', 'ab/k', 'b|', 'ab/k'],
    ['b', 'a/k', 'b|a/', 'k'],
    ['b', 'a/b/k', 'b|a/', 'b/k'],
    ['b', 'a/b/c/k', 'b|a/b/c/', 'k'],
    ['b', 'a/b/c//k', 'b|a/b/c/', '/k'],
    ['b', 'a//b', 'b|a/', '/b'],
    ['b', '/a/k', 'b|', '/a/k'],
    ['b', 'a/', 'b|', 'a/'],
    ['b', 'a/b/c/', 'b|a/', 'b/c/'],
    ['b', '/', 'b|', '/'],
    ['b', '', 'b|', ''],
    ['nested-only', 'x/k', 'nested-only|x/', 'k'],
    ['nested-only', 'y/k', 'root', 'nested-only/y/k'],
    ['other', 'x/k', 'root', 'other/x/k'],
  ])('in %s the key "%s" lies in %s as "%s"', (bucket, key, mount, path) => {
    expect(where(bucket, key)).toEqual([mount, path]);
  });

  test('names the parts of a bucket that a list prefix concerns, and what is hidden in each', () => {
    const parts = (bucket: string, prefix: string) =>
      table.rangesFor(bucket, prefix).map((part) => [part.bucketPrefix, part.pathPrefix, ...part.hidden]);
    expect(parts('b', '')).toEqual([
      ['', '', 'a/', 'a/b/c/'],
      ['a/', '', 'a/b/c/'],
      ['a/b/c/', ''],
    ]);
    expect(parts('b', 'a/b/c/d')).toEqual([['a/b/c/', '']]);
    expect(parts('b', 'z')).toEqual([['', '', 'a/', 'a/b/c/']]);
    expect(parts('nested-only', 'x')).toEqual([
      ['', 'nested-only/', 'x/'],
      ['x/', ''],
    ]);
    expect(parts('other', 'x')).toEqual([['', 'other/']]);
  });

  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '😀'), maxLength: 8 });
  const prefixes = fc.uniqueArray(
    text.map((t) => (t === '' || t.endsWith('/') ? t : `${t}/`)),
    { maxLength: 6 },
  );

  test('resolves every key as trying all mounts would', () => {
    fc.assert(
      fc.property(prefixes, text, (mounted, key) => {
        const holders = mounted.filter(
          (prefix) => prefix === '' || (key.startsWith(prefix) && key !== prefix),
        );
        const longest = holders.sort((a, b) => b.length - a.length)[0];
        const found = new MountTable(mounted.map((prefix) => mountOf('b', prefix))).resolve('b', key);
        if (longest === undefined) expect(found).toEqual({ mount: 'root', path: `b/${key}` });
        else expect(found).toEqual({ mount: mountOf('b', longest), path: key.slice(longest.length) });
      }),
      { numRuns: 2000 },
    );
  });

  test('whatever the mounts, a key is in exactly one visible part of every list prefix that it begins with', () => {
    fc.assert(
      fc.property(prefixes, text, fc.nat(8), (mounted, key, length) => {
        fc.pre(key !== '' && !mounted.includes(key));
        const subject = new MountTable(mounted.map((prefix) => mountOf('b', prefix)));
        const { mount, path } = subject.resolve('b', key);
        const parts = subject
          .rangesFor('b', key.slice(0, length))
          .filter(
            (part) =>
              key.startsWith(part.bucketPrefix) && !part.hidden.some((hidden) => key.startsWith(hidden)),
          );
        expect(parts).toHaveLength(1);
        const part = parts[0];
        expect(part?.mount).toEqual(mount);
        expect((part?.pathPrefix ?? '') + key.slice(part?.bucketPrefix.length)).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });
});
