import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { WireHeaders } from './s3-headers.ts';
import type { StorageCall } from './storage-connection.ts';

/** A command of the SDK, known by the output it ends with. */
export interface S3Command<Output> {
  readonly middlewareStack: { add(middleware: never, options: never): void };
  // Never called here: it is what tells the compiler the output of a command.
  resolveMiddleware(...args: never): (...args: never) => Promise<{ output: Output }>;
}

export interface Call extends StorageCall {
  /** Headers that are sent as they are, over what the SDK makes of the command. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is known of an answer, or of why there is none. */
export interface Seen {
  status?: number;
  headers?: WireHeaders;
  systemCode?: string | undefined;
}

export interface Destination {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: number;
}

export interface WireRequest {
  protocol?: string;
  hostname?: string;
  port?: number;
  path?: string;
  headers: Record<string, string>;
  body?: unknown;
}

/** Middleware for this one command: headers in, the answer's status and headers out. */
export function instrument(command: S3Command<unknown>, call: Call, seen: Seen): void {
  const add = adderOf(command);
  add(
    (next) => async (args: { request: WireRequest }) => {
      const { request } = args;
      // The SDK gives bytes a type where the command has none; S3 has a default of its own (S3 API Reference, PutObject).
      if (request.headers['content-type'] === 'application/octet-stream')
        delete request.headers['content-type'];
      Object.assign(request.headers, call.headers);
      request.headers['x-amz-content-sha256'] ??= hashOf(request.body);
      keepDisposition(request);
      return next(args as never);
    },
    { step: 'build', priority: 'low', name: 'wireHeaders' },
  );
  add(
    (next) => async (args: never) => {
      const result: { response: { statusCode: number; headers: WireHeaders } } = await next(args).catch(
        (error) => {
          // The SDK may wrap the fault, which hides what the system says of it.
          seen.systemCode = (error as { code?: string }).code;
          throw error;
        },
      );
      seen.status = result.response.statusCode;
      seen.headers = result.response.headers;
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'seenAnswer' },
  );
}

/** Gives the whole body of the command's answer to `take` before the SDK reads it. */
export function collectAnswer(command: S3Command<unknown>, take: (body: Buffer) => void): void {
  adderOf(command)(
    (next) => async (args: never) => {
      const result: { response: { body: AsyncIterable<Buffer> } } = await next(args);
      const pieces: Buffer[] = [];
      for await (const piece of result.response.body) pieces.push(piece);
      const body = Buffer.concat(pieces);
      take(body);
      Object.assign(result.response, { body: Readable.from([body], { objectMode: false }) });
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'wholeAnswer' },
  );
}

/** Calls `stop`, which throws, with the command's request before it is signed, or once it is and before it is sent. */
export function stopBeforeSending(
  command: S3Command<unknown>,
  when: 'unsigned' | 'signed',
  stop: (request: WireRequest) => never,
): void {
  const place =
    when === 'signed' ? { step: 'finalizeRequest', priority: 'low' } : { step: 'build', priority: 'high' };
  adderOf(command)(() => async (args: { request: WireRequest }) => stop(args.request), {
    ...place,
    name: 'destination',
  });
}

function adderOf(command: S3Command<unknown>) {
  return command.middlewareStack.add.bind(command.middlewareStack) as (
    middleware: (next: (args: never) => Promise<never>) => (args: never) => Promise<unknown>,
    options: object,
  ) => void;
}

/**
 * Node decodes a Content-Disposition once more where it knows a Content-Length by then, which would change bytes beyond ASCII
 * (nodejs/node, lib/_http_outgoing.js, processHeader). So the length comes last, and the body as a stream.
 */
function keepDisposition(request: WireRequest): void {
  const { headers } = request;
  if (!/[\x80-\xff]/.test(headers['content-disposition'] ?? '')) return;
  const length = headers['content-length'];
  if (length === undefined) return;
  delete headers['content-length'];
  headers['content-length'] = length;
  if (Buffer.isBuffer(request.body)) request.body = Readable.from([request.body], { objectMode: false });
}

function hashOf(body: unknown): string {
  const hash = createHash('sha256');
  if (typeof body === 'string' || body instanceof Uint8Array) hash.update(body);
  return hash.digest('hex');
}
