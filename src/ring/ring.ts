import { hash } from 'node:crypto';
import { allAtOnce, type Steps } from '../common/steps.ts';
import { changedNodes, nodeCountOf, nodesOf, type VirtualNodes } from './virtual-nodes.ts';

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
const circle = 2 ** positionBits;
const maxWorkers = 2 ** 16;
/** Of the table of starts, in one step. */
const partsInStep = 262_144;

/** The positions from `from` to `to`, both of them included. Never across the end of the circle. */
export interface Arc {
  readonly from: number;
  readonly to: number;
}

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
  /** In order of workerId. */
  readonly workers: readonly RingWorker[];
  readonly virtualNodes: number;
  /** Of the virtual nodes, in order. */
  readonly positions: Float64Array;
  /** Whose each of them is: its place in `workers`. */
  readonly owners: Uint16Array;
  /** For each of equal parts of the circle, the first virtual node that lies in it or behind it. */
  private readonly starts: Uint32Array;
  private readonly partSize: number;

  /**
   * No worker may be named twice; at most 65,536. With `base`, another ring, only what is new is computed: the ring is the same, made in
   * a fraction of the time where little has changed. `parts` are those of just this ring.
   */
  constructor(
    workers: readonly RingWorker[],
    virtualNodes: number = defaultVirtualNodes,
    base?: Ring,
    parts: RingParts = allAtOnce(partsOf(workers, virtualNodes, base)),
  ) {
    this.workers = parts.workers;
    this.virtualNodes = virtualNodes;
    this.positions = parts.nodes.positions;
    this.owners = parts.nodes.owners;
    this.partSize = parts.partSize;
    this.starts = parts.starts;
  }

  /** The same, in steps of some 10 ms: a large ring takes seconds. */
  static *inSteps(workers: readonly RingWorker[], virtualNodes: number, base?: Ring): Steps<Ring> {
    return new Ring(workers, virtualNodes, base, yield* partsOf(workers, virtualNodes, base));
  }

  /**
   * The worker that owns a segment of an object; undefined if the ring has no workers. Takes no memory. `without`: workers that are passed
   * over, as if the ring did not have them.
   */
  ownerOf(objectHash: number, segment: number, without?: ReadonlySet<string>): string | undefined {
    const position = segmentPosition(objectHash, segment);
    return without ? this.ownerWithout(position, without) : this.ownerAt(position);
  }

  /** The worker that owns a position. */
  ownerAt(position: number): string | undefined {
    const owner = this.owners[this.nodeAt(position)];
    return owner === undefined ? undefined : this.workers[owner]?.workerId;
  }

  private ownerWithout(position: number, without: ReadonlySet<string>): string | undefined {
    const first = this.nodeAt(position);
    const count = this.owners.length;
    for (let step = 0; step < count; step++) {
      const id = this.workers[this.owners[(first + step) % count] as number]?.workerId;
      if (id !== undefined && !without.has(id)) return id;
    }
    return undefined;
  }

  /** What a worker owns, in order; neighbouring arcs are one. */
  arcsOf(workerId: string): Arc[] {
    const place = this.workers.findIndex((worker) => worker.workerId === workerId);
    const { positions, owners } = this;
    const last = positions.length - 1;
    const arcs: { from: number; to: number }[] = [];
    const add = (from: number, to: number) => {
      const before = arcs.at(-1);
      if (before && before.to === from - 1) before.to = to;
      else if (from <= to) arcs.push({ from, to });
    };
    if (place === -1) return arcs;
    for (let i = 0; i <= last; i++) {
      if (owners[i] === place) add(i === 0 ? 0 : (positions[i - 1] as number) + 1, positions[i] as number);
    }
    if (owners[0] === place) add((positions[last] as number) + 1, circle - 1);
    return arcs;
  }

  /** Who owns what of an arc, in order; nothing where the ring has no workers. */
  ownersIn({ from, to }: Arc): { readonly arc: Arc; readonly workerId: string }[] {
    const { positions, owners, workers } = this;
    const found: { arc: Arc; workerId: string }[] = [];
    if (positions.length === 0) return found;
    for (let node = this.nodeAt(from), next = from; next <= to; node = (node + 1) % positions.length) {
      const position = positions[node] as number;
      // Behind the last virtual node everything is the first one's.
      const end = node === 0 && position < next ? to : Math.min(position, to);
      const workerId = workers[owners[node] as number]?.workerId ?? '';
      if (next <= end) found.push({ arc: { from: next, to: end }, workerId });
      next = Math.max(next, end + 1);
    }
    return found;
  }

  /** The virtual node that owns a position; 0 also where there is none. */
  private nodeAt(position: number): number {
    const { positions } = this;
    const part = Math.floor(position / this.partSize);
    let low = this.starts[part] as number;
    let high = this.starts[part + 1] as number;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((positions[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low === positions.length ? 0 : low;
  }

  /** The part of the whole circle that each worker owns, by workerId; the parts add up to 1. */
  shares(): ReadonlyMap<string, number> {
    const { positions, owners, workers } = this;
    const shares = new Float64Array(workers.length);
    let before = (positions.at(-1) ?? 0) - circle;
    for (let i = 0; i < positions.length; i++) {
      const owner = owners[i] as number;
      const position = positions[i] as number;
      shares[owner] = (shares[owner] as number) + (position - before) / circle;
      before = position;
    }
    return new Map(workers.map(({ workerId }, place) => [workerId, shares[place] as number]));
  }
}

/** What a ring is made of. */
interface RingParts {
  readonly workers: readonly RingWorker[];
  readonly nodes: VirtualNodes;
  readonly partSize: number;
  readonly starts: Uint32Array;
}

function* partsOf(
  unordered: readonly RingWorker[],
  virtualNodes: number,
  base: Ring | undefined,
): Steps<RingParts> {
  const workers = [...unordered].sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
  if (workers.length > maxWorkers) throw new RangeError(`more than ${maxWorkers} workers`);
  const nodes = yield* nodesFor(workers, virtualNodes, base);
  const { positions } = nodes;
  const partCount = 2 ** Math.max(0, Math.floor(Math.log2(positions.length || 1)) - 2);
  const partSize = circle / partCount;
  const starts = new Uint32Array(partCount + 1);
  let node = 0;
  for (let part = 0; part <= partCount; part++) {
    while ((positions[node] as number) < part * partSize) node++;
    starts[part] = node;
    if (part % partsInStep === partsInStep - 1) yield;
  }
  return { workers, nodes, partSize, starts };
}

function* nodesFor(
  workers: readonly RingWorker[],
  virtualNodes: number,
  base: Ring | undefined,
): Steps<VirtualNodes> {
  const counts = workers.map(({ weight }) => nodeCountOf(weight, virtualNodes));
  const ids = workers.map(({ workerId }) => workerId);
  if (!base) return yield* nodesOf(ids, counts);
  const there = {
    workerIds: base.workers.map(({ workerId }) => workerId),
    counts: base.workers.map(({ weight }) => nodeCountOf(weight, base.virtualNodes)),
    nodes: base,
  };
  return yield* changedNodes(there, ids, counts);
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
