import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import { ArrayCursor, type Grouping, groupPage, keyBehindPrefix } from '../../src/ufs/grouping.ts';

/** The listing's definition, key by key: fold, drop what is not after `after`, cut. */
function naivePage(keys: readonly string[], { prefix, delimiter, after, limit }: Grouping) {
  const names = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    names.add(at < 0 ? `o${key}` : `p${key.slice(0, at + (delimiter as string).length)}`);
  }
  const all = [...names]
    .map((name) => ({ kind: name.startsWith('o') ? 'object' : 'prefix', key: name.slice(1) }))
    .filter(({ key }) => after === undefined || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  return { entries: all.slice(0, limit), truncated: all.length > limit };
}

const text = fc
  .array(
    fc.constantFrom('a', 'b', '/', '//', '-', '\0', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}'),
    {
      maxLength: 5,
    },
  )
  .map((pieces) => pieces.join(''));

const cursorOver = (keys: readonly string[]) =>
  new ArrayCursor([...new Set(keys)].sort(compareUtf8).map((key) => ({ kind: 'object' as const, key })));

describe('grouping', () => {
  test('a page is what the definition of listing gives, for any keys, prefix, delimiter, marker and limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 25 }),
        text,
        fc.option(text, { nil: undefined }),
        fc.option(text, { nil: undefined }),
        fc.integer({ min: 1, max: 8 }),
        async (keys, prefix, delimiter, after, limit) => {
          const grouping = { prefix, delimiter, after, limit };
          expect(await groupPage(cursorOver(keys), grouping)).toEqual(naivePage(keys, grouping));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('pages put together are the whole list, each entry once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 25 }),
        fc.constantFrom(undefined, '/', 'a', '//'),
        fc.integer({ min: 1, max: 4 }),
        async (keys, delimiter, limit) => {
          const seen: string[] = [];
          let after: string | undefined;
          for (let truncated = true; truncated; ) {
            const page = await groupPage(cursorOver(keys), { prefix: '', delimiter, after, limit });
            seen.push(...page.entries.map((entry) => entry.key));
            after = page.entries.at(-1)?.key;
            truncated = page.truncated;
          }
          const whole = naivePage(keys, { prefix: '', delimiter, limit: 1_000 });
          expect(seen).toEqual(whole.entries.map((entry) => entry.key));
        },
      ),
    );
  });

  test('the key behind a prefix is greater than all keys with it, and no key lies between', () => {
    expect(keyBehindPrefix('a/')).toBe('a0');
    expect(keyBehindPrefix('\ud7ff')).toBe('\ue000');
    expect(keyBehindPrefix('a\u{10ffff}\u{10ffff}')).toBe('b');
    expect(keyBehindPrefix('\u{10ffff}')).toBeUndefined();
    expect(keyBehindPrefix('')).toBeUndefined();
  });
});
