import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import type { ListEntry, ListPage } from '../../src/ufs/backend.ts';
import { ArrayCursor, groupPage } from '../../src/ufs/grouping.ts';
import { openS3Backend, type S3Backend } from '../../src/ufs/s3.ts';
import { listGrouped } from '../../src/ufs/s3-grouped-list.ts';
import { kindOf } from '../contracts/backend.ts';
import { credentials } from '../gateway/memory-node.ts';

let server: Server | undefined;
let backend: S3Backend | undefined;
afterEach(async () => {
  await backend?.close();
  server?.closeAllConnections();
  server?.close();
});

const about = { sizeBytes: 1, etag: 'x', lastModifiedMs: 0 };
const listed = (keys: readonly string[]): ListEntry[] =>
  [...new Set(keys)].sort(compareUtf8).map((key) => ({ kind: 'object', key, ...about }));

function plainPage(entries: readonly ListEntry[], after: string | undefined, limit: number): ListPage {
  const behind = entries.filter(({ key }) => after === undefined || compareUtf8(key, after) > 0);
  return { entries: behind.slice(0, limit), truncated: behind.length > limit };
}

const text = fc
  .array(fc.constantFrom('a', 'b', '/', '-', '\0', '\u0001', '\ud7ff', '\ue000', '😀', '\u{10ffff}'), {
    maxLength: 4,
  })
  .map((pieces) => pieces.join(''));

test('a list made of lists without delimiter is the list with one, whatever the size of their pages', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { maxLength: 25 }),
      text,
      fc.constantFrom('a', '-', '//', '\0', '\u{10ffff}'),
      fc.option(text, { nil: undefined }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      async (keys, prefix, delimiter, after, limit, pageSize) => {
        const entries = listed(keys);
        const options = { prefix, delimiter, after, limit };
        const below = entries.filter(({ key }) => key.startsWith(prefix));
        const page = await listGrouped(options, async (from) => plainPage(below, from, pageSize));
        expect(page).toEqual(await groupPage(new ArrayCursor(entries), options));
      },
    ),
    { numRuns: 3_000 },
  );
});

/** A storage that takes no delimiter but a slash, and says so with `code`. */
async function serve(keys: readonly string[], code: string, status: number): Promise<string[]> {
  const asked: string[] = [];
  const entries = listed(keys);
  server = createServer((req, res) => {
    const query = new URL(req.url ?? '', 'http://under').searchParams;
    const delimiter = query.get('delimiter') ?? '';
    asked.push(delimiter);
    const head = { 'content-type': 'application/xml' };
    if (delimiter !== '' && delimiter !== '/') {
      res.writeHead(status, head).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`);
      return;
    }
    const page = plainPage(entries, query.get('start-after') ?? undefined, 1000);
    const contents = page.entries.map(
      ({ key }) =>
        `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>1</Size></Contents>`,
    );
    const end = '<IsTruncated>false</IsTruncated>';
    res.writeHead(200, head).end(`<ListBucketResult>${contents.join('')}${end}</ListBucketResult>`);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  backend = openS3Backend(systemClock, systemRandom, { uri: 's3://under/', endpoint, credentials });
  return asked;
}

const keys = ['a-1', 'a-2', 'b', 'c-1', 'd'];

test.each([
  ['InvalidRequest', 400],
  ['NotImplemented', 501],
])(
  'a storage that refuses a delimiter with %s is asked without, and never with one again',
  async (code, status) => {
    const asked = await serve(keys, code, status);
    const names = async (limit: number, after?: string) => {
      const page = await backend?.list({ prefix: '', delimiter: '-', limit, after });
      return [page?.entries.map(({ kind, key }) => `${kind} ${key}`), page?.truncated];
    };
    expect(await names(3)).toEqual([['prefix a-', 'object b', 'prefix c-'], true]);
    expect(asked).toEqual(['-', '']);
    expect(await names(3, 'c-')).toEqual([['object d'], false]);
    expect(asked).toEqual(['-', '', '']);
  },
);

test('what is refused with any delimiter is refused', async () => {
  await serve(keys, 'InvalidRequest', 400);
  expect(
    await kindOf(backend?.listUploads({ prefix: '', delimiter: '-', limit: 3 }) as Promise<unknown>),
  ).toBe('not-implemented');
});
