import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** What is known of the connection that a client's request came on. */
export interface ConnectionFacts {
  readonly remoteAddress: string | undefined;
  /** Such as `1.3`; undefined without TLS. */
  readonly tlsVersion: string | undefined;
}

/** A request that came through another thread keeps here what is known of its client's connection. */
interface CarriedRequest extends IncomingMessage {
  carriedConnection?: ConnectionFacts;
}

export function carryConnection(req: IncomingMessage, connection: ConnectionFacts): void {
  (req as CarriedRequest).carriedConnection = connection;
}

/** The client's address, whichever way the request took. */
export function remoteAddressOf(req: IncomingMessage): string | undefined {
  return (req as CarriedRequest).carriedConnection?.remoteAddress ?? req.socket.remoteAddress;
}

/** The version of TLS that the client speaks, whichever way the request took. */
export function tlsVersionOf(req: IncomingMessage): string | undefined {
  const carried = (req as CarriedRequest).carriedConnection;
  if (carried) return carried.tlsVersion;
  const protocol = req.socket instanceof TLSSocket ? req.socket.getProtocol() : null;
  return protocol?.replace(/^TLSv(\d)$/, 'TLSv$1.0').replace(/^TLSv/, '');
}

/** What a thread tells beside a request that it hands over: the value of the header `HandOverPath.header`. */
export interface CarriedFacts {
  readonly remoteAddress: string;
  readonly tlsVersion: string | undefined;
  /** Headers that Node's client adds and that the client did not send, in lower case. */
  readonly added: readonly string[];
}

const none = '-';

export function encodeFacts({ remoteAddress, tlsVersion = none, added }: CarriedFacts): string {
  return [remoteAddress, tlsVersion, ...added].join(' ');
}

export function decodeFacts(text: string): CarriedFacts {
  const [remoteAddress = '', tlsVersion, ...added] = text.split(' ');
  return { remoteAddress, tlsVersion: tlsVersion === none ? undefined : tlsVersion, added };
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
