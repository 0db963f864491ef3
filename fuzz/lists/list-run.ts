import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import type { S3Side } from '../lib/s3-side.ts';
import { shrinkList } from '../lib/shrink.ts';
import { drawKey, drawQuery, type ListQuery } from './draw-lists.ts';
import { type ListedPage, readObjects, readUploads } from './list-answers.ts';
import { type ModelUpload, modelPage, modelUploads } from './list-model.ts';

const queriesOfCase = 15;
/** More pages than any of these lists can have. */
const mostPages = 60;

/** Random keys and uploads in a bucket, and lists of them, page by page, beside the model. */
export class ListRun implements FuzzRun {
  readonly #side: S3Side;
  readonly #bucket: string;
  readonly #end: () => Promise<void>;
  #lists = 0;
  #pages = 0;

  constructor(side: S3Side, bucket: string, end: () => Promise<void>) {
    this.#side = side;
    this.#bucket = bucket;
    this.#end = end;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const draws = new Draws(seed);
    const keys = [...new Set(draws.list(draws.below(14), () => drawKey(draws)))];
    const queries = draws.list(queriesOfCase, () => drawQuery(draws, keys));
    await this.#put(keys);
    for (const query of queries) {
      const what = await this.#problem(keys, query);
      if (what === undefined) continue;
      await this.#remove(keys);
      return this.#shrunk(keys, query, what);
    }
    await this.#remove(keys);
    return this.#tryUploads(draws);
  }

  summary(): readonly string[] {
    return [`${this.#lists} lists in ${this.#pages} pages`];
  }

  async close(): Promise<void> {
    this.#side.close();
    await this.#end();
  }

