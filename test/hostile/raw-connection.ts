import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The S3 error code of an answer, if its body is S3's XML. */
export function codeOf(answer: RawAnswer | undefined): string | undefined {
  return /<Code>([^<]*)<\/Code>/.exec(answer?.body ?? '')?.[1];
}

/** Splits the first whole answer off the bytes; undefined while it is not whole. An answer to HEAD has no body. */
function takeAnswer(text: string, headOnly: boolean): { answer: RawAnswer; rest: string } | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  const status = Number(statusLine.split(' ')[1]);
  const rest = text.slice(end + 4);
  if (headOnly || status < 200 || status === 204 || status === 304)
    return { answer: { status, headers, body: '' }, rest };
  if (headers.get('transfer-encoding') === 'chunked') return takeChunked(status, headers, rest);
  const length = Number(headers.get('content-length') ?? 0);
  if (rest.length < length) return undefined;
  return { answer: { status, headers, body: rest.slice(0, length) }, rest: rest.slice(length) };
}

function takeChunked(status: number, headers: ReadonlyMap<string, string>, text: string) {
  let body = '';
  let rest = text;
  for (;;) {
    const lineEnd = rest.indexOf('\r\n');
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(rest.slice(0, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (rest.length < end) return undefined;
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    rest = rest.slice(end);
    if (size === 0) return { answer: { status, headers, body }, rest };
  }
}

/** A TCP connection on which a test decides every byte. Text is Latin-1, so that a character is a byte. */
export class RawConnection {
  private readonly socket: Socket;
  private received = '';
  private ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
    });
    // A reset is one of the ways in which a server may refuse; it shows as `isClosed`.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.ended = true;
    });
    socket.on('end', () => {
      this.ended = true;
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  write(text: string): void {
    if (!this.socket.destroyed) this.socket.write(text, 'latin1');
  }

  /** Reads nothing more from the network. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Ends the sending side; the other may still answer. */
  finish(): void {
    this.socket.end();
  }

  /** The next answer; undefined if the server closed the connection without one, or was silent for `timeoutMs`. */
  async answer(options: { timeoutMs?: number; headOnly?: boolean } = {}): Promise<RawAnswer | undefined> {
    const deadline = Date.now() + (options.timeoutMs ?? 5_000);
    for (;;) {
      const taken = takeAnswer(this.received, options.headOnly ?? false);
      if (taken !== undefined) {
        this.received = taken.rest;
        return taken.answer;
      }
      if (this.ended || Date.now() > deadline) return undefined;
      await sleep(5);
    }
  }

  /** True once the server has ended the connection, which it is given `timeoutMs` for. */
  async isClosed(timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (!this.ended && Date.now() < deadline) await sleep(5);
    return this.ended;
  }

  /** Bytes that came and were not taken as an answer. */
  get unread(): string {
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Sends bytes on a connection of their own and gives the first answer. */
export async function exchange(
  port: number,
  text: string,
  options: { timeoutMs?: number; headOnly?: boolean } = {},
): Promise<RawAnswer | undefined> {
  const connection = await RawConnection.open(port);
  try {
    connection.write(text);
    return await connection.answer(options);
  } finally {
    connection.close();
  }
}
