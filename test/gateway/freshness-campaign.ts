import { systemClock } from '../../src/common/clock.ts';
import type { Freshness } from '../../src/common/freshness.ts';
import { systemRandom } from '../../src/common/random.ts';
import { MemoryBackend } from '../../src/ufs/memory.ts';
import { put } from '../contracts/backend.ts';
import { SeededRandom } from '../worker/seeded.ts';
import { type Sight, StorageHistory } from './freshness-model.ts';
import { type GatewayUnderTest, startGateway } from './memory-node.ts';
import { mountOf } from './mount-of.ts';
import { type HttpAnswer, sendSigned } from './signed-request.ts';
import type { Storage } from './storages.ts';

export interface CampaignSettings {
  readonly freshness: Freshness;
  readonly seed: number;
  readonly seconds: number;
  /** What must have been seen some times: without it the campaign goes on for a while. */
  readonly kinds: readonly string[];
  readonly ioThreads?: number;
}

export interface CampaignResult {
  readonly violations: readonly string[];
  /** How often what was seen, and how. */
  readonly counts: Readonly<Record<string, number>>;
}

interface Look {
  readonly seen: Sight['seen'];
  readonly validatedWallMs?: number;
}

const blockBytes = 512;
const pageSizeBytes = 64 * 1024;
/** One page, some pages, and more than is gathered before it is answered. The names of those that are written through the gateway begin with `own`. */
const keys: readonly (readonly [key: string, sizeBytes: number])[] = [
  ['small', 2 * 1024],
  ['pages', 150 * 1024],
  ['long', 400 * 1024],
  ['own-small', 2 * 1024],
  ['own-pages', 150 * 1024],
  ['turning', 100 * 1024],
];
/** Instead of this one there is another key after so many changes, so that again and again nothing is known of what is read. */
const turningKey = 'turning';
const changesOfOne = 2;
const readers = 4;
const maxAbsentMs = 5_000;
/** How long the campaign waits for what it has not seen. */
const mostMoreMs = 15_000;

/** Each block of a version names it. */
function versionBytes(id: number, sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, Buffer.from(`version ${id} `.padEnd(blockBytes, '.')));
}

/** The version that all these blocks are of, the first of which may begin in the middle; a text that tells where they part otherwise. */
function versionOf(bytes: Buffer, start: number): number | string {
  let found: number | undefined;
  for (let at = (blockBytes - (start % blockBytes)) % blockBytes; at + 20 <= bytes.length; at += blockBytes) {
    const id = Number(/^version (\d+) /.exec(bytes.toString('latin1', at, at + 20))?.[1]);
    if (found !== undefined && id !== found) return `${found} goes on as ${id} at ${start + at}`;
    found = id;
  }
  return found ?? 'no block of it is whole';
}

/**
 * Changes objects at a storage, and some through the gateway, while readers read them through it, and compares what they see with what was
 * there when.
 */
export class FreshnessCampaign {
  readonly #storage: Storage;
  readonly #settings: CampaignSettings;
  readonly #random: SeededRandom;
  readonly #history = new StorageHistory();
  readonly #counts: Record<string, number> = {};
  #gateway: GatewayUnderTest | undefined;
  #lastId = 0;
  #turn = 0;
  #untilMs = 0;

  constructor(storage: Storage, settings: CampaignSettings) {
    this.#storage = storage;
    this.#settings = settings;
    this.#random = new SeededRandom(settings.seed);
  }