  async #shrunk(keys: readonly string[], query: ListQuery, found: string): Promise<Violation> {
    let what = found;
    const least = await shrinkList(keys, async (fewer) => {
      await this.#put(fewer);
      const problem = await this.#problem(fewer, query);
      await this.#remove(fewer);
      if (problem !== undefined) what = problem;
      return problem !== undefined;
    });
    return { what, input: JSON.stringify({ keys: least, query }) };
  }

  async #put(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#expect(200, 'PUT', key)));
  }

  async #remove(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#expect(204, 'DELETE', key)));
  }

  async #expect(
    status: number,
    method: string,
    key: string,
    query: [string, string][] = [],
  ): Promise<string> {
    const answer = await this.#side.send({ method, path: `/${this.#bucket}/${key}`, query });
    const body = answer.body.toString('utf8');
    if (answer.status !== status)
      throw new Error(`${method} ${JSON.stringify(key)}: ${answer.status} ${body}`);
    return body;
  }

  /** Goes through all pages of a list. */
  async #problem(keys: readonly string[], query: ListQuery): Promise<string | undefined> {
    this.#lists++;
    let { after } = query;
    let token: string | undefined;
    for (let count = 0; count < mostPages; count++) {
      const page = await this.#page(query, after, token);
      const limit = Math.min(query.limit ?? 1000, 1000);
      const wanted = modelPage(keys, { ...query, after, limit });
      const problem = difference(query, limit, page, wanted, this.#bucket, count === 0);
      if (problem !== undefined) return `page ${count + 1}: ${problem}`;
      if (!wanted.truncated) return undefined;
      after = wanted.next ?? '';
      if (query.version === 2) token = page.next;
    }
    return 'the list has no end';
  }

  async #page(query: ListQuery, after: string, token: string | undefined): Promise<ListedPage> {
    this.#pages++;
    const { version, prefix, delimiter, limit, isUrl } = query;
    const sent: [string, string][] = version === 2 ? [['list-type', '2']] : [];
    if (prefix !== '') sent.push(['prefix', prefix]);
    if (delimiter !== '') sent.push(['delimiter', delimiter]);
    if (limit !== undefined) sent.push(['max-keys', String(limit)]);
    if (isUrl) sent.push(['encoding-type', 'url']);
    if (version === 1 && after !== '') sent.push(['marker', after]);
    if (version === 2 && query.after !== '') sent.push(['start-after', query.after]);
    if (token !== undefined) sent.push(['continuation-token', token]);
    return readObjects(
      await this.#side.send({ method: 'GET', path: `/${this.#bucket}`, query: sent }),
      isUrl,
    );
  }

  async #tryUploads(draws: Draws): Promise<Violation | undefined> {
    const keys = draws.list(draws.below(6), () => drawKey(draws));
    const uploads: ModelUpload[] = [];
    for (const key of keys.flatMap((one) => (draws.chance(0.3) ? [one, one, one] : [one]))) {
      const body = await this.#expect(200, 'POST', key, [['uploads', '']]);
      uploads.push({ key, id: /<UploadId>([^<]+)</.exec(body)?.[1] ?? '' });
    }
    const prefix = draws.chance(0.5) || keys.length === 0 ? '' : draws.pick(keys).slice(0, 1).toWellFormed();
    const limit = 1 + draws.below(4);
    const what = await this.#uploadProblem(uploads, prefix, limit);
    for (const { key, id } of uploads) await this.#expect(204, 'DELETE', key, [['uploadId', id]]);
    return what === undefined
      ? undefined
      : { what, input: JSON.stringify({ keys: uploads.map(({ key }) => key), prefix, limit }) };
  }

  async #uploadProblem(
    uploads: readonly ModelUpload[],
    prefix: string,
    limit: number,
  ): Promise<string | undefined> {
    let after: ModelUpload | undefined;
    for (let count = 0; count < mostPages; count++) {
      const query: [string, string][] = [
        ['uploads', ''],
        ['max-uploads', String(limit)],
        ['encoding-type', 'url'],
      ];
      if (prefix !== '') query.push(['prefix', prefix]);
      if (after !== undefined) query.push(['key-marker', after.key], ['upload-id-marker', after.id]);
      const listed = readUploads(await this.#side.send({ method: 'GET', path: `/${this.#bucket}`, query }));
      const wanted = modelUploads(uploads, { prefix, after, limit });
      const told = { page: listed.page, truncated: listed.truncated };
      if (JSON.stringify(told) !== JSON.stringify(wanted)) {
        return `page ${count + 1} of the uploads is ${JSON.stringify(told)}, not ${JSON.stringify(wanted)}`;
      }
      after = wanted.page.at(-1);
      if (!wanted.truncated) return undefined;
      if (listed.nextKey !== after?.key || listed.nextId !== after?.id)
        return 'the next markers are not the last upload';
    }
    return 'the list of uploads has no end';
  }
}

function difference(
  query: ListQuery,
  limit: number,
  page: ListedPage,
  wanted: ReturnType<typeof modelPage>,
  bucket: string,
  isFirst: boolean,
): string | undefined {
  const needsMarker = query.version === 2 || query.delimiter !== '';
  const told = {
    keys: page.keys,
    prefixes: page.prefixes,
    truncated: page.truncated,
    next: query.version === 1 || page.next === undefined ? page.next : 'a token',
    echo: page.echo,
  };
  const next = wanted.truncated && needsMarker ? (query.version === 2 ? 'a token' : wanted.next) : undefined;
  const echo = {
    Name: bucket,
    Prefix: query.prefix,
    Marker: query.version === 1 ? (isFirst ? query.after : page.echo.Marker) : undefined,
    StartAfter: query.version === 2 && query.after !== '' ? query.after : undefined,
    Delimiter: query.delimiter === '' ? undefined : query.delimiter,
    MaxKeys: String(limit),
    EncodingType: query.isUrl ? 'url' : undefined,
    KeyCount: query.version === 2 ? String(wanted.keys.length + wanted.prefixes.length) : undefined,
  };
  const right = { keys: wanted.keys, prefixes: wanted.prefixes, truncated: wanted.truncated, next, echo };
  if (JSON.stringify(told) === JSON.stringify(right)) return undefined;
  return `\n  ${JSON.stringify(told)}, not\n  ${JSON.stringify(right)}`;
}
