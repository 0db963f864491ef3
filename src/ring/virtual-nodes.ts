import { hash } from 'node:crypto';
import type { Steps } from '../common/steps.ts';

const workerBits = 16;
const maxPlaces = 2 ** workerBits;
/** Which half of 64 bits is which here. */
const highHalf = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
const lowHalf = 1 - highHalf;

/** Virtual nodes in order of position, and of place where two have one position. */
export interface VirtualNodes {
  readonly positions: Float64Array;
  /** Whose they are: places in the list of workers. */
  readonly owners: Uint16Array;
}

/** The virtual nodes of a ring that is there already. */
export interface NodesThere {
  readonly workerIds: readonly string[];
  readonly counts: readonly number[];
  readonly nodes: VirtualNodes;
}

export function nodeCountOf(weight: number, virtualNodes: number): number {
  return Math.max(1, Math.round(weight * virtualNodes));
}

/** So many virtual nodes are worked on in one step: some 10 ms. */
const nodesInStep = 65_536;
/** Merging takes less. */
const mergedInStep = 4 * nodesInStep;

/**
 * The virtual nodes of these workers, `counts` each. Each is packed into 64 bits, position × 2^16 + the worker's place, which sort
 * without a comparison function; they are written and read as halves of 32 bits, since BigInts would take many times as long.
 */
export function* nodesOf(workerIds: readonly string[], counts: readonly number[]): Steps<VirtualNodes> {
  const nodes = new BigUint64Array(counts.reduce((sum, count) => sum + count, 0));
  const halves = new Uint32Array(nodes.buffer);
  let next = 0;
  for (const [place, workerId] of workerIds.entries()) {
    const count = counts[place] ?? 0;
    for (let i = 0; i < count; i += 4) {
      const digest = hash('sha256', `${workerId}#${i / 4}`, 'buffer');
      for (let group = 0; group < Math.min(4, count - i); group++, next += 2) {
        halves[next + highHalf] = digest.readUInt32BE(group * 8);
        halves[next + lowHalf] = digest.readUInt16BE(group * 8 + 4) * 2 ** workerBits + place;
      }
      if (next % (2 * nodesInStep) === 0) yield;
    }
  }
  const sorted = new Uint32Array((yield* sortedNodes(nodes)).buffer);
  const positions = new Float64Array(nodes.length);
  const owners = new Uint16Array(nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    const low = sorted[2 * i + lowHalf] as number;
    positions[i] = (sorted[2 * i + highHalf] as number) * 2 ** 16 + (low >>> workerBits);
    owners[i] = low % maxPlaces;
    if (i % nodesInStep === nodesInStep - 1) yield;
  }
  return { positions, owners };
}

/** Sorts them; where they are many, in parts of about a step each, by their first bits. */
function* sortedNodes(nodes: BigUint64Array<ArrayBuffer>): Steps<BigUint64Array<ArrayBuffer>> {
  const partBits = Math.ceil(Math.log2(Math.max(1, nodes.length / nodesInStep)));
  if (partBits === 0) return nodes.sort();
  const halves = new Uint32Array(nodes.buffer);
  const partOf = (i: number) => (halves[2 * i + highHalf] as number) >>> (32 - partBits);
  const ends = new Uint32Array(2 ** partBits);
  for (let i = 0; i < nodes.length; i++) {
    ends[partOf(i)] = (ends[partOf(i)] as number) + 1;
    if (i % nodesInStep === nodesInStep - 1) yield;
  }
  for (let part = 1; part < ends.length; part++)
    ends[part] = (ends[part] as number) + (ends[part - 1] as number);
  const starts = Uint32Array.from(ends, (_, part) => (part === 0 ? 0 : (ends[part - 1] as number)));
  const parted = new Uint32Array(halves.length);
  const filled = Uint32Array.from(starts);
  for (let i = 0; i < nodes.length; i++) {
    const part = partOf(i);
    const to = filled[part] as number;
    filled[part] = to + 1;
    parted[2 * to] = halves[2 * i] as number;
    parted[2 * to + 1] = halves[2 * i + 1] as number;
    if (i % nodesInStep === nodesInStep - 1) yield;
  }
  const sorted = new BigUint64Array(parted.buffer);
  for (const [part, end] of ends.entries()) {
    sorted.subarray(starts[part], end).sort();
    yield;
  }
  return sorted;
}

/** The same as `nodesOf`, made from what is there: what is new is merged into what stays. Both lists of workers are in order. */
export function* changedNodes(
  there: NodesThere,
  workerIds: readonly string[],
  counts: readonly number[],
): Steps<VirtualNodes> {
  const before = new Map(there.workerIds.map((workerId, place) => [workerId, place]));
  /** By the place that was: the place that is, or -1 for who is gone. */
  const places = new Int32Array(there.workerIds.length).fill(-1);
  const newPlaces: number[] = [];
  for (const [place, workerId] of workerIds.entries()) {
    const old = before.get(workerId);
    if (old !== undefined && there.counts[old] === counts[place]) places[old] = place;
    else newPlaces.push(place);
  }
  const added = yield* nodesOf(
    newPlaces.map((place) => workerIds[place] ?? ''),
    newPlaces.map((place) => counts[place] ?? 0),
  );
  return yield* merge(there.nodes, places, added, Int32Array.from(newPlaces));
}

/** `places` and `newPlaces` say what the owners of each are from now on; what is at -1 is left out. */
function* merge(
  kept: VirtualNodes,
  places: Int32Array,
  added: VirtualNodes,
  newPlaces: Int32Array,
): Steps<VirtualNodes> {
  let count = added.owners.length;
  for (let i = 0; i < kept.owners.length; i++) {
    if ((places[kept.owners[i] as number] as number) >= 0) count++;
    if (i % mergedInStep === mergedInStep - 1) yield;
  }
  const positions = new Float64Array(count);
  const owners = new Uint16Array(count);
  let next = 0;
  let other = 0;
  // What comes next of those that are added; beyond every position when there is no more.
  let otherPosition = added.positions[0] ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i <= kept.owners.length; i++) {
    const isEnd = i === kept.owners.length;
    const owner = isEnd ? maxPlaces : (places[kept.owners[i] as number] as number);
    if (owner < 0) continue;
    const position = isEnd ? Number.MAX_VALUE : (kept.positions[i] as number);
    while (otherPosition <= position) {
      const otherOwner = newPlaces[added.owners[other] as number] as number;
      if (otherPosition === position && otherOwner > owner) break;
      positions[next] = otherPosition;
      owners[next++] = otherOwner;
      otherPosition = added.positions[++other] ?? Number.POSITIVE_INFINITY;
    }
    if (isEnd) break;
    positions[next] = position;
    owners[next++] = owner;
    if (i % mergedInStep === mergedInStep - 1) yield;
  }
  return { positions, owners };
}
