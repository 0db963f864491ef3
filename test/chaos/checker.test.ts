import { describe, expect, test } from '@jest/globals';
import { checkKey } from '../../chaos/checker/check-key.ts';
import { describeHistory } from '../../chaos/checker/describe-history.ts';
import { readPage } from '../../chaos/checker/list-pages.ts';
import type { KeyHistory, KeyOperation } from '../../chaos/checker/operation.ts';
import { shrinkHistory } from '../../chaos/checker/shrink-history.ts';
import { caseSeed, Draws } from '../../fuzz/lib/draws.ts';
import { canHaveHappened } from './brute-force.ts';
import { drawAnything, drawHistory, historyOf, never, none, put, read, remove } from './histories.ts';

const kindOf = (history: KeyHistory) => checkKey(history)?.kind;
const etag = (of: string): Partial<KeyOperation> => ({ sight: { kind: 'etag', etag: `e${of}` } });
const notEtag = (of: string): Partial<KeyOperation> => ({ sight: { kind: 'not-etag', etag: `e${of}` } });
const present: Partial<KeyOperation> = { sight: { kind: 'present' } };
const create = (version: string) => put(version, { kind: 'absent' });
const replace = (version: string, of: string) => put(version, { kind: 'etag', etag: `e${of}` });

describe('a history is linearizable', () => {
  test.each<[string, Parameters<typeof historyOf>[0]]>([
    ['that is empty', []],
    ['of a key that is never written', [[0, 1, none]]],
    [
      'whose read overlaps a write, either way',
      [
        [0, 9, put('a')],
        [1, 2, none],
        [3, 4, read('a')],
        [5, 6, read('a')],
      ],
    ],
    [
      'of overlapping writes in the order that reads show',
      [
        [0, 9, put('a')],
        [1, 8, put('b')],
        [10, 11, read('a')],
      ],
    ],
    [
      'where an unanswered write was never done',
      [
        [0, 1, put('a')],
        [2, never, put('b')],
        [3, 4, read('a')],
      ],
    ],
    [
      'where an unanswered write was done long afterwards',
      [
        [0, 1, put('a')],
        [2, never, put('b')],
        [3, 4, read('a')],
        [50, 51, put('c')],
        [60, 61, read('b')],
      ],
    ],
    [
      'where an unanswered delete explains that the key is gone',
      [
        [0, 1, put('a')],
        [2, never, remove],
        [3, 4, read('a')],
        [5, 6, none],
      ],
    ],
    [
      'where an unanswered write that nobody saw explains a refusal',
      [
        [0, never, put('a')],
        [2, 3, present],
        [4, 5, notEtag('b')],
        [6, never, remove],
        [8, 9, create('b')],
      ],
    ],
    [
      'of two versions with one ETag',
      [
        [0, 1, put('a')],
        [2, 3, replace('b', 'a')],
        [4, 5, replace('c', 'a')],
      ],
    ],
  ])('%s', (_, rows) => {
    expect(kindOf(historyOf(rows, { a: 'ea', b: rows.length === 3 ? 'ea' : 'eb' }))).toBeUndefined();
  });

  test('where a lease allows the read to be as old as it is', () => {
    const old = { ...read('a'), freshMs: 10 };
    const outside = { ...put('b'), isOutside: true };
    expect(
      kindOf(
        historyOf([
          [0, 1, put('a')],
          [2, 3, outside],
          [12, 13, old],
        ]),
      ),
    ).toBeUndefined();
  });
});

