import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LocalReader, ReadTarget } from '../worker/reader.ts';
import { decodeClaim, type KeptClaim } from './kept-claim.ts';
import type { Namespace } from './namespace.ts';
import { streamTo } from './response-writer.ts';

/** Longer claims are none: an object's metadata is a few KiB. */
const maxClaimBytes = 256 * 1024;

/** The store thread's side of `StoreThreadKeeper`. */
export class VersionHolder {
  readonly #namespace: Pick<Namespace, 'locate'>;
  readonly #reader: Pick<LocalReader, 'hold' | 'open'>;
  readonly #pageSizeBytes: number;

  constructor(
    namespace: Pick<Namespace, 'locate'>,
    reader: Pick<LocalReader, 'hold' | 'open'>,
    pageSizeBytes: number,
  ) {
    this.#namespace = namespace;
    this.#reader = reader;
    this.#pageSizeBytes = pageSizeBytes;
  }

  /** Ends the connection where anything goes wrong: the other thread knows what to do then. */
  async take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const leaving = new AbortController();
    res.once('close', () => leaving.abort());
    try {
      const lines = linesOf(req);
      const { value: first } = await lines.next();
      const claim = first === undefined ? undefined : decodeClaim(first);
      const target = claim && (await this.#targetOf(claim));
      if (claim && target && !leaving.signal.aborted) await this.#keep(claim, target, lines, res, leaving);
      else res.writeHead(409).end();
    } catch {
      res.destroy();
    }
  }

  async #keep(
    { range }: KeptClaim,
    target: ReadTarget,
    lines: AsyncIterator<string>,
    res: ServerResponse,
    { signal }: AbortController,
  ): Promise<void> {
    const leave = this.#reader.hold(target, range);
    try {
      res.writeHead(200);
      res.flushHeaders();
      const { value: line } = await lines.next();
      if (line === undefined) res.end();
      else {
        const rest = { start: Number(line), end: range.end };
        const { body, giveBack } = await this.#reader.open(target, rest, signal);
        const outcome = await streamTo(res, body);
        giveBack?.();
        if (outcome.kind !== 'sent') res.destroy();
      }
    } finally {
      leave();
    }
  }

  /** Undefined where the object lies elsewhere by now. */
  async #targetOf({ bucket, key, incarnation, path, meta }: KeptClaim): Promise<ReadTarget | undefined> {
    const place = await this.#namespace.locate(bucket, key);
    if (place.incarnation !== incarnation || place.path !== path) return undefined;
    const { backend, mount, policy, notBeforeSeconds } = place;
    const pageSizeBytes = this.#pageSizeBytes;
    return { backend, mount, incarnation, path, meta, pageSizeBytes, policy, notBeforeSeconds };
  }
}

/** The lines of a body, as they come; one that comes in part only is none. */
async function* linesOf(req: IncomingMessage): AsyncGenerator<string, undefined> {
  let text = '';
  req.setEncoding('utf8');
  for await (const piece of req as AsyncIterable<string>) {
    text += piece;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
    if (text.length > maxClaimBytes) throw new Error('a claim is too long');
  }
  return undefined;
}
