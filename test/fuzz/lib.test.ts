import { describe, expect, test } from '@jest/globals';
import { drawSequence } from '../../fuzz/differential/draw-sequence.ts';
import { caseSeed, Draws } from '../../fuzz/lib/draws.ts';
import { mutate, slices } from '../../fuzz/lib/mutate.ts';
import { shrinkList } from '../../fuzz/lib/shrink.ts';
import { modelPage, modelUploads } from '../../fuzz/lists/list-model.ts';
import { readAnswers } from '../../fuzz/wire/answers.ts';

test('a seed draws the same each time, and another seed something else', () => {
  const settings = {
    keys: ['a', 'b', 'c', 'd'],
    ownBuckets: true,
    settings: false,
    without: new Set<string>(),
  };
  const drawn = (seed: number) => JSON.stringify(drawSequence(new Draws(seed), 30, settings));
  expect(drawn(7)).toBe(drawn(7));
  expect(drawn(7)).not.toBe(drawn(8));
  const seeds = Array.from({ length: 1000 }, (_, index) => caseSeed(1, index));
  expect(new Set(seeds).size).toBe(1000);
});

test('draws are spread as their weights say', () => {
  const draws = new Draws(1);
  const counts = { often: 0, seldom: 0 };
  for (let count = 0; count < 10_000; count++) {
    counts[
      draws.weighted([
        [9, 'often'],
        [1, 'seldom'],
      ] as const)
    ]++;
  }
  expect(counts.often).toBeGreaterThan(8_800);
  expect(counts.seldom).toBeGreaterThan(800);
});

test('a list is shrunk to what a failure needs, and no further than it was allowed to try', async () => {
  const items = Array.from({ length: 30 }, (_, index) => index);
  const needs = async (fewer: readonly number[]) => fewer.includes(3) && fewer.includes(17);
  expect(await shrinkList(items, needs)).toEqual([3, 17]);
  let tries = 0;
  await shrinkList(items, async () => ++tries > 1_000, 10);
  expect(tries).toBe(10);
});

test('bytes are changed, and pieces of them are all of them', () => {
  const draws = new Draws(3);
  const bytes = Buffer.from('some bytes that are to be changed');
  let changed = 0;
  for (let count = 0; count < 200; count++) {
    if (!mutate(draws, bytes).equals(bytes)) changed++;
    expect(Buffer.concat(slices(draws, bytes)).equals(bytes)).toBe(true);
  }
  // A few changes undo each other.
  expect(changed).toBeGreaterThan(180);
  expect(bytes.toString()).toBe('some bytes that are to be changed');
});

describe('the model of lists', () => {
  const keys = ['b/2', 'a', 'b/1', 'c', 'ä'];

  test('folds, orders by bytes, and goes on behind a key or a common prefix', () => {
    const query = { prefix: '', delimiter: '/', after: '', limit: 2 };
    expect(modelPage(keys, query)).toEqual({ keys: ['a'], prefixes: ['b/'], truncated: true, next: 'b/' });
    expect(modelPage(keys, { ...query, after: 'b/' })).toEqual({
      keys: ['c', 'ä'],
      prefixes: [],
      truncated: false,
    });
    expect(modelPage(keys, { ...query, prefix: 'b/', after: 'b/1' }).keys).toEqual(['b/2']);
    expect(modelPage(keys, { ...query, limit: 0 })).toEqual({ keys: [], prefixes: [], truncated: false });
  });

  test('keeps uploads of one key in their order', () => {
    const uploads = [
      { key: 'b', id: '1' },
      { key: 'a', id: '9' },
      { key: 'b', id: '0' },
    ];
    const first = modelUploads(uploads, { prefix: '', limit: 2 });
    expect(first).toEqual({ page: [uploads[1], uploads[0]], truncated: true });
    expect(modelUploads(uploads, { prefix: '', after: uploads[0], limit: 2 }).page).toEqual([uploads[2]]);
  });
});

describe('what a connection received', () => {
  test('is read as whole answers', () => {
    const text =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' +
      'HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n';
    expect(readAnswers(text)).toEqual({
      answers: [
        { status: 200, body: 'ok' },
        { status: 400, body: 'bad' },
      ],
    });
  });

  test.each([
    ['an answer that ends early', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok'],
    ['a head without end', 'HTTP/1.1 200 OK\r\nContent-Length: 3'],
    ['a status line that is none', 'HTTP/1.1 OK\r\n\r\n'],
    ['a chunk that ends early', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
  ])('is no sequence of answers with %s', (_, text) => {
    expect(readAnswers(text).problem).toBeDefined();
  });
});