describe('a history is not linearizable', () => {
  test.each<[string, Parameters<typeof historyOf>[0]]>([
    [
      'with a stale read',
      [
        [0, 1, put('a')],
        [2, 3, put('b')],
        [4, 5, read('a')],
      ],
    ],
    [
      'with a lost write',
      [
        [0, 1, put('a')],
        [2, 3, none],
      ],
    ],
    [
      'where a deleted version is there again',
      [
        [0, 1, put('a')],
        [2, 3, remove],
        [4, 5, read('a')],
      ],
    ],
    [
      'where a version goes and comes',
      [
        [0, 1, put('a')],
        [2, 20, put('b')],
        [3, 4, read('b')],
        [5, 6, read('a')],
      ],
    ],
    [
      'where a version is read before it is written',
      [
        [0, 1, put('a')],
        [2, 3, read('b')],
        [4, 5, put('b')],
      ],
    ],
    [
      'where an unanswered write was done twice',
      [
        [0, never, put('a')],
        [2, 3, read('a')],
        [4, 5, put('b')],
        [6, 7, read('b')],
        [8, 9, read('a')],
      ],
    ],
    [
      'where an unanswered delete was done twice',
      [
        [0, never, remove],
        [0, 1, put('a')],
        [2, 3, none],
        [4, 5, put('b')],
        [6, 7, none],
      ],
    ],
    [
      'where two create',
      [
        [0, 1, create('a')],
        [2, 3, create('b')],
      ],
    ],
    [
      'where two replace the same',
      [
        [0, 1, put('a')],
        [2, 9, replace('b', 'a')],
        [3, 8, replace('c', 'a')],
      ],
    ],
    [
      'where a condition fails that holds',
      [
        [0, 1, put('a')],
        [2, 3, notEtag('a')],
      ],
    ],
    [
      'where a create is refused of a key that is absent',
      [
        [0, 1, remove],
        [2, 3, present],
      ],
    ],
    [
      'where a list names an ETag that is gone',
      [
        [0, 1, put('a')],
        [2, 3, put('b')],
        [4, 5, etag('a')],
      ],
    ],
    [
      'where an unanswered write was seen whose condition never held',
      [
        [0, 1, put('a')],
        [2, never, create('b')],
        [3, 4, read('b')],
      ],
    ],
  ])('%s', (_, rows) => {
    expect(kindOf(historyOf(rows))).toBe('not linearizable');
  });

  test('with a version that nobody wrote', () => {
    expect(kindOf(historyOf([[0, 1, read('a')]]))).toBe('a version that nobody wrote');
  });

  test('where a read is older than its lease, or than an own write before it', () => {
    const old = { ...read('a'), freshMs: 10 };
    const outside = { ...put('b'), isOutside: true };
    expect(
      kindOf(
        historyOf([
          [0, 1, put('a')],
          [2, 3, outside],
          [14, 15, old],
        ]),
      ),
    ).toBe('not linearizable');
    expect(
      kindOf(
        historyOf([
          [0, 1, put('a')],
          [2, 3, put('b')],
          [4, 5, old],
        ]),
      ),
    ).toBe('not linearizable');
  });
});

test('short histories are judged as trying every order judges them', () => {
  const judged = { right: 0, wrong: 0 };
  for (let index = 0; index < 6_000; index++) {
    const history = drawAnything(new Draws(caseSeed(1, index)));
    const written = history.operations.flatMap(({ effect }) =>
      effect?.kind === 'put' ? [effect.version] : [],
    );
    const isHeard = history.operations.every(
      ({ sight }) => sight?.kind !== 'version' || written.includes(sight.version),
    );
    const isRight = isHeard && canHaveHappened(history);
    if (isRight) judged.right++;
    else judged.wrong++;
    expect([index, kindOf(history) === undefined]).toEqual([index, isRight]);
  }
  expect(judged.right).toBeGreaterThan(500);
  expect(judged.wrong).toBeGreaterThan(500);
});

test('long histories that happened are linearizable', () => {
  for (let index = 0; index < 20; index++) {
    const history = drawHistory(new Draws(caseSeed(2, index)), {
      operations: 1_000,
      clients: 8,
      unanswered: 5,
    });
    expect([index, kindOf(history)]).toEqual([index, undefined]);
  }
});

