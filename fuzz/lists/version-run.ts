import { Draws } from '../lib/draws.ts';
import type { FuzzRun, Violation } from '../lib/fuzzer.ts';
import type { Answer, S3Side } from '../lib/s3-side.ts';
import { at, readXml, textAt, type XmlTree } from '../lib/xml-tree.ts';
import { drawKey } from './draw-lists.ts';
import { decodeListed } from './list-answers.ts';
import { byteOrder } from './list-model.ts';

interface Version {
  readonly key: string;
  readonly id: string;
  readonly isMarker: boolean;
}

interface ListedVersion extends Version {
  readonly isLatest: boolean;
}

const queriesOfCase = 6;
const mostPages = 60;

/** What is put and deleted in a bucket with versioning, and lists of all versions, page by page, beside a model. */
export class VersionRun implements FuzzRun {
  readonly #side: S3Side;
  readonly #bucket: string;
  readonly #end: () => Promise<void>;
  #pages = 0;

  constructor(side: S3Side, bucket: string, end: () => Promise<void>) {
    this.#side = side;
    this.#bucket = bucket;
    this.#end = end;
  }

  async tryCase(seed: number): Promise<Violation | undefined> {
    const draws = new Draws(seed);
    const keys = [...new Set(draws.list(1 + draws.below(5), () => drawKey(draws)))];
    const versions: Version[] = [];
    for (let count = draws.below(12); count > 0; count--)
      versions.push(await this.#change(draws, draws.pick(keys)));
    // Some are taken out of the middle, so that others become the latest.
    for (const version of draws.shuffled(versions).slice(0, draws.below(3))) {
      await this.#remove(version);
      versions.splice(versions.indexOf(version), 1);
    }
    let found: Violation | undefined;
    for (let count = 0; count < queriesOfCase && found === undefined; count++) {
      const prefix = draws.chance(0.5) ? '' : (Array.from(draws.pick(keys))[0] ?? '');
      const limit = 1 + draws.below(4);
      const what = await this.#problem(versions, prefix, limit);
      if (what !== undefined) found = { what, input: JSON.stringify({ versions, prefix, limit }) };
    }
    for (const version of versions) await this.#remove(version);
    return found;
  }

  summary(): readonly string[] {
    return [`${this.#pages} pages of versions`];
  }

  async close(): Promise<void> {
    this.#side.close();
    await this.#end();
  }

  async #change(draws: Draws, key: string): Promise<Version> {
    const isMarker = draws.chance(0.3);
    const { status, headers } = await this.#send(isMarker ? 'DELETE' : 'PUT', key, []);
    const id = headers['x-amz-version-id'];
    if (status !== (isMarker ? 204 : 200) || id === undefined)
      throw new Error(`${key}: ${status}, version ${id}`);
    if (isMarker && headers['x-amz-delete-marker'] !== 'true') throw new Error(`${key}: no delete marker`);
    return { key, id, isMarker };
  }

  async #remove({ key, id }: Version): Promise<void> {
    const { status } = await this.#send('DELETE', key, [['versionId', id]]);
    if (status !== 204) throw new Error(`version ${id} of ${key} is not deleted: ${status}`);
  }

  #send(method: string, key: string | undefined, query: [string, string][]): Promise<Answer> {
    return this.#side.send({ method, path: `/${this.#bucket}${key === undefined ? '' : `/${key}`}`, query });
  }

  async #problem(versions: readonly Version[], prefix: string, limit: number): Promise<string | undefined> {
    const wanted = modelVersions(versions).filter(({ key }) => key.startsWith(prefix));
    const listed: ListedVersion[] = [];
    let marker: Version | undefined;
    for (let count = 0; count < mostPages; count++) {
      this.#pages++;
      const query: [string, string][] = [
        ['versions', ''],
        ['max-keys', String(limit)],
        ['encoding-type', 'url'],
      ];
      if (prefix !== '') query.push(['prefix', prefix]);
      if (marker !== undefined) query.push(['key-marker', marker.key], ['version-id-marker', marker.id]);
      const { page, truncated } = readVersions(await this.#send('GET', undefined, query));
      listed.push(...page);
      marker = page.at(-1);
      const isLast = listed.length >= wanted.length;
      if (truncated === isLast || page.length > limit)
        return `page ${count + 1}: ${page.length} versions, truncated ${truncated}`;
      if (!truncated) break;
    }
    return JSON.stringify(listed) === JSON.stringify(wanted)
      ? undefined
      : `${JSON.stringify(listed)}, not ${JSON.stringify(wanted)}`;
  }
}

/** By key, those of one key the newest first (S3 API Reference, ListObjectVersions). */
function modelVersions(versions: readonly Version[]): readonly ListedVersion[] {
  const sorted = versions.toReversed().toSorted((a, b) => byteOrder(a.key, b.key));
  return sorted.map((version, index) => ({ ...version, isLatest: sorted[index - 1]?.key !== version.key }));
}

function readVersions(answer: Answer): { page: readonly ListedVersion[]; truncated: boolean } {
  const list = at(readXml(answer.body.toString('utf8')), 'ListVersionsResult');
  if (answer.status !== 200 || list === undefined || typeof list === 'string') {
    throw new Error(`${answer.status} ${answer.body.toString('utf8', 0, 500)}`);
  }
  const page = list.flatMap(([name, value]) =>
    name === 'Version' || name === 'DeleteMarker' ? [read(name, value)] : [],
  );
  return { page, truncated: textAt(list, 'IsTruncated') === 'true' };
}

function read(name: string, value: XmlTree): ListedVersion {
  return {
    key: decodeListed(textAt(value, 'Key') ?? ''),
    id: textAt(value, 'VersionId') ?? '',
    isMarker: name === 'DeleteMarker',
    isLatest: textAt(value, 'IsLatest') === 'true',
  };
}
