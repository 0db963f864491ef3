import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { systemClock } from '../../src/common/clock.ts';
import { systemRandom } from '../../src/common/random.ts';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import { type ListSource, listMerged } from '../../src/gateway/list-merge.ts';
import { MountTable } from '../../src/mounts/mount-table.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { PlainBody } from '../../src/ufs/plain-body.ts';
import { mountOf } from './mount-of.ts';

const bucket = 'bucket';
const segment = fc.constantFrom('a', 'b', '-', '0', 'ab', 'é', '\u{1F600}', '\uFFFD', '\u{10FFFF}');
const key = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .chain((parts) => fc.constantFrom('/', '').map((joint) => parts.join(joint)));
const prefixes = fc.uniqueArray(
  fc.array(segment, { minLength: 1, maxLength: 2 }).map((parts) => `${parts.join('/')}/`),
  { maxLength: 3 },
);

async function* oneByte() {
  yield Buffer.from('x');
}

/** What S3 would list of these keys, computed the plain way. */
function model(keys: readonly string[], prefix: string, delimiter: string | undefined): string[] {
  const shown = new Set<string>();
  for (const one of keys) {
    if (!one.startsWith(prefix)) continue;
    const at = delimiter === undefined ? -1 : one.indexOf(delimiter, prefix.length);
    shown.add(at < 0 ? one : one.slice(0, at + (delimiter ?? '').length));
  }
  return [...shown].sort(compareUtf8);
}

test('lists over nested mounts show each visible key once, whatever the page size, prefix and delimiter', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { maxLength: 25 }),
      fc.uniqueArray(key, { maxLength: 8 }),
      prefixes,
      fc.oneof(fc.constant(''), key),
      fc.constantFrom(undefined, '/', 'a', '/a', 'b/'),
      fc.integer({ min: 1, max: 7 }),
      async (keys, shadowed, nested, prefix, delimiter, limit) => {
        const mounts = nested.map((mountPrefix) => mountOf(bucket, mountPrefix));
        const table = new MountTable(mounts);
        const backends = new Map(
          [...mounts, 'root' as const].map((mount) => [mount, new MemoryBackend(systemClock, systemRandom)]),
        );
        const put = (backend: MemoryBackend | undefined, path: string) =>
          backend?.put(path, new PlainBody(oneByte(), 1), { headers: {}, userMetadata: {} });
        for (const one of keys) {
          const { mount, path } = table.resolve(bucket, one);
          await put(backends.get(mount), path);
        }
        // What the root holds below a nested mount is hidden by it.
        for (const one of shadowed) {
          if (table.resolve(bucket, one).mount !== 'root')
            await put(backends.get('root'), `${bucket}/${one}`);
        }
        const sources = table
          .rangesFor(bucket, prefix)
          .map((range): ListSource => ({ ...range, backend: backends.get(range.mount) as MemoryBackend }));
        const listed: string[] = [];
        let after: string | undefined;
        for (;;) {
          const page = await listMerged(sources, { prefix, delimiter, after, limit });
          listed.push(...page.entries.map((entry) => entry.key));
          if (!page.truncated) break;
          expect(page.entries).toHaveLength(limit);
          after = listed.at(-1);
        }
        expect(listed).toEqual(model(keys, prefix, delimiter));
      },
    ),
    { numRuns: 300 },
  );
});

test('a page that a source fills by itself asks it once', async () => {
  const backend = new MemoryBackend(systemClock, systemRandom);
  const names = Array.from({ length: 2_500 }, (_, i) => `key-${String(i).padStart(4, '0')}`);
  for (const name of names)
    await backend.put(name, new PlainBody(oneByte(), 1), { headers: {}, userMetadata: {} });
  let asked = 0;
  const list: ListSource['backend']['list'] = (options) => {
    asked++;
    return backend.list(options);
  };
  const source = { backend: { list }, bucketPrefix: '', pathPrefix: '', hidden: [] };
  const found: string[] = [];
  let pages = 0;
  for (let truncated = true; truncated; pages++) {
    const page = await listMerged([source], { prefix: '', after: found.at(-1), limit: 1_000 });
    found.push(...page.entries.map((entry) => entry.key));
    truncated = page.truncated;
  }
  expect([found, pages, asked]).toEqual([names, 3, 3]);
});
