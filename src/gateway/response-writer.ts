import type { ServerResponse } from 'node:http';
import { type AtOnce, isPending } from '../common/at-once.ts';
import { ByteText } from '../common/byte-text.ts';
import type { S3Response } from '../s3api/call.ts';
import type { IncomingBody } from './incoming-body.ts';
import type { UnreadBodies } from './unread-bodies.ts';

/**
 * How an answer ended: `sent` whole, `client-gone` before its end, or `failed-later`: cut off after its first byte. `handed-over`: another
 * thread answers, and nothing was written.
 */
export type WriteOutcome =
  | { readonly kind: 'sent' | 'client-gone' | 'handed-over' }
  | { readonly kind: 'failed-later'; readonly cause: unknown };

const sent: WriteOutcome = { kind: 'sent' };

/** Answers up to here are not followed to the network: a connection that keeps so little costs next to nothing. */
const unfollowedBytes = 16 * 1024;

/** Bodies up to here go out in one piece with the header block: copying them costs less than handing two pieces to the network. */
const joinedBytes = 8 * 1024;

/**
 * Writes one answer, with `own` (name, value, name, value …) behind its headers, and is done when the network has all of it, so that
 * what a slow reader keeps in memory counts as a request under way. Small bodies go out in one write with their headers; an
 * iterable is followed at the client's pace, and the connection is cut if it rejects, so that a short body is never taken for a
 * whole one.
 */
export function writeResponse(
  incoming: IncomingBody,
  res: ServerResponse,
  response: S3Response,
  own: readonly string[],
  unreadBodies: UnreadBodies,
): AtOnce<WriteOutcome> {
  const { giveBack } = response;
  if (!giveBack) return write(incoming, res, response, own, unreadBodies);
  let outcome: AtOnce<WriteOutcome> | undefined;
  try {
    outcome = write(incoming, res, response, own, unreadBodies);
  } finally {
    if (!outcome || !isPending(outcome)) giveBack();
  }
  return isPending(outcome) ? outcome.finally(giveBack) : outcome;
}

function write(
  incoming: IncomingBody,
  res: ServerResponse,
  response: S3Response,
  own: readonly string[],
  unreadBodies: UnreadBodies,
): AtOnce<WriteOutcome> {
  if (res.destroyed) return giveUp(response);
  const { body } = response;
  const { unread } = incoming;
  res.writeHead(response.status, headersOf(response, own, unread || incoming.undecided));
  if (isIterable(body)) return stream(res, body);
  if (body instanceof ByteText && !unread) {
    res.end(body.text, 'latin1');
    return body.length <= unfollowedBytes ? sent : handedOver(res);
  }
  const bytes = bytesOf(body);
  if (unread) {
    // Nobody follows these bytes to the network, so they must not be lent ones.
    unreadBodies.answerAndDrain(incoming, res, response.giveBack && bytes ? Buffer.from(bytes) : bytes);
    return sent;
  }
  if (bytes === undefined) res.end();
  // Latin-1 is one character a byte, so that the bytes come out as they are.
  else if (bytes.length <= joinedBytes) res.end(bytes.toString('latin1'), 'latin1');
  else res.end(bytes);
  return bytes === undefined || bytes.length <= unfollowedBytes ? sent : handedOver(res);
}

/** The Content-Length of an answer; undefined where it must not speak of a body at all. */
export function lengthOf({ status, headers, body }: S3Response): string | number | undefined {
  const told = headers['content-length'];
  if (told !== undefined) return told;
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (Buffer.isBuffer(body) || body instanceof ByteText) return body.length;
  return status === 204 || status === 304 ? undefined : 0;
}

/** As Node takes them without a look at each: name, value, name, value … */
function headersOf(response: S3Response, own: readonly string[], close: boolean): (string | number)[] {
  const { headers } = response;
  const all: (string | number)[] = [];
  for (const name in headers) all.push(name, headers[name] as string | number);
  if (headers['content-length'] === undefined) {
    const length = lengthOf(response);
    if (length !== undefined) all.push('content-length', length);
  }
  all.push(...own);
  if (close) all.push('connection', 'close');
  return all;
}

function isIterable(body: S3Response['body']): body is AsyncIterable<Buffer> {
  return (
    body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body) && !(body instanceof ByteText)
  );
}

function bytesOf(body: string | Buffer | ByteText | undefined): Buffer | undefined {
  if (typeof body === 'string') return Buffer.from(body);
  return body instanceof ByteText ? body.toBuffer() : body;
}

/** Writes a body and the end behind it, at the pace of whoever reads it; the connection is cut if the body ends early. */
export function streamTo(
  res: ServerResponse,
  body: Buffer | ByteText | AsyncIterable<Buffer>,
): Promise<WriteOutcome> {
  if (isIterable(body)) return stream(res, body);
  return stream(res, onePiece(body instanceof ByteText ? body.toBuffer() : body));
}

async function* onePiece(piece: Buffer): AsyncGenerator<Buffer> {
  yield piece;
}

async function stream(res: ServerResponse, body: AsyncIterable<Buffer>): Promise<WriteOutcome> {
  try {
    for await (const chunk of body) {
      if (res.destroyed) return { kind: 'client-gone' };
      await taken(res, chunk);
    }
  } catch (cause) {
    const gone = res.destroyed;
    res.destroy();
    return gone ? { kind: 'client-gone' } : { kind: 'failed-later', cause };
  }
  if (res.destroyed) return { kind: 'client-gone' };
  res.end();
  return handedOver(res);
}

/** Done when the network has taken all of an ended answer, or the connection is gone. */
function handedOver(res: ServerResponse): AtOnce<WriteOutcome> {
  if (res.writableLength === 0 && !res.destroyed) return sent;
  return new Promise((resolve) => {
    const done = () => {
      res.off('finish', done);
      res.off('close', done);
      resolve({ kind: res.writableFinished ? 'sent' : 'client-gone' });
    };
    res.on('finish', done);
    res.on('close', done);
    if (res.writableFinished || res.destroyed) done();
  });
}

/**
 * Writes a chunk. Resolves when the network has all of it, or the connection is gone: not when the connection would take more, since the
 * chunk's memory may be lent, and is written to again as soon as the next one is asked for.
 */
function taken(res: ServerResponse, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('close', done);
      resolve();
    };
    res.on('close', done);
    res.write(chunk, done);
    if (res.destroyed) done();
  });
}

/** Lets go of a body that nobody will read. */
async function giveUp({ body }: S3Response): Promise<WriteOutcome> {
  if (isIterable(body)) await body[Symbol.asyncIterator]().return?.();
  return { kind: 'client-gone' };
}
