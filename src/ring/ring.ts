import { hash } from 'node:crypto';

/** A worker as the ring sees it. */
export interface RingWorker {
  /** Its stable UUID, in lower case. */
  readonly workerId: string;
  /** Its share relative to the others, such as its capacity; > 0. 1 means `virtualNodes` virtual nodes. */
  readonly weight: number;
}

/** Virtual nodes of a worker of weight 1: with so many, the heaviest of 50 workers has at most a tenth more than the mean. */
export const defaultVirtualNodes = 2048;

const positionBits = 48;
const workerBits = 16;
const maxWorkers = 2 ** workerBits;

/**
 * A consistent-hash ring: a pure, immutable value, the same wherever it is computed from the same workers.
 *
 * So that clients in other languages compute the same (`test/ring/vectors.json` has examples):
 * - A position is an unsigned integer of 48 bits.
 * - A worker of weight w has n = max(1, round(w × virtualNodes)) virtual nodes, halves rounded up. Number i is at the (i mod 4)th
 *   group of 8 bytes of SHA-256(`<workerId>#<floor(i / 4)>`, ASCII), of which the first 6 are read big-endian.
 * - An object's hash is the first 6 bytes, big-endian, of SHA-256(`<incarnation>/<path>`, UTF-8).
 * - Segment s of an object with hash h is at: a = mix(high ^ (s + 1) × 0x9E3779B1), b = mix(a) & 0xFFFF ^ low, position = a × 2^16 + b,
 *   where high is h's upper 32 bits, low its lower 16, the product is taken modulo 2^32, and mix is MurmurHash3's fmix32.
 * - The owner is the worker of the first virtual node at or after the position, going round at the end. Of virtual nodes at one
 *   position the one whose workerId sorts first counts.
 */
export class Ring {
  readonly workers: readonly RingWorker[];
  private readonly positions: Float64Array;
  private readonly owners: Uint16Array;
  /** For each of equal parts of the circle, the first virtual node that lies in it or behind it. */
  private readonly starts: Uint32Array;
  private readonly partSize: number;

  /** No worker may be named twice; at most 65,536. */
  constructor(workers: readonly RingWorker[], virtualNodes: number = defaultVirtualNodes) {
    this.workers = [...workers].sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
    if (this.workers.length > maxWorkers) throw new RangeError(`more than ${maxWorkers} workers`);
    const { positions, owners } = virtualNodesInOrder(this.workers, virtualNodes);
    this.positions = positions;
    this.owners = owners;
    const partCount = 2 ** Math.max(0, Math.floor(Math.log2(positions.length || 1)) - 2);
    this.partSize = 2 ** positionBits / partCount;
    this.starts = new Uint32Array(partCount + 1);
    let node = 0;
    for (let part = 0; part <= partCount; part++) {
      while ((positions[node] as number) < part * this.partSize) node++;
      this.starts[part] = node;
    }
  }

  /** The worker that owns a segment of an object; undefined if the ring has no workers. Takes no memory. */
  ownerOf(objectHash: number, segment: number): string | undefined {
    return this.ownerAt(segmentPosition(objectHash, segment));
  }

  /** The worker that owns a position. */
  ownerAt(position: number): string | undefined {
    const { positions } = this;
    const part = Math.floor(position / this.partSize);
    let low = this.starts[part] as number;
    let high = this.starts[part + 1] as number;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((positions[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    const owner = this.owners[low === positions.length ? 0 : low];
    return owner === undefined ? undefined : this.workers[owner]?.workerId;
  }

  /** The part of the whole circle that each worker owns, by workerId; the parts add up to 1. */
  shares(): ReadonlyMap<string, number> {
    const shares = new Map(this.workers.map((worker) => [worker.workerId, 0]));
    const circle = 2 ** positionBits;
    const last = this.positions.at(-1) ?? 0;
    for (const [i, position] of this.positions.entries()) {
      const before = i === 0 ? last - circle : (this.positions[i - 1] ?? 0);
      const workerId = this.workers[this.owners[i] ?? 0]?.workerId ?? '';
      shares.set(workerId, (shares.get(workerId) ?? 0) + (position - before) / circle);
    }
    return shares;
  }
}

/** The hash of an object, for `ownerOf`. */
export function hashObject(incarnation: string, path: string): number {
  return hash('sha256', `${incarnation}/${path}`, 'buffer').readUIntBE(0, 6);
}

/** Where a segment of an object lies on the circle. */
export function segmentPosition(objectHash: number, segment: number): number {
  const high = Math.floor(objectHash / 2 ** 16);
  const low = objectHash % 2 ** 16;
  const first = mix(high ^ Math.imul(segment + 1, 0x9e3779b1));
  return first * 2 ** 16 + ((mix(first) & 0xffff) ^ low);
}

/** The finalizer of MurmurHash3 for 32 bits (Appleby, public domain): spreads every bit over all. */
function mix(value: number): number {
  let mixed = value >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * Virtual nodes in order. Each is packed into 64 bits, position × 2^16 + the worker's place, which sort without a comparison
 * function; they are written and read as halves of 32 bits, since BigInts would take many times as long.
 */
function virtualNodesInOrder(workers: readonly RingWorker[], virtualNodes: number) {
  const counts = workers.map(({ weight }) => Math.max(1, Math.round(weight * virtualNodes)));
  const nodes = new BigUint64Array(counts.reduce((sum, count) => sum + count, 0));
  const halves = new Uint32Array(nodes.buffer);
  const low = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
  let next = 0;
  for (const [place, { workerId }] of workers.entries()) {
    const count = counts[place] ?? 0;
    for (let i = 0; i < count; i += 4) {
      const digest = hash('sha256', `${workerId}#${i / 4}`, 'buffer');
      for (let group = 0; group < Math.min(4, count - i); group++, next += 2) {
        halves[next + 1 - low] = digest.readUInt32BE(group * 8);
        halves[next + low] = digest.readUInt16BE(group * 8 + 4) * 2 ** workerBits + place;
      }
    }
  }
  nodes.sort();
  const positions = new Float64Array(nodes.length);
  const owners = new Uint16Array(nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    const lowHalf = halves[2 * i + low] as number;
    positions[i] = (halves[2 * i + 1 - low] as number) * 2 ** 16 + (lowHalf >>> workerBits);
    owners[i] = lowHalf % maxWorkers;
  }
  return { positions, owners };
}
