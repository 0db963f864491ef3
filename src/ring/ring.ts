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

  /** No worker may be named twice; at most 65,536. */
  constructor(workers: readonly RingWorker[], virtualNodes: number = defaultVirtualNodes) {
    this.workers = [...workers].sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
    if (this.workers.length > maxWorkers) throw new RangeError(`more than ${maxWorkers} workers`);
    const nodes = packedNodes(this.workers, virtualNodes);
    this.positions = new Float64Array(nodes.length);
    this.owners = new Uint16Array(nodes.length);
    for (const [i, node] of nodes.entries()) {
      this.positions[i] = Number(node >> BigInt(workerBits));
      this.owners[i] = Number(node & BigInt(maxWorkers - 1));
    }
  }

  /** The worker that owns a segment of an object; undefined if the ring has no workers. Takes no memory. */
  ownerOf(objectHash: number, segment: number): string | undefined {
    return this.ownerAt(segmentPosition(objectHash, segment));
  }

  /** The worker that owns a position. */
  ownerAt(position: number): string | undefined {
    const { positions } = this;
    let low = 0;
    let high = positions.length;
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

/** Virtual nodes in order, each as position × 2^16 + the worker's place, which sorts without a comparison function. */
function packedNodes(workers: readonly RingWorker[], virtualNodes: number): BigUint64Array {
  const counts = workers.map(({ weight }) => Math.max(1, Math.round(weight * virtualNodes)));
  const nodes = new BigUint64Array(counts.reduce((sum, count) => sum + count, 0));
  let next = 0;
  for (const [place, { workerId }] of workers.entries()) {
    const count = counts[place] ?? 0;
    for (let i = 0; i < count; i += 4) {
      const digest = hash('sha256', `${workerId}#${i / 4}`, 'buffer');
      for (let group = 0; group < Math.min(4, count - i); group++) {
        const position = digest.readUIntBE(group * 8, 6);
        nodes[next++] = (BigInt(position) << BigInt(workerBits)) | BigInt(place);
      }
    }
  }
  return nodes.sort();
}
