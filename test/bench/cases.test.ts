import { describe, expect, test } from '@jest/globals';
import { bytesOf, cases, chooseCases, quickNames } from '../../bench/lib/cases.ts';
import { parsePeer } from '../../bench/lib/peer.ts';

const namesOf = (list?: string) => chooseCases(list)?.map(({ name }) => name);

describe('cases of the benchmark', () => {
  test('have names of their own, and one bucket holds one set of objects', () => {
    const names = cases.flatMap(({ name, alias }) => [name, ...(alias ? [alias] : [])]);
    expect(new Set(names).size).toBe(names.length);
    const sets = new Set(cases.map(({ dataset }) => JSON.stringify(dataset)));
    expect(new Set(cases.map(({ dataset }) => dataset.bucket)).size).toBe(sets.size);
  });

  test('are chosen by name, by former name, by how names begin, or by a list of these', () => {
    expect(namesOf('hot-4k')).toEqual(['hot-4k']);
    expect(namesOf('get-64m-miss')).toEqual(['cold-64m']);
    expect(namesOf('put,list-1000')).toEqual(['put-4k', 'put-4k-back', 'put-1m', 'list-1000']);
    expect(namesOf(quickNames)).toHaveLength(quickNames.split(',').length);
    expect(namesOf()).toHaveLength(cases.length);
  });

  test('are not chosen by what names none', () => {
    for (const list of ['warm-4k', 'hot-4k,', '']) expect(namesOf(list)).toBeUndefined();
  });

  test('read bytes that tell their place', () => {
    const whole = bytesOf(3, 0, 1000);
    expect(bytesOf(3, 777, 900)).toEqual(whole.subarray(777, 900));
    expect(bytesOf(4, 0, 1000)).not.toEqual(whole);
  });
});

test('a peer is named by its URL and key, and its process if it runs here', () => {
  const peer = { name: 'other', host: '127.0.0.1', port: 9100, accessKeyId: 'ID', secretAccessKey: 'a/b+c=' };
  expect(parsePeer('other=http://127.0.0.1:9100,ID,a/b+c=')).toEqual(peer);
  const { pid } = process;
  expect(parsePeer(`other=http://127.0.0.1:9100/,ID,a/b+c=,${pid}`)).toEqual({ ...peer, pid });
  for (const wrong of [
    'http://127.0.0.1:9100,ID,s',
    'other=127.0.0.1:9100,ID,s',
    'other=http://127.0.0.1:9100,ID',
  ]) {
    expect(typeof parsePeer(wrong)).toBe('string');
  }
  expect(parsePeer('other=http://127.0.0.1:9100,ID,s,4194305')).toContain('no process 4194305');
});
