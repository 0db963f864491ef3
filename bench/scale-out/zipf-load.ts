import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import aws4 from 'aws4';
import { bytesOf, type Dataset, keyOf } from '../lib/cases.ts';
import { credentials } from '../lib/servers.ts';
import { zipf } from '../replay/draws.ts';
import type { Tick } from './dips.ts';

const alpha = 0.9;
const emptyDigest = createHash('sha256').digest('hex');
const silenceMs = 30_000;

interface Counts {
  requests: number;
  hits: number;
  failures: number;
}

/** Reads of whole objects, some far more often than others, by a number of clients that take the nodes in turn. */
export class ZipfLoad {
  readonly ticks: Tick[] = [];
  private readonly dataset: Dataset;
  private readonly storageReads: () => Promise<number>;
  private readonly draw: () => number;
  private readonly agent = new Agent({ keepAlive: true });
  /** Ports of the nodes that are asked. */
  private ports: readonly number[];
  private turn = 0;
  private isOver = false;
  private counts: Counts = { requests: 0, hits: 0, failures: 0 };
  private readonly running: Promise<unknown>[] = [];

  /** `storageReads`: the storage's own count up to now. */
  constructor(
    dataset: Dataset,
    random: () => number,
    ports: readonly number[],
    storageReads: () => Promise<number>,
  ) {
    this.dataset = dataset;
    this.draw = zipf(dataset.keys, alpha, random);
    this.ports = ports;
    this.storageReads = storageReads;
  }

  /** `perSecond`: of all clients together, if the nodes answer so many. */
  begin(clients: number, perSecond: number): void {
    for (let i = 0; i < clients; i++) this.running.push(this.client((1_000 * clients) / perSecond));
    this.running.push(this.tick());
  }

  /** From now on these nodes are asked. */
  ask(ports: readonly number[]): void {
    this.ports = ports;
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
    this.agent.destroy();
  }

  private async client(everyMs: number): Promise<void> {
    let dueMs = performance.now() + Math.random() * everyMs;
    while (!this.isOver) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      // Who is late does not make up for it in a rush.
      dueMs = Math.max(dueMs + everyMs, performance.now() - 5 * everyMs);
      await this.once();
    }
  }

  private async once(): Promise<void> {
    const key = this.draw();
    const port = this.ports[this.turn++ % this.ports.length] ?? 0;
    const cache = await this.get(port, key).catch(() => undefined);
    this.counts.requests++;
    if (cache === undefined) this.counts.failures++;
    if (cache === 'hit') this.counts.hits++;
  }

  /** What the answer says of the cache; undefined if it is not as it should be. Rejects if there is none. */
  private async get(port: number, key: number): Promise<string | undefined> {
    const path = `/${this.dataset.bucket}/${keyOf(key)}`;
    const headers = { 'x-amz-content-sha256': emptyDigest };
    const host = `127.0.0.1:${port}`;
    const target = { host, method: 'GET', path, service: 's3', region: 'us-east-1', headers };
    const signed = aws4.sign(target, credentials).headers as Record<string, string>;
    const res = await new Promise<IncomingMessage>((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, path, headers: signed, agent: this.agent });
      req.setTimeout(silenceMs, () => req.destroy(new Error('silent')));
      req.on('response', resolve).on('error', reject).end();
    });
    const parts: Buffer[] = [];
    for await (const part of res as AsyncIterable<Buffer>) parts.push(part);
    const isRight = Buffer.concat(parts).equals(bytesOf(key, 0, this.dataset.sizeBytes));
    if (res.statusCode !== 200 || !isRight) return undefined;
    return String(res.headers['x-forebay-cache']);
  }

  private async tick(): Promise<void> {
    let atMs = performance.now();
    let reads = await this.storageReads();
    while (!this.isOver) {
      await sleep(1_000);
      const readsNow = await this.storageReads();
      const { requests, hits, failures } = this.counts;
      this.counts = { requests: 0, hits: 0, failures: 0 };
      const nowMs = performance.now();
      const seconds = (nowMs - atMs) / 1000;
      this.ticks.push({ seconds, requests, hits, failures, storageReads: readsNow - reads });
      reads = readsNow;
      atMs = nowMs;
    }
  }
}
