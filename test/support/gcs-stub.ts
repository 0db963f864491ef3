import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf } from '../../src/common/checksums.ts';
import {
  aboutOf,
  type Preconditions,
  type StubAbout,
  type StubObject,
  StubRefusal,
  StubStore,
} from './gcs-stub-store.ts';

/** An upload under way in pieces ("Resumable uploads"). */
interface Session {
  readonly name: string;
  readonly about: StubAbout;
  readonly preconditions: Preconditions;
  readonly pieces: Buffer[];
  heldBytes: number;
  made?: StubObject;
}

interface Asked {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

const onReads = ['ifGenerationMatch', 'ifGenerationNotMatch', 'ifMetagenerationMatch'] as const;
const always = ['fields', 'alt', 'projection', 'prettyPrint'];

/**
 * A server that speaks the part of the Cloud Storage JSON API that Forebay uses, in memory, and is strict: every precondition is decided
 * as Cloud Storage documents it, and what it does not know (a parameter, a field, a chunk of a wrong size) is refused.
 */
export class GcsStub {
  readonly store = new StubStore();
  /** How much it takes of one piece at most: Cloud Storage may keep less than it is sent ("Resumable uploads"). */
  mostOfPiece = Number.POSITIVE_INFINITY;
  /** Whether the preconditions of a request are passed by, as storage does that is not Cloud Storage. */
  passesBy: (method: string, url: string) => boolean = () => false;
  readonly #server: Server;
  readonly #sessions = new Map<string, Session>();
  #sessionCount = 0;

  private constructor() {
    this.#server = createServer((req, res) => void this.#serve(req, res));
  }

  static async start(): Promise<GcsStub> {
    const stub = new GcsStub();
    await new Promise<void>((resolve) => stub.#server.listen(0, '127.0.0.1', resolve));
    return stub;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Uploads in pieces that have neither ended nor been given up. */
  get openSessions(): number {
    return [...this.#sessions.values()].filter(({ made }) => !made).length;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      const body = await gathered(req);
      const url = new URL(req.url ?? '', 'http://stub');
      const path = url.pathname.split('/').slice(1).map(decodeURIComponent);
      const isPassedBy = this.passesBy(req.method ?? '', req.url ?? '');
      const asked = [...url.searchParams].filter(([name]) => !isPassedBy || !/^if[A-Z]/.test(name));
      const query = Object.fromEntries(asked);
      answer = this.#answer({ method: req.method ?? '', path, query, headers: req.headers, body });
    } catch (error) {
      if (!(error instanceof StubRefusal)) return void res.destroy(error as Error);
      const { status: code, message, reason } = error;
      answer = json({ error: { code, message, errors: [{ message, domain: 'global', reason }] } }, code);
    }
    const { status, headers = {}, body = Buffer.alloc(0) } = answer;
    res.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
  }

  #answer(asked: Asked): Answer {
    const { method, path } = asked;
    if (path[0] === 'upload') return method === 'POST' ? this.#begin(asked) : this.#goOn(asked);
    const [storage, v1, b, bucket, o, name, verb, ...more] = path;
    if (storage !== 'storage' || v1 !== 'v1' || b !== 'b') throw new StubRefusal(404, 'notFound');
    if (bucket !== 'bucket') throw new StubRefusal(404, 'notFound', 'The specified bucket does not exist.');
    if (o !== 'o') throw new StubRefusal(400, 'invalid');
    if (name === undefined) return this.#list(asked);
    if (verb === 'compose') return this.#compose(asked, name);
    if (verb === 'rewriteTo') return this.#rewrite(asked, name, more[3] as string);
    if (method === 'GET') return this.#get(asked, name);
    if (method === 'PATCH') return this.#patch(asked, name);
    if (method === 'DELETE') return this.#delete(asked, name);
    throw new StubRefusal(405, 'methodNotAllowed');
  }

  #list({ query }: Asked): Answer {
    only(query, ['prefix', 'delimiter', 'startOffset', 'endOffset', 'maxResults', 'pageToken']);
    const { items, prefixes, nextPageToken } = this.store.list(query);
    return json({ kind: 'storage#objects', items: items.map(resourceOf), prefixes, nextPageToken });
  }

