/**
 * Sends requests over kept-alive connections and prints what it saw as one JSON line. A process of its own, so that the server's
 * CPU time is the server's alone. No two signatures are the same: a signed header carries an id, a presigned URL a lifetime of its own.
 *
 *   node load-client.ts JOB, JOB being JSON as `LoadJob` has it
 */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import aws4 from 'aws4';
import { bytesOf, type Case, keyOf, pageBytes } from './cases.ts';

export interface LoadJob {
  readonly host: string;
  readonly port: number;
  /** What requests name as their host, and sign: another one where a proxy passes them on. */
  readonly hostHeader: string;
  readonly case: Case;
  readonly signing: 'header' | 'presigned' | 'none';
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Keys `[firstKey, lastKey)` are asked for in turn, for so many seconds, … */
  readonly seconds: number;
  readonly firstKey: number;
  readonly lastKey: number;
  /** Of these keys instead, the ones at the places `[firstKey, lastKey)`. */
  readonly keys?: readonly number[];
  /** … or each once; of a case with ranges, pages instead of keys. */
  readonly once: boolean;
}

export interface LoadResult {
  /** Those that were answered as they should be, and the others. */
  readonly requests: number;
  readonly failures: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** To the first byte of an answer's body, or its end where it has none. */
  readonly firstByteP50Ms: number;
  /** Answers that said they came out of the cache. */
  readonly hits: number;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
  readonly status: number;
  /** What the answer's body is to be; of a list only that there is one. */
  readonly wanted?: { readonly key: number; readonly start: number; readonly end: number };
}

const job = JSON.parse(process.argv[2] ?? '{}') as LoadJob;
const { operation, dataset, rangeBytes = 0, connections } = job.case;
const { bucket, sizeBytes } = dataset;
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const body = operation === 'put' && !job.once ? bytesOf(0, 0, sizeBytes) : undefined;
const bodyDigest = createHash('sha256')
  .update(body ?? '')
  .digest('hex');
/** Bytes at the beginning of a body that are compared: enough to tell objects and places in them apart. */
const comparedBytes = 64;
const longestLifetime = 604_800;
const wholeMs: number[] = [];
const firstByteMs: number[] = [];
let bytes = 0;
let hits = 0;
let failures = 0;
let next = 0;
let lifetime = 0;

function nextRequest(): Request | undefined {
  const count = job.lastKey - job.firstKey;
  if (job.once && next >= count) return undefined;
  const turn = job.firstKey + (next++ % count);
  if (operation === 'list' && !job.once) {
    return { method: 'GET', path: `/${bucket}?list-type=2`, headers: {}, status: 200 };
  }
  if (operation === 'range') return rangeRequest(turn);
  const key = job.keys?.[turn] ?? turn;
  const path = `/${bucket}/${keyOf(key)}`;
  if (body) {
    const headers = { 'content-length': String(sizeBytes) };
    return { method: 'PUT', path: `${path}-new`, headers, body, status: 200 };
  }
  return { method: 'GET', path, headers: {}, status: 200, wanted: { key, start: 0, end: sizeBytes } };
}

/** Anywhere, or in a page of its own; pages in an order that nobody takes for reading on. */
function rangeRequest(turn: number): Request {
  const pages = Math.floor(sizeBytes / pageBytes);
  const page = job.once ? (turn * 97) % pages : 0;
  const room = (job.once ? pageBytes : sizeBytes) - rangeBytes;
  const start = page * pageBytes + randomInt(room / 4096 + 1) * 4096;
  const end = start + rangeBytes;
  return {
    method: 'GET',
    path: `/${bucket}/${keyOf(0)}`,
    headers: { range: `bytes=${start}-${end - 1}` },
    status: 206,
    wanted: { key: 0, start, end },
  };
}

function signed({ method, path, headers }: Request): {
  readonly path: string;
  readonly headers: Record<string, string>;
} {
  const host = job.hostHeader;
  if (job.signing === 'none') return { path, headers: { ...headers, host } };
  const target = { host, method, service: 's3', region: 'us-east-1' };
  if (job.signing === 'header') {
    const all = { ...headers, 'amz-sdk-invocation-id': randomUUID(), 'x-amz-content-sha256': bodyDigest };
    const { headers: sent } = aws4.sign({ ...target, path, headers: all }, job.credentials);
    return { path, headers: sent as Record<string, string> };
  }
  lifetime = (lifetime % (longestLifetime - 3600)) + 1;
  const asked = `${path}${path.includes('?') ? '&' : '?'}X-Amz-Expires=${3600 + lifetime}`;
  const { path: url } = aws4.sign({ ...target, path: asked, signQuery: true }, job.credentials);
  return { path: url as string, headers: { ...headers, host } };
}

function send(one: Request): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const fail = () => {
      failures++;
      resolve();
    };
    const { path, headers } = signed(one);
    const { host, port } = job;
    const req = request({ host, port, method: one.method, path, headers, agent }, (res) => {
      let first = Number.NaN;
      let received = 0;
      let isRight = res.statusCode === one.status;
      res.on('data', (chunk: Buffer) => {
        if (received === 0) {
          first = performance.now();
          isRight &&= beginsRight(one, chunk);
        }
        received += chunk.length;
      });
      res.on('end', () => {
        const { wanted } = one;
        if (!isRight || (wanted && received !== wanted.end - wanted.start)) return fail();
        const end = performance.now();
        bytes += received;
        // A proxy hands on what the storage says of itself.
        const said = res.headers['x-cache-status'] ?? res.headers['x-forebay-cache'];
        if (String(said).toLowerCase() === 'hit') hits++;
        wholeMs.push(end - startMs);
        firstByteMs.push((Number.isNaN(first) ? end : first) - startMs);
        resolve();
      });
      res.on('error', fail);
    });
    req.on('error', fail);
    req.end(one.body);
  });
}

function beginsRight({ wanted }: Request, chunk: Buffer): boolean {
  if (!wanted) return true;
  const length = Math.min(comparedBytes, chunk.length);
  return bytesOf(wanted.key, wanted.start, wanted.start + length).compare(chunk, 0, length) === 0;
}

const startMs = performance.now();
async function connection(): Promise<void> {
  while (job.once || performance.now() - startMs < job.seconds * 1000) {
    const one = nextRequest();
    if (one === undefined) return;
    await send(one);
  }
}
await Promise.all(Array.from({ length: connections }, connection));
const seconds = (performance.now() - startMs) / 1000;
agent.destroy();
function quantile(values: number[], q: number): number {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(q * values.length))] ?? 0;
}
const result: LoadResult = {
  requests: wholeMs.length,
  failures,
  bytes,
  seconds,
  p50Ms: quantile(wholeMs, 0.5),
  p99Ms: quantile(wholeMs, 0.99),
  firstByteP50Ms: quantile(firstByteMs, 0.5),
  hits,
};
console.log(JSON.stringify(result));
