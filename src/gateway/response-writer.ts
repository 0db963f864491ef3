import type { IncomingMessage, ServerResponse } from 'node:http';
import type { S3Response } from '../s3api/call.ts';
import type { IncomingBody } from './incoming-body.ts';

/** How an answer ended: `sent` whole, `client-gone` before its end, or `failed-later`: cut off after its first byte. */
export type WriteOutcome =
  | { readonly kind: 'sent' | 'client-gone' }
  | { readonly kind: 'failed-later'; readonly cause: unknown };

/**
 * What is read and thrown away of a request's body after its answer, so that a client that sends all before it reads
 * (most do) gets to read the answer: eight 8 MiB parts, the SDKs' usual size, but no more than five seconds of anyone's.
 */
const drainLimits = { bytes: 64 * 1024 * 1024, ms: 5000 };

/**
 * Writes one answer. Small bodies go out in one write with their headers; an iterable is followed at the client's pace, and
 * the connection is cut if it rejects, so that a short body is never taken for a whole one.
 */
export async function writeResponse(
  incoming: IncomingBody,
  res: ServerResponse,
  response: S3Response,
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
      await drainThenEnd(incoming.request, res, bytes);
      return { kind: 'sent' };
    }
    res.end(bytes);
    return { kind: 'sent' };
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
  return { kind: 'sent' };
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

/**
 * Answers a request whose body was not wanted. Closing at once would reset the connection under a client that is still
 * sending, before it has read the answer; so a bounded rest is read and thrown away first.
 */
async function drainThenEnd(
  req: IncomingMessage,
  res: ServerResponse,
  bytes: Buffer | undefined,
): Promise<void> {
  if (bytes) res.write(bytes);
  else res.flushHeaders();
  await new Promise<void>((resolve) => {
    let left = drainLimits.bytes;
    const timer = setTimeout(resolve, drainLimits.ms);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    req.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) done();
    });
    req.once('end', done);
    req.once('error', done);
    req.once('close', done);
    req.resume();
  });
  res.end();
}

/** Lets go of a body that nobody will read. */
async function giveUp(response: S3Response): Promise<void> {
  const { body } = response;
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return;
  await body[Symbol.asyncIterator]().return?.();
}
