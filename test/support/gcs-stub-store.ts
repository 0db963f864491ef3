import { createHash } from 'node:crypto';
import { combineCrcs } from '../../src/common/checksum-combine.ts';
import { digestOf } from '../../src/common/checksums.ts';
import { compareUtf8 } from '../../src/common/utf8-order.ts';
import { lowerBound } from '../../src/ufs/grouping.ts';

/** What the stub refuses, with the status and reason of "HTTP status and error codes for JSON". */
export class StubRefusal extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message = reason) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** What a client may say of an object ("Objects", resource representation, writable fields). */
export interface StubAbout {
  readonly storageClass?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly contentDisposition?: string;
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface StubObject extends StubAbout {
  readonly name: string;
  readonly bytes: Buffer;
  readonly generation: bigint;
  readonly metageneration: number;
  readonly timeCreatedMs: number;
  readonly crc32c: string;
  /** Composite objects have none ("Composite objects"). */
  readonly md5Hash?: string;
}

/** Preconditions of a request as it writes them ("Request preconditions"). */
export type Preconditions = Readonly<Record<string, string | undefined>>;

const writable: ReadonlySet<string> = new Set([
  'storageClass',
  'contentType',
  'contentEncoding',
  'contentLanguage',
  'contentDisposition',
  'cacheControl',
  'metadata',
]);
const classes: ReadonlySet<string> = new Set(['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE']);

/** The objects of one bucket, under the rules that Cloud Storage documents and no others. */
export class StubStore {
  readonly objects = new Map<string, StubObject>();
  #lastGeneration = 0n;
  /** All names in order; made anew when there is another. */
  #sorted: readonly string[] | undefined;

  get(name: string, generation: string | undefined, preconditions: Preconditions = {}): StubObject {
    const found = this.objects.get(name);
    const wanted = generation === undefined || found?.generation === BigInt(generation);
    if (!found || !wanted) throw new StubRefusal(404, 'notFound', `No such object: bucket/${name}`);
    checkPreconditions(found, preconditions, 304);
    return found;
  }

  /** Makes an object in one step; `preconditions` are about what it replaces. */
  put(
    name: string,
    about: StubAbout,
    bytes: Buffer,
    preconditions: Preconditions,
    composite = false,
  ): StubObject {
    checkName(name);
    checkAbout(about);
    checkPreconditions(this.objects.get(name), preconditions, 412);
    const nowMs = Date.now();
    const time = BigInt(nowMs) * 1_000n;
    // "Object versioning": a generation is never given twice, and later ones are greater.
    this.#lastGeneration = time > this.#lastGeneration ? time : this.#lastGeneration + 1n;
    const object: StubObject = {
      ...about,
      storageClass: about.storageClass ?? 'STANDARD',
      name,
      bytes,
      generation: this.#lastGeneration,
      metageneration: 1,
      timeCreatedMs: nowMs,
      crc32c: digestOf('CRC32C', bytes).toString('base64'),
      ...(composite ? {} : { md5Hash: createHash('md5').update(bytes).digest('base64') }),
    };
    if (!this.objects.has(name)) this.#sorted = undefined;
    this.objects.set(name, object);
    return object;
  }

  /** "Objects: patch": metadata entries are merged, and null takes one away. */
  patch(name: string, change: StubAbout, preconditions: Preconditions): StubObject {
    const found = this.get(name, undefined);
    checkPreconditions(found, preconditions, 412);
    checkAbout({ ...change, metadata: withoutNulls({ ...found.metadata, ...change.metadata }) });
    const metadata = withoutNulls({ ...found.metadata, ...change.metadata });
    const object = { ...found, ...change, metadata, metageneration: found.metageneration + 1 };
    this.objects.set(name, object);
    return object;
  }

  delete(name: string, generation: string | undefined, preconditions: Preconditions): void {
    const found = this.get(name, generation);
    checkPreconditions(found, preconditions, 412);
    this.objects.delete(name);
    this.#sorted = undefined;
  }

  /** "Objects: compose": 1 to 32 sources of one storage class, which the result has too. */
  compose(
    name: string,
    about: StubAbout,
    sources: readonly {
      readonly name: string;
      readonly generation?: string;
      readonly ifGenerationMatch?: string;
    }[],
    preconditions: Preconditions,
  ): StubObject {
    if (sources.length < 1 || sources.length > 32)
      throw new StubRefusal(400, 'invalid', 'between 1 and 32 sources');
    const found = sources.map((source) => {
      const object = this.get(source.name, source.generation);
      checkPreconditions(object, { ifGenerationMatch: source.ifGenerationMatch }, 412);
      return object;
    });
    const [first] = found as [StubObject];
    if (found.some((object) => object.storageClass !== first.storageClass)) {
      throw new StubRefusal(400, 'invalid', 'the sources are of several storage classes');
    }
    if (about.storageClass !== undefined && about.storageClass !== first.storageClass) {
      throw new StubRefusal(400, 'invalid', 'a composite object has the storage class of its sources');
    }
    const bytes = Buffer.concat(found.map((object) => object.bytes));
    const made = this.put(name, { ...about, storageClass: first.storageClass }, bytes, preconditions, true);
    const pieces = found.map((object) => ({
      crc: Buffer.from(object.crc32c, 'base64'),
      sizeBytes: object.bytes.length,
    }));
    if (combineCrcs('CRC32C', pieces).toString('base64') !== made.crc32c)
      throw new Error('CRC32C does not add up');
    return made;
  }

