/**
 * Sends requests over kept-alive connections and prints what it saw as one JSON line. A process of its own, so that the server's
 * CPU time is the server's alone. No two signatures are the same: each request carries an id that is signed.
 *
 *   node load-client.ts JOB, JOB being JSON as `LoadJob` has it
 */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import aws4 from 'aws4';
import { bodyOf, type Case, keyOf } from './cases.ts';

export interface LoadJob {
  readonly port: number;
  readonly case: Case;
  /** Ends after so many seconds … */
  readonly seconds: number;
  /** … or, for misses, when each of these keys was asked for once. */
  readonly firstKey: number;
  readonly lastKey: number;
  /** Absent: requests are not signed. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** To the first byte of an answer's body, or its end where it has none. */
  readonly firstByteP50Ms: number;
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body?: Buffer;
  readonly expected: number;
}

const job = JSON.parse(process.argv[2] ?? '{}') as LoadJob;
const { kind, sizeBytes, rangeBytes = 0 } = job.case;
const agent = new Agent({ keepAlive: true, maxSockets: job.case.connections });
const body = kind === 'put' ? bodyOf(job.case, 0) : undefined;
const bodyDigest = createHash('sha256')
  .update(body ?? '')
  .digest('hex');
const wholeMs: number[] = [];
const firstByteMs: number[] = [];
let bytes = 0;
let failures = 0;
let next = job.firstKey;

function nextRequest(): Request | undefined {
  if (kind === 'miss' && next >= job.lastKey) return undefined;
  const key = keyOf(job.firstKey + ((next++ - job.firstKey) % (job.lastKey - job.firstKey)));
  const path = `/${job.case.name}/${key}`;
  if (kind === 'list') {
    return { method: 'GET', path: `/${job.case.name}?list-type=2`, headers: {}, expected: 200 };
  }
  if (kind === 'put') {
    const headers = { 'content-length': String(sizeBytes) };
    return { method: 'PUT', path: `${path}-new`, headers, body, expected: 200 };
  }
  if (kind !== 'range') return { method: 'GET', path, headers: {}, expected: 200 };
  const start = randomInt((sizeBytes - rangeBytes) / 4096) * 4096;
  return {
    method: 'GET',
    path,
    headers: { range: `bytes=${start}-${start + rangeBytes - 1}` },
    expected: 206,
  };
}

function signed({ method, path, headers }: Request): Record<string, string> {
  if (!job.credentials) return headers;
  const all = { ...headers, 'amz-sdk-invocation-id': randomUUID(), 'x-amz-content-sha256': bodyDigest };
  const host = `127.0.0.1:${job.port}`;
  const signing = { host, method, path, service: 's3', region: 'us-east-1', headers: all };
  return aws4.sign(signing, job.credentials).headers as Record<string, string>;
}

function send(one: Request): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const { method, path } = one;
    const options = { host: '127.0.0.1', port: job.port, method, path, agent, headers: signed(one) };
    const req = request(options, (res) => {
      let first = Number.NaN;
      res.on('data', (chunk: Buffer) => {
        if (Number.isNaN(first)) first = performance.now();
        bytes += chunk.length;
      });
      res.on('end', () => {
        if (res.statusCode !== one.expected) failures++;
        const end = performance.now();
        wholeMs.push(end - startMs);
        firstByteMs.push((Number.isNaN(first) ? end : first) - startMs);
        resolve();
      });
      res.on('error', () => {
        failures++;
        resolve();
      });
    });
    req.on('error', () => {
      failures++;
      resolve();
    });
    req.end(one.body);
  });
}

const startMs = performance.now();
async function connection(): Promise<void> {
  while (kind === 'miss' || performance.now() - startMs < job.seconds * 1000) {
    const one = nextRequest();
    if (one === undefined) return;
    await send(one);
  }
}
await Promise.all(Array.from({ length: job.case.connections }, connection));
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
};
console.log(JSON.stringify(result));
