/**
 * Sends signed GETs over kept-alive connections for some seconds and prints what it saw as one JSON line. A process of its own, so
 * that the server's CPU time is the server's alone. No two signatures are the same: each request carries an id that is signed.
 *
 *   node load-client.ts '{"host":…,"port":…,"seconds":…,"connections":…,"bucket":…,"keys":…,"accessKeyId":…,"secretAccessKey":…}'
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import aws4 from 'aws4';

interface Job {
  readonly host: string;
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
  readonly paths: readonly string[];
  /** Absent: requests are not signed. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const job = JSON.parse(process.argv[2] ?? '{}') as Job;
const agent = new Agent({ keepAlive: true, maxSockets: job.connections });
const latenciesMs: number[] = [];
let bytes = 0;
let failures = 0;
let next = 0;

function headersFor(path: string): Record<string, string> {
  if (!job.credentials) return {};
  const signed = aws4.sign(
    {
      host: `${job.host}:${job.port}`,
      method: 'GET',
      path,
      service: 's3',
      region: 'us-east-1',
      headers: { 'amz-sdk-invocation-id': randomUUID() },
    },
    job.credentials,
  );
  return signed.headers as Record<string, string>;
}

function get(path: string): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const req = request({ host: job.host, port: job.port, path, agent, headers: headersFor(path) }, (res) => {
      res.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      res.on('end', () => {
        if (res.statusCode !== 200) failures++;
        latenciesMs.push(performance.now() - startMs);
        resolve();
      });
    });
    req.on('error', () => {
      failures++;
      resolve();
    });
    req.end();
  });
}

const startMs = performance.now();
async function connection(): Promise<void> {
  while (performance.now() - startMs < job.seconds * 1000) {
    await get(job.paths[next++ % job.paths.length] as string);
  }
}
await Promise.all(Array.from({ length: job.connections }, connection));
const seconds = (performance.now() - startMs) / 1000;
agent.destroy();
latenciesMs.sort((a, b) => a - b);
const quantile = (q: number) =>
  latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(q * latenciesMs.length))] ?? 0;
console.log(
  JSON.stringify({
    requests: latenciesMs.length,
    failures,
    bytes,
    seconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  }),
);