  /** "Objects: rewrite": the destination has the metadata of the body, or the source's where there is none. */
  rewrite(
    from: { readonly name: string; readonly generation?: string },
    name: string,
    about: StubAbout | undefined,
    preconditions: Preconditions,
  ): StubObject {
    const source = this.get(from.name, from.generation);
    const { ifSourceGenerationMatch, ...ofDestination } = preconditions;
    checkPreconditions(source, { ifGenerationMatch: ifSourceGenerationMatch }, 412);
    const described =
      about ?? (Object.fromEntries(Object.entries(source).filter(([key]) => writable.has(key))) as StubAbout);
    const { md5Hash } = source;
    return this.put(name, described, source.bytes, ofDestination, md5Hash === undefined);
  }

  /** "Objects: list": by the bytes of the names; a page has so many entries, objects and prefixes together. */
  list(query: Readonly<Record<string, string | undefined>>) {
    const { prefix = '', delimiter, startOffset, endOffset, pageToken } = query;
    const most = Math.min(Number(query.maxResults ?? 1_000), 1_000);
    this.#sorted ??= [...this.objects.keys()].sort(compareUtf8);
    const names = this.#sorted;
    const token = pageToken === undefined ? undefined : Buffer.from(pageToken, 'base64').toString();
    const from = [prefix, startOffset ?? '', token ?? ''].reduce((a, b) => (compareUtf8(a, b) < 0 ? b : a));
    const first = lowerBound(names.length, (index) => compareUtf8(names[index] as string, from) < 0);
    const items: StubObject[] = [];
    const prefixes: string[] = [];
    let last: string | undefined;
    for (let index = first; index < names.length; index++) {
      const name = names[index] as string;
      if (!name.startsWith(prefix)) break;
      if (endOffset !== undefined && compareUtf8(name, endOffset) >= 0) continue;
      const at = delimiter ? name.indexOf(delimiter, prefix.length) : -1;
      const folded = at < 0 ? undefined : name.slice(0, at + (delimiter as string).length);
      const entry = folded ?? name;
      if (token !== undefined && compareUtf8(entry, token) <= 0) continue;
      if (entry === last) continue;
      if (items.length + prefixes.length === most) {
        return { items, prefixes, nextPageToken: Buffer.from(last as string).toString('base64') };
      }
      if (folded === undefined) items.push(this.objects.get(name) as StubObject);
      else prefixes.push(folded);
      last = entry;
    }
    return { items, prefixes };
  }
}

/**
 * "Request preconditions": a generation match of 0 holds only where there is no live object; a failing one is 412, of reading a NotMatch
 * that fails is 304.
 */
function checkPreconditions(
  object: StubObject | undefined,
  preconditions: Preconditions,
  notMatch: 304 | 412,
): void {
  const generation = object?.generation ?? 0n;
  const { ifGenerationMatch, ifGenerationNotMatch, ifMetagenerationMatch } = preconditions;
  const fails =
    (ifGenerationMatch !== undefined && BigInt(ifGenerationMatch) !== generation) ||
    (ifMetagenerationMatch !== undefined && Number(ifMetagenerationMatch) !== object?.metageneration);
  if (fails) {
    throw new StubRefusal(
      412,
      'conditionNotMet',
      'At least one of the pre-conditions you specified did not hold.',
    );
  }
  if (ifGenerationNotMatch !== undefined && BigInt(ifGenerationNotMatch) === generation) {
    throw new StubRefusal(notMatch, 'conditionNotMet');
  }
}

/** "About Cloud Storage objects", naming requirements. */
function checkName(name: string): void {
  const sizeBytes = Buffer.byteLength(name);
  const isWrong =
    sizeBytes < 1 ||
    sizeBytes > 1_024 ||
    /[\r\n]/.test(name) ||
    name === '.' ||
    name === '..' ||
    name.startsWith('.well-known/acme-challenge/');
  if (isWrong) throw new StubRefusal(400, 'invalid', 'The specified object name is not valid.');
}

/** "Object metadata": names and values of custom metadata take 8 KiB at most. */
function checkAbout({ metadata = {}, storageClass }: StubAbout): void {
  const sizeBytes = Object.entries(metadata).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  if (sizeBytes > 8_192) throw new StubRefusal(400, 'invalid', 'The metadata is too large.');
  if (storageClass !== undefined && !classes.has(storageClass))
    throw new StubRefusal(400, 'invalid', 'storage class');
}

function withoutNulls(metadata: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

/** The resource's writable fields; any other that a client sends is refused, so that none is sent in vain. */
export function aboutOf(
  resource: Readonly<Record<string, unknown>>,
  also: readonly string[] = [],
): StubAbout {
  for (const field of Object.keys(resource)) {
    if (!writable.has(field) && !also.includes(field))
      throw new StubRefusal(400, 'invalid', `unknown field ${field}`);
  }
  return Object.fromEntries(Object.entries(resource).filter(([field]) => writable.has(field)));
}
