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

/** Where the store thread takes requests from the other threads. */
export interface HandOverPath {
  readonly socketPath: string;
  /** The name of the header that proves that a request comes from a thread of this process. Nobody else knows it. */
  readonly header: string;
}
