import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import aws4 from 'aws4';
import { bytesOf, type Dataset, keyOf } from '../lib/cases.ts';
import { credentials } from '../lib/servers.ts';

interface Answer {
  readonly status: number;
  readonly cache: string;
  readonly body: Buffer;
}

const retryMs = 5;
const patienceMs = 120_000;

/** GETs of a node's objects, one after the other, each compared with what it is to be. */
export class SignedGets {
  private readonly port: number;
  private readonly dataset: Dataset;

  constructor(port: number, dataset: Dataset) {
    this.port = port;
    this.dataset = dataset;
  }

  /** Asks for objects in an order of chance until one is a hit, from before the port is open. Gives how many answers were none. */
  async untilHit(): Promise<number> {
    const endMs = performance.now() + patienceMs;
    let misses = 0;
    while (performance.now() < endMs) {
      const index = Math.floor(Math.random() * this.dataset.keys);
      const answer = await this.get(index).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') return undefined;
        throw error;
      });
      if (answer?.status === 200 && answer.cache === 'hit') return misses;
      if (answer) misses++;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    throw new Error(`no hit within ${patienceMs} ms, and ${misses} other answers`);
  }

  /** Reads every object. Gives how many were hits. */
  async readAll(): Promise<number> {
    let hits = 0;
    for (let index = 0; index < this.dataset.keys; index++) {
      const { status, cache } = await this.get(index);
      if (status !== 200) throw new Error(`${keyOf(index)} was answered ${status}`);
      if (cache === 'hit') hits++;
    }
    return hits;
  }

  private async get(index: number): Promise<Answer> {
    const { port, dataset } = this;
    const path = `/${dataset.bucket}/${keyOf(index)}`;
    const target = { host: `127.0.0.1:${port}`, method: 'GET', path, service: 's3', region: 'us-east-1' };
    const headers = aws4.sign(target, credentials).headers as Record<string, string>;
    const res = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, headers }, resolve).on('error', reject).end();
    });
    const body = await buffer(res);
    const status = res.statusCode ?? 0;
    if (status === 200 && !body.equals(bytesOf(index, 0, dataset.sizeBytes))) {
      throw new Error(`${keyOf(index)} came with wrong bytes`);
    }
    return { status, cache: String(res.headers['x-forebay-cache']), body };
  }
}