  #get({ query, headers }: Asked, name: string): Answer {
    only(query, ['generation', ...onReads]);
    const object = this.store.get(name, query.generation, query);
    return query.alt === 'media' ? media(object, headers.range) : json(resourceOf(object));
  }

  #patch({ query, body }: Asked, name: string): Answer {
    only(query, onReads);
    return json(resourceOf(this.store.patch(name, aboutOf(parsed(body)), query)));
  }

  #delete({ query }: Asked, name: string): Answer {
    only(query, ['generation', ...onReads]);
    this.store.delete(name, query.generation, query);
    return { status: 204 };
  }

  #compose({ query, body }: Asked, name: string): Answer {
    only(query, onReads);
    const { destination, sourceObjects, ...rest } = parsed(body);
    if (Object.keys(rest).length > 0) throw new StubRefusal(400, 'invalid');
    const sources = (
      sourceObjects as { name: string; generation?: string; objectPreconditions?: Preconditions }[]
    ).map(({ name: source, generation, objectPreconditions }) => ({
      name: source,
      generation,
      ...objectPreconditions,
    }));
    const about = aboutOf((destination ?? {}) as Record<string, unknown>);
    return json(resourceOf(this.store.compose(name, about, sources, query)));
  }

  #rewrite({ query, body }: Asked, name: string, to: string): Answer {
    only(query, ['sourceGeneration', 'ifSourceGenerationMatch', 'rewriteToken', ...onReads]);
    const about = body.length === 0 ? undefined : aboutOf(parsed(body));
    const object = this.store.rewrite({ name, generation: query.sourceGeneration }, to, about, query);
    const size = String(object.bytes.length);
    return json({ done: true, totalBytesRewritten: size, objectSize: size, resource: resourceOf(object) });
  }

  /** "Uploads and downloads": multipart (metadata and media), or the begin of one in pieces. */
  #begin({ path, query, headers, body }: Asked): Answer {
    if (path[4] !== 'bucket') throw new StubRefusal(404, 'notFound', 'The specified bucket does not exist.');
    only(query, ['uploadType', 'name', ...onReads]);
    const preconditions = query;
    if (query.uploadType === 'resumable') return this.#beginSession(body, preconditions);
    if (query.uploadType !== 'multipart') throw new StubRefusal(400, 'invalid', 'uploadType');
    const boundary = /^multipart\/related; boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1];
    if (boundary === undefined) throw new StubRefusal(400, 'invalid', 'no boundary');
    const [first, second] = partsOf(body, boundary);
    const resource = parsed(first.content);
    const { name, crc32c, md5Hash } = resource as { name: string; crc32c?: string; md5Hash?: string };
    const about = aboutOf(resource, ['name', 'crc32c', 'md5Hash']);
    // "Objects: insert": with a crc32c that is not that of the bytes the object is not made.
    if (crc32c !== undefined && crc32c !== digestOf('CRC32C', second.content).toString('base64')) {
      throw new StubRefusal(400, 'invalid', 'Provided CRC32C does not match calculated CRC32C.');
    }
    if (md5Hash !== undefined && md5Hash !== digestOf('MD5', second.content).toString('base64')) {
      throw new StubRefusal(400, 'invalid', 'Provided MD5 hash does not match calculated MD5 hash.');
    }
    const contentType = about.contentType ?? second.type;
    return json(resourceOf(this.store.put(name, { ...about, contentType }, second.content, preconditions)));
  }

  #beginSession(body: Buffer, preconditions: Preconditions): Answer {
    const resource = parsed(body);
    const id = `session-${++this.#sessionCount}`;
    const about = aboutOf(resource, ['name']);
    this.#sessions.set(id, { name: String(resource.name), about, preconditions, pieces: [], heldBytes: 0 });
    return {
      status: 200,
      headers: { location: `/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=${id}` },
    };
  }

  /** "Perform resumable uploads": a piece, a question for the state, or the end. */
  #goOn({ method, query, headers, body }: Asked): Answer {
    const id = query.upload_id ?? '';
    const session = this.#sessions.get(id);
    if (!session) throw new StubRefusal(404, 'notFound', 'No such upload session');
    if (method === 'DELETE') {
      this.#sessions.delete(id);
      return { status: 499 };
    }
    if (session.made) return json(resourceOf(session.made));
    const range = /^bytes (?:\*|(\d+)-(\d+))\/(\*|\d+)$/.exec(headers['content-range'] ?? '');
    if (!range) throw new StubRefusal(400, 'invalid', 'Content-Range');
    const [, start, end, whole] = range;
    if (start !== undefined) {
      take(session, body, Number(start), Number(end), whole as string, this.mostOfPiece);
    }
    if (whole === '*' || session.heldBytes < Number(whole)) return stateOf(session);
    const bytes = Buffer.concat(session.pieces);
    session.made = this.store.put(session.name, session.about, bytes, session.preconditions);
    return json(resourceOf(session.made));
  }
}

