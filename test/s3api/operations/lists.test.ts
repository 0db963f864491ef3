import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bucketWith, plainText } from '../support/bucket.ts';
import { foldKeys } from '../support/fold-keys.ts';
import type { MapObjectService } from '../support/map-object-service.ts';
import { type Answer, send } from '../support/send.ts';

// S3 API Reference, ListObjectsV2, "Example 2: keys with a prefix" and its tree of keys.
const keys = [
  'example.txt',
  'photos/2006/January/sample.jpg',
  'photos/2006/February/sample2.jpg',
  'photos/2006/February/sample3.jpg',
  'photos/2006/sample.jpg',
  'sample.html',
];

let service: MapObjectService;
beforeAll(async () => {
  service = await bucketWith(keys);
});

const list = (query: string, from = service) => send(from, 'GET', `/abc?${query}`);

function shown(answer: Answer): { keys: string[]; prefixes: string[] } {
  const texts = (pattern: RegExp) =>
    [...answer.text.matchAll(pattern)].map((match) => plainText(match[1] ?? ''));
  return {
    keys: texts(/<Contents><Key>([^<]*)<\/Key>/g),
    prefixes: texts(/<CommonPrefixes><Prefix>([^<]*)<\/Prefix>/g),
  };
}

describe('ListObjectsV2', () => {
  test('shows keys with what is known of them, and folds the others', async () => {
    const answer = await list('list-type=2&delimiter=/');
    expect(shown(answer)).toEqual({ keys: ['example.txt', 'sample.html'], prefixes: ['photos/'] });
    expect(answer.text).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<ListBucketResult xmlns="http:\/\/s3.amazonaws.com\/doc\/2006-03-01\/"><Name>abc<\/Name><Prefix><\/Prefix><KeyCount>3<\/KeyCount><MaxKeys>1000<\/MaxKeys><Delimiter>\/<\/Delimiter><IsTruncated>false<\/IsTruncated><Contents>/,
    );
    expect(answer.text).toContain(
      '<Contents><Key>example.txt</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>' +
        '<ETag>&quot;31f21d19ac7ddd83a5454a2eca0cc3d6&quot;</ETag><Size>11</Size><StorageClass>STANDARD</StorageClass></Contents>'.replace(
          '31f21d19ac7ddd83a5454a2eca0cc3d6',
          service.stored('abc', 'example.txt')?.meta.etag ?? '',
        ),
    );
  });

  test.each(['/abc', '/abc?list-type=2'])('of %s tells the region', async (target) => {
    const { headers } = await send(service, 'GET', target, { region: 'eu-west-1' });
    expect(headers['x-amz-bucket-region']).toBe('eu-west-1');
  });

  test('keeps to a prefix', async () => {
    const answer = await list('list-type=2&prefix=photos/2006/&delimiter=/');
    expect(shown(answer)).toEqual({
      keys: ['photos/2006/sample.jpg'],
      prefixes: ['photos/2006/February/', 'photos/2006/January/'],
    });
  });

  test('starts behind a key', async () => {
    const answer = await list('list-type=2&start-after=photos/2006/sample.jpg');
    expect(shown(answer).keys).toEqual(['sample.html']);
    expect(answer.element('StartAfter')).toBe('photos/2006/sample.jpg');
  });

  test('a token leads on behind a common prefix, and wins over start-after', async () => {
    const first = await list('list-type=2&delimiter=/&max-keys=2&start-after=a');
    expect(shown(first)).toEqual({ keys: ['example.txt'], prefixes: ['photos/'] });
    expect(first.element('IsTruncated')).toBe('true');
    const token = first.element('NextContinuationToken') ?? '';
    const second = await list(`list-type=2&delimiter=/&max-keys=2&start-after=a&continuation-token=${token}`);
    expect(shown(second)).toEqual({ keys: ['sample.html'], prefixes: [] });
    expect(second.element('ContinuationToken')).toBe(token);
    expect(second.element('NextContinuationToken')).toBeUndefined();
    expect(second.element('IsTruncated')).toBe('false');
  });

  test('shows the owner to who asks', async () => {
    expect((await list('list-type=2')).element('ID')).toBeUndefined();
    expect((await list('list-type=2&fetch-owner=false')).element('ID')).toBeUndefined();
    const { elements } = await list('list-type=2&fetch-owner=true');
    expect(elements('ID')).toEqual(keys.map(() => 'alice'));
  });

  test('gives none when none are wanted, and says that there is no more', async () => {
    const answer = await list('list-type=2&max-keys=0');
    expect(shown(answer)).toEqual({ keys: [], prefixes: [] });
    expect([answer.element('MaxKeys'), answer.element('IsTruncated'), answer.element('KeyCount')]).toEqual([
      '0',
      'false',
      '0',
    ]);
    expect((await send(service, 'GET', '/none?list-type=2&max-keys=0')).element('Code')).toBe('NoSuchBucket');
  });

  test('gives no more than 1,000', async () => {
    const many = await bucketWith(Array.from({ length: 1001 }, (_, i) => `k${i}`));
    const answer = await list('list-type=2&max-keys=5000', many);
    expect(shown(answer).keys).toHaveLength(1000);
    expect([answer.element('MaxKeys'), answer.element('IsTruncated')]).toEqual(['1000', 'true']);
  });

  test.each([
    'list-type=2&max-keys=-1',
    'list-type=2&max-keys=x',
    'list-type=2&max-keys=2147483648',
    'list-type=2&max-keys=1.5',
    'list-type=2&continuation-token=',
    'list-type=2&continuation-token=bad',
    'list-type=2&encoding-type=base64',
    'list-type=2&encoding-type=',
    'list-type=3',
    'max-keys=x',
    'encoding-type=none',
  ])('%s is an invalid argument', async (query) => {
    const answer = await list(query);
    expect([answer.status, answer.element('Code')]).toEqual([400, 'InvalidArgument']);
  });

  test.each([
    ['max-keys=-1', 'maxKeys', 'Argument maxKeys must be an integer between 0 and 2147483647'],
    ['max-keys=x', 'max-keys', 'Provided max-keys not an integer or within integer range'],
    [
      'uploads&max-uploads=-1',
      'max-uploads',
      'Argument max-uploads must be an integer between 0 and 2147483647',
    ],
    ['encoding-type=', 'encoding-type', 'Invalid Encoding Method specified in Request'],
  ])('%s is told to be wrong about %s', async (query, name, message) => {
    const answer = await list(query);
    expect([answer.element('ArgumentName'), answer.element('Message')]).toEqual([name, message]);
  });

  test('parameters without a value are as good as none', async () => {
    const answer = await list('list-type=2&delimiter=&prefix=&start-after=&max-keys=');
    expect(shown(answer).keys).toHaveLength(keys.length);
    for (const name of ['Delimiter', 'StartAfter', 'EncodingType'])
      expect(answer.element(name)).toBeUndefined();
  });
});

