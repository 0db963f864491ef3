import type { ServerResponse } from 'node:http';
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

/** Answers up to here are not followed to the network: a connection that keeps so little costs next to nothing. */
const unfollowedBytes = 16 * 1024;

/**
 * Writes one answer and resolves when the network has all of it, so that what a slow reader keeps in memory counts as a request
 * under way. Small bodies go out in one write with their headers; an iterable is followed at the client's pace, and the
 * connection is cut if it rejects, so that a short body is never taken for a whole one.
 */
export async function writeResponse(
  incoming: IncomingBody,
  res: ServerResponse,
  response: S3Response,
  unreadBodies: UnreadBodies,
): Promise<WriteOutcome> {
  if (!response.giveBack) return write(incoming, res, response, unreadBodies);
  try {
    return await write(incoming, res, response, unreadBodies);
  } finally {
    response.giveBack();
  }
}

async function write(
  incoming: IncomingBody,
  res: ServerResponse,
  response: S3Response,
  unreadBodies: UnreadBodies,
): Promise<WriteOutcome> {
  if (res.destroyed) {
    await giveUp(response);
    return { kind: 'client-gone' };
  }
  const { body } = response;
  const { unread } = incoming;
  if (unread || incoming.undecided) res.setHeader('connection', 'close');
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const headers =
      bytes === undefined ? withoutBody(response) : { 'content-length': bytes.length, ...response.headers };
    res.writeHead(response.status, headers as Record<string, string | number>);
    if (unread) {
      // Nobody follows these bytes to the network, so they must not be lent ones.
      unreadBodies.answerAndDrain(incoming, res, response.giveBack && bytes ? Buffer.from(bytes) : bytes);
      return { kind: 'sent' };
    }
    res.end(bytes);
    return bytes === undefined || bytes.length <= unfollowedBytes ? { kind: 'sent' } : handedOver(res);
  }
  res.writeHead(response.status, response.headers as Record<string, string | number>);
  return stream(res, body);
}

/** An answer without a body says so, unless it tells what the body of a GET would be, or must not speak of a body at all. */
function withoutBody(response: S3Response): S3Response['headers'] {
  if (response.status === 204 || response.status === 304 || 'content-length' in response.headers)
    return response.headers;
  return { ...response.headers, 'content-length': 0 };
}

async function stream(res: ServerResponse, body: AsyncIterable<Buffer>): Promise<WriteOutcome> {
  try {
    for await (const chunk of body) {
      if (res.destroyed) return { kind: 'client-gone' };
      if (!res.write(chunk)) await drained(res);
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

/** Resolves when the network has taken all of an ended answer, or the connection is gone. */
function handedOver(res: ServerResponse): Promise<WriteOutcome> {
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

/** Resolves when the connection takes more, or is gone. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
    if (res.destroyed) done();
  });
}

/** Lets go of a body that nobody will read. */
async function giveUp(response: S3Response): Promise<void> {
  const { body } = response;
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return;
  await body[Symbol.asyncIterator]().return?.();
}