/** The history with one read of a version that had been replaced before it began; undefined if there is no such read. */
function withStaleRead(draws: Draws, history: KeyHistory): KeyHistory | undefined {
  const puts = history.operations.filter(({ effect, endMs }) => effect?.kind === 'put' && endMs < never);
  const reads = history.operations.filter(({ effect, sight }) => !effect && sight?.kind === 'version');
  for (const stale of draws.shuffled(reads)) {
    const replacer = puts.filter(({ endMs }) => endMs < stale.startMs).at(-1);
    const replaced = replacer && draws.shuffled(puts).find(({ endMs }) => endMs < replacer.startMs);
    if (replaced?.effect?.kind !== 'put') continue;
    const { version } = replaced.effect;
    const changed = { ...stale, sight: { kind: 'version', version } as const };
    return { ...history, operations: history.operations.map((one) => (one === stale ? changed : one)) };
  }
  return undefined;
}

test('a key that forty writes at once have held up is judged', () => {
  const writes = Array.from({ length: 40 }, (_, i) => [i, 1_000 + i, put(`v${i}`)] as const);
  const sights = [
    [500, 900, read('v3')],
    [901, 950, read('v30')],
    [2_000, 2_001, read('v0')],
  ] as const;
  expect(kindOf(historyOf([...writes, ...sights]))).toBeUndefined();
  expect(kindOf(historyOf([...writes, ...sights, [2_002, 2_003, read('v30')]]))).toBe('not linearizable');
});

test('one stale read among a thousand operations is found, and shrunk to what shows it', () => {
  let tried = 0;
  for (let index = 0; index < 20; index++) {
    const draws = new Draws(caseSeed(3, index));
    const right = drawHistory(draws, { operations: 1_000, clients: 6, unanswered: 5 });
    const wrong = withStaleRead(draws, right);
    if (!wrong) continue;
    tried++;
    expect([index, kindOf(wrong)]).toEqual([index, 'not linearizable']);
    const least = shrinkHistory(wrong);
    expect(kindOf(least)).toBe('not linearizable');
    expect(least.operations.length).toBeLessThan(8);
  }
  expect(tried).toBeGreaterThan(15);
});

test('what is left of a wrong history is what a reader needs', () => {
  const rows: Parameters<typeof historyOf>[0] = [
    [0, 1, put('a')],
    [2, 3, read('a')],
    [4, 5, put('b')],
    [6, 7, { ...read('b'), label: 'GET through 1: b' }],
    [8, 9, { ...read('a'), label: 'GET through 2: a' }],
    [10, 11, put('c')],
    [12, never, put('d')],
  ];
  const least = shrinkHistory(historyOf(rows));
  expect(least.operations.map(({ id }) => id)).toEqual([0, 2, 4]);
  expect(describeHistory(least)).toContain('GET through 2: a');
});

describe('a page of a list', () => {
  const keys = ['l/a', 'l/b', 'l/c', 'l/d'];
  const page = (names: string, more: object = {}) => ({
    prefix: 'l/',
    after: '',
    isTruncated: false,
    keys: [...names].map((name) => ({ key: `l/${name}`, etag: `e${name}` })),
    ...more,
  });
  const said = (names: string, more?: object) =>
    readPage(page(names, more), keys).map(({ key, sight }) => `${key} ${sight.kind}`);

  test('says of each key of its span that it is there or absent', () => {
    expect(said('ac')).toEqual(['l/a etag', 'l/b absent', 'l/c etag', 'l/d absent']);
  });

  test('says nothing of keys before it, or after it if more follow', () => {
    expect(said('bc', { after: 'l/a', isTruncated: true })).toEqual(['l/b etag', 'l/c etag']);
  });

  test.each([
    ['out of order', 'ba', {}],
    ['that names a key twice', 'aa', {}],
    ['that names what was before it', 'a', { after: 'l/b' }],
    ['that names a stranger', 'x', {}],
    ['that goes on without a key', '', { isTruncated: true }],
    ['that names another prefix', 'a', { prefix: 'm/' }],
  ])('is wrong %s', (_, names, more) => {
    expect(() => said(names, more)).toThrow();
  });
});