describe('ListObjects', () => {
  test('names the next marker with a delimiter only', async () => {
    const folded = await list('delimiter=/&max-keys=2&marker=a');
    expect(shown(folded)).toEqual({ keys: ['example.txt'], prefixes: ['photos/'] });
    expect([folded.element('Marker'), folded.element('NextMarker')]).toEqual(['a', 'photos/']);
    const rest = await list('delimiter=/&marker=photos/');
    expect(shown(rest)).toEqual({ keys: ['sample.html'], prefixes: [] });
    const plain = await list('max-keys=2');
    expect([plain.element('IsTruncated'), plain.element('NextMarker')]).toEqual(['true', undefined]);
  });

  test('always shows owners, and never a count', async () => {
    const answer = await list('');
    expect(answer.elements('ID')).toHaveLength(keys.length);
    expect(answer.element('KeyCount')).toBeUndefined();
  });
});

describe('encoding-type=url', () => {
  const odd = ['a b', 'a+b', 'dir/x(1)', 'new\nline', '\u0001', 'é&<'];

  test('encodes keys and everything that is part of keys', async () => {
    const bucket = await bucketWith(odd);
    const answer = await list('list-type=2&encoding-type=url&delimiter=/&start-after=%00+', bucket);
    expect(shown(answer)).toEqual({
      keys: ['%01', 'a+b', 'a%2Bb', 'new%0Aline', '%C3%A9%26%3C'],
      prefixes: ['dir/'],
    });
    expect([answer.element('EncodingType'), answer.element('StartAfter')]).toEqual(['url', '%00+']);
    const first = await list('encoding-type=url&delimiter=%2B&max-keys=3&marker=%01&prefix=a', bucket);
    expect(shown(first)).toEqual({ keys: ['a+b'], prefixes: ['a%2B'] });
    expect([first.element('Delimiter'), first.element('Marker')]).toEqual(['%2B', '%01']);
  });

  test('without it every key is in the XML, control characters as references', async () => {
    const bucket = await bucketWith(odd);
    const answer = await list('list-type=2', bucket);
    expect(shown(answer).keys).toEqual(['\u0001', 'a b', 'a+b', 'dir/x(1)', 'new\nline', 'é&<']);
    expect(answer.text).toContain('<Key>&#x1;</Key>');
  });
});

