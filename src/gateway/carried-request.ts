import type { IncomingMessage } from 'node:http';

/** A request that came through another thread keeps the address of its client here. */
interface CarriedRequest extends IncomingMessage {
  carriedRemoteAddress?: string;
}

export function carryRemoteAddress(req: IncomingMessage, address: string): void {
  (req as CarriedRequest).carriedRemoteAddress = address;
}

/** The client's address, whichever way the request took. */
export function remoteAddressOf(req: IncomingMessage): string | undefined {
  return (req as CarriedRequest).carriedRemoteAddress ?? req.socket.remoteAddress;
}

/** What a thread tells beside a request that it hands over: the value of the header `HandOverPath.header`. */
export interface CarriedFacts {
  readonly remoteAddress: string;
  /** Headers that Node's client adds and that the client did not send, in lower case. */
  readonly added: readonly string[];
}

export function encodeFacts({ remoteAddress, added }: CarriedFacts): string {
  return [remoteAddress, ...added].join(' ');
}

export function decodeFacts(text: string): CarriedFacts {
  const [remoteAddress = '', ...added] = text.split(' ');
  return { remoteAddress, added };
}

const mark = '~';

/**
 * A header's name under which Node's client and Node's server between the threads have nothing to say about it: `Trailer` on a request
 * without a chunked body makes the client throw, and an `Expect` that its client is not heard on (HTTP/1.0) is none (RFC 9110, 10.1.1).
 * A name that begins with the mark by itself is marked too, so that it comes back as it was.
 */
function coverName(name: string, expectsContinue: boolean): string {
  const lower = name.length === 6 || name.length === 7 ? name.toLowerCase() : '';
  const isTouchy = lower === 'trailer' || (lower === 'expect' && !expectsContinue);
  return isTouchy || name.startsWith(mark) ? mark + name : name;
}

/** The raw headers of a request as they are sent between threads. */
export function coveredHeaders(rawHeaders: readonly string[], expectsContinue: boolean): string[] {
  return rawHeaders.map((text, index) => (index % 2 === 0 ? coverName(text, expectsContinue) : text));
}

/** Gives the headers of a request their own names again. */
export function uncoverNames({ headers, rawHeaders }: IncomingMessage): void {
  let found = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!name.startsWith(mark)) continue;
    rawHeaders[i] = name.slice(mark.length);
    found = true;
  }
  if (!found) return;
  const covered = Object.entries(headers).filter(([name]) => name.startsWith(mark));
  // All are taken away first, since a client's own name may be the cover of another.
  for (const [name] of covered) delete headers[name];
  for (const [name, value] of covered) headers[name.slice(mark.length)] = value;
}

/** Where the store thread takes requests from the other threads. */
export interface HandOverPath {
  readonly socketPath: string;
  /** The name of the header that proves that a request comes from a thread of this process. Nobody else knows it. */
  readonly header: string;
}
