import { hash } from 'node:crypto';

const workerBits = 16;
const maxPlaces = 2 ** workerBits;

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

/**
 * The virtual nodes of these workers, `counts` each. Each is packed into 64 bits, position × 2^16 + the worker's place, which sort
 * without a comparison function; they are written and read as halves of 32 bits, since BigInts would take many times as long.
 */
export function nodesOf(workerIds: readonly string[], counts: readonly number[]): VirtualNodes {
  const nodes = new BigUint64Array(counts.reduce((sum, count) => sum + count, 0));
  const halves = new Uint32Array(nodes.buffer);
  const low = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
  let next = 0;
  for (const [place, workerId] of workerIds.entries()) {
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
    owners[i] = lowHalf % maxPlaces;
  }
  return { positions, owners };
}

/** The same as `nodesOf`, made from what is there: what is new is merged into what stays. Both lists of workers are in order. */
export function changedNodes(
  there: NodesThere,
  workerIds: readonly string[],
  counts: readonly number[],
): VirtualNodes {
  const before = new Map(there.workerIds.map((workerId, place) => [workerId, place]));
  /** By the place that was: the place that is, or -1 for who is gone. */
  const places = new Int32Array(there.workerIds.length).fill(-1);
  const newPlaces: number[] = [];
  for (const [place, workerId] of workerIds.entries()) {
    const old = before.get(workerId);
    if (old !== undefined && there.counts[old] === counts[place]) places[old] = place;
    else newPlaces.push(place);
  }
  const added = nodesOf(
    newPlaces.map((place) => workerIds[place] ?? ''),
    newPlaces.map((place) => counts[place] ?? 0),
  );
  return merge(there.nodes, places, added, Int32Array.from(newPlaces));
}

/** `places` and `newPlaces` say what the owners of each are from now on; what is at -1 is left out. */
function merge(
  kept: VirtualNodes,
  places: Int32Array,
  added: VirtualNodes,
  newPlaces: Int32Array,
): VirtualNodes {
  let count = added.owners.length;
  for (let i = 0; i < kept.owners.length; i++) if ((places[kept.owners[i] as number] as number) >= 0) count++;
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
  }
  return { positions, owners };
}