  async run(): Promise<CampaignResult> {
    const mount = { ...mountOf('bucket', ''), freshness: this.#settings.freshness };
    const root = new MemoryBackend(systemClock, systemRandom);
    const gateway = await startGateway(root, [{ mount, backend: this.#storage.mounted }], {
      pageSizeBytes,
      ioThreads: this.#settings.ioThreads,
    });
    this.#gateway = gateway;
    try {
      await gateway.buckets.create({ name: 'bucket', owner: 'root', kind: 'mount' });
      this.#untilMs = this.#history.nowMs() + this.#settings.seconds * 1000;
      const work = keys.map(([key, sizeBytes]) => this.#write(key, sizeBytes));
      for (let i = 0; i < readers; i++) work.push(this.#read());
      work.push(this.#list(), this.#disturb());
      await Promise.all(work);
    } finally {
      await gateway.close();
    }
    return { violations: this.#history.violations(), counts: this.#counts };
  }

  get #going(): boolean {
    const leftMs = this.#untilMs - this.#history.nowMs();
    return leftMs > 0 || (leftMs > -mostMoreMs && this.#settings.kinds.some((kind) => this.#isRare(kind)));
  }

  #isRare(kind: string): boolean {
    return (this.#counts[kind] ?? 0) <= 5;
  }

  #pause(leastMs: number, mostMs: number): Promise<void> {
    const ms = leastMs + this.#random.next() * (mostMs - leastMs);
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  #nameOf(key: string): string {
    return key === turningKey ? `${key}-${Math.floor(this.#turn / changesOfOne)}` : key;
  }

  async #write(baseKey: string, sizeBytes: number): Promise<void> {
    while (this.#going) {
      if (baseKey === turningKey) {
        this.#turn++;
        this.#counts.turned = Math.floor(this.#turn / changesOfOne);
      }
      const key = this.#nameOf(baseKey);
      const startMs = this.#history.nowMs();
      const own = key.startsWith('own') && this.#random.next() < 0.4;
      if (this.#random.next() < 0.25) {
        await this.#history.change(key, 'absent', own, () => this.#remove(key, own));
      } else {
        const id = ++this.#lastId;
        await this.#history.change(key, id, own, () => this.#put(key, id, versionBytes(id, sizeBytes), own));
      }
      // On a busy machine readers are slow, and would meet each version once at most.
      const tookMs = this.#history.nowMs() - startMs;
      await this.#pause(20 + tookMs, 150 + 4 * tookMs);
    }
  }

  async #remove(key: string, own: boolean): Promise<undefined> {
    if (!own) return void (await this.#storage.outside.delete(key));
    const { status } = await this.#send('DELETE', key);
    if (status !== 204) throw new Error(`DELETE was answered ${status}`);
  }

  async #put(key: string, id: number, bytes: Buffer, own: boolean): Promise<string> {
    if (!own)
      return (await put(this.#storage.outside, key, bytes, { userMetadata: { id: String(id) } })).etag;
    const { status, headers, body } = await this.#send('PUT', key, { 'x-amz-meta-id': String(id) }, bytes);
    if (status !== 200) throw new Error(`PUT was answered ${status}: ${body}`);
    return (headers.etag ?? '').replaceAll('"', '');
  }

  async #read(): Promise<void> {
    while (this.#going) {
      const [baseKey, sizeBytes] = keys[Math.floor(this.#random.next() * keys.length)] as readonly [
        string,
        number,
      ];
      const key = this.#nameOf(baseKey);
      const method = this.#random.next() < 0.3 ? 'HEAD' : 'GET';
      const start =
        this.#random.next() < 0.5 ? 0 : Math.floor(this.#random.next() * (sizeBytes - 2 * blockBytes));
      const fresh = this.#random.next() < 0.15;
      const headers: Record<string, string> = {
        ...(start > 0 ? { range: `bytes=${start}-` } : {}),
        ...(fresh ? { 'cache-control': 'no-cache' } : {}),
      };
      await this.#watch(`${fresh ? 'fresh ' : ''}${method}`, key, fresh ? 0 : undefined, () =>
        this.#look(method, key, start, headers),
      );
      await this.#pause(1, 12);
    }
  }

  /** Notes what `look` sees, and how old it may be. */
  async #watch(
    what: string,
    key: string,
    limit: number | undefined,
    look: () => Promise<Look>,
  ): Promise<void> {
    const wallMs = wallOffsetMs();
    const startMs = this.#history.nowMs();
    const { seen, validatedWallMs } = await look();
    const validatedMs = validatedWallMs === undefined ? undefined : validatedWallMs - wallMs;
    const limitMs = limit ?? leaseOf(this.#settings.freshness);
    const absentLimitMs = Math.min(limitMs, maxAbsentMs);
    this.#history.sights.push({
      ...{ key, what, startMs, endMs: this.#history.nowMs(), limitMs, absentLimitMs },
      ...{ seen, validatedMs },
    });
    const kind =
      'error' in seen ? seen.error : 'state' in seen && seen.state === 'absent' ? 'absent' : 'present';
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
  }

  async #look(method: string, key: string, start: number, headers: Record<string, string>): Promise<Look> {
    const answer = await this.#send(method, key, headers).catch(({ message, partial }) => ({
      message,
      partial,
    }));
    if (!('status' in answer)) return { seen: { error: cutShort(answer, start) } };
    const { status, body } = answer;
    const validated = answer.headers['x-forebay-validated'];
    const validatedWallMs = validated === undefined ? undefined : Date.parse(validated);
    if (status === 404) return { seen: { state: 'absent' }, validatedWallMs };
    if (status !== 200 && status !== 206) {
      return {
        seen: { error: `${status} ${/<Code>(.*)<\/Code>/.exec(body.toString())?.[1] ?? codeOfHead(status)}` },
      };
    }
    const cache = answer.headers['x-forebay-cache'];
    if (cache !== undefined) this.#counts[cache] = (this.#counts[cache] ?? 0) + 1;
    const named = Number(answer.headers['x-amz-meta-id']);
    const state = method === 'HEAD' ? named : versionOf(body, start);
    if (typeof state === 'string') return { seen: { error: `torn: ${state}` } };
    if (state !== named) return { seen: { error: `metadata of ${named} with bytes of ${state}` } };
    return { seen: { state }, validatedWallMs };
  }

  async #list(): Promise<void> {
    while (this.#going) {
      const startMs = this.#history.nowMs();
      const { status, body } = await this.#send('GET', '', {}, undefined, '/bucket?list-type=2');
      if (status !== 200) throw new Error(`a list was answered ${status}`);
      const endMs = this.#history.nowMs();
      const found = new Map<string, string>();
      for (const [, key = '', etag = ''] of body
        .toString()
        .matchAll(/<Key>(.*?)<\/Key>.*?<ETag>(?:"|&quot;)(.*?)(?:"|&quot;)<\/ETag>/g)) {
        found.set(key, etag);
      }
      for (const [key] of keys) {
        const etag = found.get(key);
        const seen = etag === undefined ? ({ state: 'absent' } as const) : { etag };
        this.#history.sights.push({ key, what: 'LIST', startMs, endMs, limitMs: 0, absentLimitMs: 0, seen });
      }
      this.#counts.lists = (this.#counts.lists ?? 0) + 1;
      await this.#pause(20, 60);
    }
  }

  /** Makes reads fail for a while, now and then: of keys that nobody writes through the gateway. */
  async #disturb(): Promise<void> {
    const { proxy } = this.#storage;
    if (!proxy) return;
    while (this.#going) {
      await this.#pause(100, 300);
      const status = this.#random.next() < 0.6 ? 403 : 503;
      await this.#history.outage(async () => {
        proxy.rule = ({ method, url }) => {
          const read = (method === 'GET' || method === 'HEAD') && !/\/own|list-type/.test(url);
          return read ? { kind: 'refuse', status } : undefined;
        };
        await this.#pause(20, 80);
        proxy.rule = ({ method }) =>
          method === 'GET' && this.#random.next() < 0.3 ? { kind: 'delay', ms: 30 } : undefined;
      });
    }
    proxy.rule = () => undefined;
  }

  #send(
    method: string,
    key: string,
    headers: Record<string, string> = {},
    body?: Buffer,
    target = `/bucket/${key}`,
  ): Promise<HttpAnswer> {
    return sendSigned(this.#gateway?.port ?? 0, { method, target, headers, body });
  }
}

/** What came before the end of an answer that was cut off is of one version all the same. */
function cutShort({ message, partial }: { message: string; partial?: Buffer }, start: number): string {
  const torn = partial && partial.length > 2 * blockBytes ? versionOf(partial, start) : undefined;
  return typeof torn === 'string' ? `torn: ${torn}` : `cut: ${message}`;
}

/** How far the wall clock, which may be slewed all the time, is now ahead of the one that times the campaign. */
function wallOffsetMs(): number {
  for (;;) {
    const beforeMs = performance.now();
    const wallMs = Date.now();
    // Otherwise something else ran between the two looks.
    if (performance.now() - beforeMs < 0.2) return wallMs - beforeMs;
  }
}

function leaseOf(freshness: Freshness): number {
  if (freshness.kind === 'always') return 0;
  return freshness.kind === 'lease' ? freshness.ms : Number.POSITIVE_INFINITY;
}

/** HEAD is answered without a body. */
function codeOfHead(status: number): string {
  return status === 403 ? 'AccessDenied' : 'InternalError';
}