describe('page by page', () => {
  const part = fc.constantFrom(
    'a',
    'b',
    '/',
    '//',
    '-',
    'é',
    '😀',
    '\uffee',
    '&',
    '\u0001',
    '+',
    ' ',
    '%2F',
    '~',
    '*',
  );
  const key = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
  const input = fc.record({
    keys: fc.uniqueArray(key, { maxLength: 25 }),
    prefix: fc.constantFrom('', 'a', 'a/', '/'),
    delimiter: fc.constantFrom(undefined, '/', '//', 'b', 'é'),
    limit: fc.integer({ min: 1, max: 4 }),
  });

  const pages = async (from: MapObjectService, query: URLSearchParams, next: (answer: Answer) => void) => {
    const all: { keys: string[]; prefixes: string[] } = { keys: [], prefixes: [] };
    for (let page = 0; page < 60; page++) {
      const answer = await list(query.toString(), from);
      const { keys: pageKeys, prefixes } = shown(answer);
      all.keys.push(...pageKeys);
      all.prefixes.push(...prefixes);
      if (answer.element('IsTruncated') === 'false') return all;
      next(answer);
    }
    throw new Error('the list does not end');
  };

  test('every key and every common prefix appears exactly once, whatever the page size', async () => {
    await fc.assert(
      fc.asyncProperty(input, async ({ keys: stored, prefix, delimiter, limit }) => {
        const bucket = await bucketWith(stored);
        const expected = foldKeys(stored, { prefix, delimiter });
        const whole = {
          keys: expected.filter((entry) => !entry.isPrefix).map((entry) => entry.key),
          prefixes: expected.filter((entry) => entry.isPrefix).map((entry) => entry.key),
        };
        const common = { prefix, 'max-keys': String(limit), ...(delimiter && { delimiter }) };
        const v2 = new URLSearchParams({ ...common, 'list-type': '2' });
        const byToken = (answer: Answer) =>
          v2.set('continuation-token', plainText(answer.element('NextContinuationToken') ?? ''));
        expect(await pages(bucket, v2, byToken)).toEqual(whole);
        const v1 = new URLSearchParams(common);
        const byMarker = (answer: Answer) => {
          const last = answer.element('NextMarker') ?? answer.elements('Key').at(-1);
          v1.set('marker', plainText(last ?? ''));
        };
        expect(await pages(bucket, v1, byMarker)).toEqual(whole);
        // As clients read an encoded list: each name decoded once, with + for a space.
        const decoded = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));
        const encoded = new URLSearchParams({ ...common, 'encoding-type': 'url' });
        const found = await pages(bucket, encoded, (answer) => {
          const last = answer.element('NextMarker') ?? answer.elements('Key').at(-1);
          encoded.set('marker', decoded(last ?? ''));
        });
        expect({ keys: found.keys.map(decoded), prefixes: found.prefixes.map(decoded) }).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });
});
