import { describe, expect, test } from '@jest/globals';
import { judgeLog, judgeOrder } from '../../chaos/pending/judge-log.ts';
import type { ChangeKind, LogLine } from '../../chaos/pending/operation-log.ts';

const begin = (change: number, kind: ChangeKind = 'put', key = 'k'): LogLine => ({
  at: 'begin',
  change,
  key,
  kind,
  sizeBytes: 1,
});
const end = (change: number, effect: 'done' | 'none' | 'open' | 'forever'): LogLine => ({
  at: 'end',
  change,
  effect,
});
const did = (change: number, effect: 'done' | 'none' | 'open' | 'forever', kind?: ChangeKind): LogLine[] => [
  begin(change, kind),
  end(change, effect),
];
const seen = (version: number): LogLine => ({ at: 'seen', key: 'k', version, by: 'GET' });
const finally_ = (version: number) => [{ by: 'the storage', versions: new Map([['k', version]]) }];

/** The first thing that is wrong; undefined: nothing. */
function wrong(lines: readonly LogLine[], last: number): string | undefined {
  return judgeLog(lines, finally_(last))[0]?.what;
}

describe('the judgement of what clients wrote down', () => {
  test.each<[string, LogLine[], number]>([
    ['nothing was asked for', [], 0],
    ['the last change that was answered is there', [...did(1, 'done'), ...did(2, 'done')], 2],
    ['a delete that was answered is there', [...did(1, 'done'), ...did(2, 'done', 'delete')], 0],
    ['a change without an answer is not there', [...did(1, 'done'), ...did(2, 'open')], 1],
    ['a change without an answer is there', [...did(1, 'done'), ...did(2, 'open')], 2],
    ['a change that nobody wrote the end of is there', [...did(1, 'done'), begin(2)], 2],
    ['it is there after something older was seen', [...did(1, 'done'), ...did(2, 'open'), seen(1)], 2],
    ['a change that nobody knows the end of comes last', [...did(1, 'forever'), ...did(2, 'done')], 1],
    ['a refused change is not there', [...did(1, 'done'), ...did(2, 'none')], 1],
  ])('nothing is wrong where %s', (_, lines, last) => {
    expect(wrong(lines, last)).toBeUndefined();
  });

  test.each<[string, LogLine[], number]>([
    ['a change that was answered is lost', did(1, 'done'), 0],
    ['an older one is there', [...did(1, 'done'), ...did(2, 'done')], 1],
    ['what was deleted is there', [...did(1, 'done'), ...did(2, 'done', 'delete')], 1],
    ['a refused change is there', [...did(1, 'done'), ...did(2, 'none')], 2],
    ['what was open comes after what was answered later', [...did(1, 'open'), ...did(2, 'done')], 1],
    ['what was seen goes away', [...did(1, 'done'), ...did(2, 'open'), seen(2)], 1],
    ['a read shows what is over', [...did(1, 'done'), ...did(2, 'done'), seen(1)], 2],
    [
      'what was open comes after a later one that was seen',
      [...did(1, 'open'), ...did(2, 'open'), seen(2)],
      1,
    ],
    ['something is made where there is something', [...did(1, 'done'), ...did(2, 'done', 'create')], 2],
    [
      'a create is refused where there is nothing',
      [begin(1, 'create'), { at: 'end', change: 1, effect: 'none', wasPresent: true }],
      0,
    ],
    ['something is there that nobody wrote', [], 7],
  ])('is against it where %s', (_, lines, last) => {
    expect(wrong(lines, last)).toEqual(expect.any(String));
  });

  test('a storage that gets a version twice, or an older one after a newer one, is told', () => {
    const applied = [1, 2, 3].map((version) => ({ key: 'k', version }));
    const [one, two] = applied as [{ key: string; version: number }, { key: string; version: number }];
    expect(judgeOrder(applied, [])).toEqual([]);
    expect(judgeOrder([...applied, { key: 'other', version: 1 }], [])).toEqual([]);
    expect(judgeOrder([one, one], [])).toEqual([expect.stringContaining('twice')]);
    expect(judgeOrder([two, one], [])).toEqual([expect.stringContaining('after version 2')]);
    expect(judgeOrder([two, one], did(1, 'forever'))).toEqual([]);
  });
});
