import { isDeepStrictEqual } from 'node:util';
import type { Tag } from '../common/object-meta.ts';
import { PlainBody } from './plain-body.ts';
import type { S3Parts } from './s3.ts';
import type { ProbeCalls } from './s3-probe-calls.ts';

const given: readonly Tag[] = [
  { key: 'forebay', value: 'tried: found' },
  { key: 'empty', value: '' },
];
const later: readonly Tag[] = [{ key: 'later', value: 'ä=+/:@' }];

/**
 * Whether tags that come with an object are kept with it, told in number by HEAD, taken along by a copy, and changed without making
 * another version. `names` are keys of the probe's own.
 */
export async function keepsTags(
  { writer, reader, tags }: S3Parts,
  calls: ProbeCalls,
  names: { readonly tagged: string; readonly copied: string },
): Promise<boolean> {
  const { tagged, copied } = names;
  const about = { headers: {}, userMetadata: {} };
  await calls.ask((signal) =>
    writer.putUnasked(tagged, PlainBody.of(Buffer.from('tagged')), { ...about, tags: given, signal }),
  );
  const made = await calls.ask((signal) => reader.head(tagged, { signal }));
  if (!(await holds(tagged, given)) || made.tagCount !== given.length) return false;
  const from = { sourceGeneration: made.generation };
  await calls.ask((signal) => writer.copyUnasked(tagged, made, copied, { ...from, signal }));
  if (!(await holds(copied, given))) return false;
  await calls.ask((signal) => tags.put(tagged, later, { signal }));
  const { generation } = await calls.ask((signal) => reader.head(tagged, { signal }));
  if (generation !== made.generation || !(await holds(tagged, later))) return false;
  await calls.ask((signal) => writer.copyUnasked(tagged, made, copied, { ...from, tags: later, signal }));
  return holds(copied, later);

  async function holds(key: string, wanted: readonly Tag[]): Promise<boolean> {
    const found = await calls.ask((signal) => tags.get(key, { signal }));
    return isDeepStrictEqual(found.toSorted(byKey), wanted.toSorted(byKey));
  }
}

function byKey(a: Tag, b: Tag): number {
  return a.key < b.key ? -1 : 1;
}