function take(
  session: Session,
  body: Buffer,
  start: number,
  end: number,
  whole: string,
  mostBytes: number,
): void {
  if (end - start + 1 !== body.length) throw new StubRefusal(400, 'invalid', 'Content-Range and body differ');
  if (start > session.heldBytes) throw new StubRefusal(400, 'invalid', 'bytes are left out');
  // "Resumable uploads": every piece but the last is a multiple of 256 KiB.
  const isLast = whole !== '*' && end + 1 === Number(whole);
  const fresh = body.subarray(session.heldBytes - start).subarray(0, mostBytes);
  if (!isLast && (end + 1) % 262_144 !== 0) throw new StubRefusal(400, 'invalid', 'chunk size');
  session.pieces.push(fresh);
  session.heldBytes += fresh.length;
}

function stateOf({ heldBytes }: Session): Answer {
  return { status: 308, headers: heldBytes === 0 ? {} : { range: `bytes=0-${heldBytes - 1}` } };
}

/** "Objects: get", alt=media. */
function media(object: StubObject, range: string | undefined): Answer {
  const { bytes } = object;
  const headers: Record<string, string> = {
    'content-type': object.contentType ?? 'application/octet-stream',
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-stored-content-length': String(bytes.length),
    'x-goog-hash': `crc32c=${object.crc32c}`,
  };
  const asked = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!asked) return { status: 200, headers, body: bytes };
  const start = Number(asked[1]);
  const end = asked[2] === '' ? bytes.length : Math.min(Number(asked[2]) + 1, bytes.length);
  if (start >= bytes.length) throw new StubRefusal(416, 'requestedRangeNotSatisfiable');
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` },
    body: bytes.subarray(start, end),
  };
}

function resourceOf({ bytes, generation, timeCreatedMs, metageneration, ...object }: StubObject) {
  return {
    kind: 'storage#object',
    ...object,
    size: String(bytes.length),
    generation: String(generation),
    metageneration: String(metageneration),
    timeCreated: new Date(timeCreatedMs).toISOString(),
  };
}

/** Parameters that are not known are not passed by: a precondition that is misspelt would protect nothing. */
function only(query: Asked['query'], known: readonly string[]): void {
  for (const name of Object.keys(query)) {
    if (!known.includes(name) && !always.includes(name))
      throw new StubRefusal(400, 'invalid', `parameter ${name}`);
  }
}

function parsed(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    throw new StubRefusal(400, 'parseError', 'Parse Error');
  }
}

/** The two parts of a multipart/related body (RFC 2387). */
function partsOf(body: Buffer, boundary: string) {
  const delimiter = Buffer.from(`--${boundary}`);
  const next = Buffer.from(`\r\n--${boundary}`);
  const parts: { type: string | undefined; content: Buffer }[] = [];
  let at = body.indexOf(delimiter) + delimiter.length;
  for (let count = 0; count < 2; count++) {
    const head = body.indexOf('\r\n\r\n', at);
    // The last boundary ends the last part, whatever its bytes hold.
    const end = count === 0 ? body.indexOf(next, head) : body.lastIndexOf(next);
    const type = /content-type: *(.*)/i.exec(body.subarray(at, head).toString())?.[1];
    parts.push({ type, content: body.subarray(head + 4, end) });
    at = end + next.length;
  }
  return parts as [(typeof parts)[0], (typeof parts)[0]];
}

function json(value: object, status = 200): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=UTF-8' },
    body: Buffer.from(JSON.stringify(value)),
  };
}

async function gathered(req: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of req) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
