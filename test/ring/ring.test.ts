import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { hashObject, Ring, type RingWorker, segmentPosition } from '../../src/ring/ring.ts';

interface Vectors {
  readonly objects: readonly { incarnation: string; path: string; hash: number }[];
  readonly positions: readonly { hash: number; segment: number; position: number }[];
  readonly rings: readonly {
    workers: RingWorker[];
    virtualNodes: number;
    owners: { hash: number; segment: number; owner: string }[];
  }[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8'));

/** UUIDs that are the same in every run. */
function workers(count: number, seed: string): RingWorker[] {
  return Array.from({ length: count }, (_, i) => {
    const hex = hash('sha256', `${seed}-${i}`, 'hex');
    const parts = [
      hex.slice(0, 8),
      hex.slice(8, 12),
      hex.slice(12, 16),
      hex.slice(16, 20),
      hex.slice(20, 32),
    ];
    return { workerId: parts.join('-'), weight: 1 };
  });
}

describe('the ring', () => {
  test('is the same made in steps, and in order where it is so large that it is made in parts', () => {
    const members = workers(70, 'large');
    const ring = new Ring(members);
    let steps = 0;
    const making = Ring.inSteps(members, ring.virtualNodes);
    let last = making.next();
    for (; !last.done; last = making.next()) steps += 1;
    expect(steps).toBeGreaterThan(4);
    expect(last.value).toEqual(ring);
    const { positions, owners } = ring;
    expect(positions.every((position, i) => i === 0 || position >= (positions[i - 1] as number))).toBe(true);
    const counts = new Array<number>(70).fill(0);
    for (const owner of owners) counts[owner] = (counts[owner] as number) + 1;
    expect(new Set(counts)).toEqual(new Set([ring.virtualNodes]));
    // Each member's own are where a ring of that member alone has them.
    for (const [place, member] of ring.workers.entries()) {
      if (place % 23 !== 0) continue;
      const own = positions.filter((_, i) => owners[i] === place);
      expect(own).toEqual(new Ring([member]).positions);
    }
  });

  test('without some workers owns as the ring that does not have them', () => {
    const all = workers(7, 'without');
    const ring = new Ring(all, 32);
    for (const gone of [all.slice(0, 1), all.slice(2, 5), all.slice(1), all]) {
      const without = new Set(gone.map(({ workerId }) => workerId));
      const smaller = new Ring(
        all.filter(({ workerId }) => !without.has(workerId)),
        32,
      );
      for (let i = 0; i < 300; i++) {
        const object = hashObject('incarnation', `object-${i}`);
        expect(ring.ownerOf(object, i % 3, without)).toBe(smaller.ownerOf(object, i % 3));
      }
    }
  });

  test('agrees with the test vectors that clients in other languages share', () => {
    for (const { incarnation, path, hash: expected } of vectors.objects) {
      expect(hashObject(incarnation, path)).toBe(expected);
    }
    for (const { hash: objectHash, segment, position } of vectors.positions) {
      expect(segmentPosition(objectHash, segment)).toBe(position);
    }
    for (const { workers: members, virtualNodes, owners } of vectors.rings) {
      const ring = new Ring(members, virtualNodes);
      for (const { hash: objectHash, segment, owner } of owners) {
        expect(ring.ownerOf(objectHash, segment)).toBe(owner);
      }
    }
  });

  test('agrees with a second reading of its definition', () => {
    const members = workers(5, 'second');
    const nodes = members
      .flatMap(({ workerId }) =>
        Array.from({ length: 10 }, (_, i) => {
          const digest = hash('sha256', `${workerId}#${Math.floor(i / 4)}`, 'hex');
          return { at: BigInt(`0x${digest.slice((i % 4) * 16, (i % 4) * 16 + 12)}`), workerId };
        }),
      )
      .sort((a, b) => (a.at < b.at ? -1 : 1));
    const ring = new Ring(members, 10);
    for (let i = 0; i < 500; i++) {
      const position = BigInt(`0x${hash('sha256', `p${i}`, 'hex').slice(0, 12)}`);
      const expected = nodes.find((node) => node.at >= position) ?? nodes[0];
      expect(ring.ownerAt(Number(position))).toBe(expected?.workerId);
    }
  });

  test('does not depend on the order in which workers are named', () => {
    const members = workers(7, 'order');
    const rings = [new Ring(members, 100), new Ring(members.toReversed(), 100)];
    for (let i = 0; i < 300; i++) {
      const objectHash = hashObject('m', `k${i}`);
      expect(rings[1]?.ownerOf(objectHash, i)).toBe(rings[0]?.ownerOf(objectHash, i));
    }
  });

  test('has no owner without workers, and one owner with one', () => {
    expect(new Ring([]).ownerOf(5, 0)).toBeUndefined();
    const [only] = workers(1, 'one') as [RingWorker];
    const ring = new Ring([only]);
    for (const position of [0, 1, 2 ** 47, 2 ** 48 - 1]) expect(ring.ownerAt(position)).toBe(only.workerId);
  });

  test('is balanced: the heaviest worker has at most a tenth more than the mean', () => {
    for (const count of [2, 3, 10, 20, 35, 50]) {
      for (const seed of ['a', 'b', 'c']) {
        const shares = [...new Ring(workers(count, `${seed}${count}`)).shares().values()];
        expect(Math.max(...shares) * count).toBeLessThanOrEqual(1.1);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      }
    }
  });

  test('places the segments of objects by those shares', () => {
    const ring = new Ring(workers(10, 'objects'));
    const counts = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      const objectHash = hashObject('mount', `object-${i % 200}`);
      const owner = ring.ownerOf(objectHash, Math.floor(i / 200)) ?? '';
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    for (const [workerId, share] of ring.shares()) {
      expect(Math.abs((counts.get(workerId) ?? 0) / 20_000 - share)).toBeLessThan(0.012);
    }
  });

  test('gives a worker of twice the weight twice the share', () => {
    const members = workers(10, 'weights').map((worker, i) => ({ ...worker, weight: i === 0 ? 2 : 1 }));
    const share = new Ring(members).shares().get(members[0]?.workerId ?? '') ?? 0;
    expect(share * 11).toBeGreaterThan(1.8);
    expect(share * 11).toBeLessThan(2.2);
  });

  test('moves little more than the share of a worker that joins or leaves, and nothing between the others', () => {
    for (const count of [10, 30, 50]) {
      const members = workers(count + 1, `join${count}`);
      const before = new Ring(members.slice(0, count));
      const after = new Ring(members);
      const joined = members[count]?.workerId ?? '';
      let moved = 0;
      const samples = 40_000;
      for (let i = 0; i < samples; i++) {
        const position = ((i + 0.5) / samples) * 2 ** 48;
        const [old, present] = [before.ownerAt(position), after.ownerAt(position)];
        if (old === present) continue;
        expect(present).toBe(joined);
        moved++;
      }
      expect(moved / samples).toBeLessThanOrEqual(1.15 / (count + 1));
      expect(moved / samples).toBeGreaterThanOrEqual(0.85 / (count + 1));
    }
  });

  test('is the same ring when it is made out of another', () => {
    const all = workers(12, 'changed');
    const pick = (...places: number[]) => places.map((place) => all[place] as RingWorker);
    const double = { ...(all[3] as RingWorker), weight: 2 };
    const steps = [
      pick(1, 5, 9),
      pick(1, 2, 5, 9),
      pick(2, 9),
      pick(0, 11),
      [double],
      pick(3, 4),
      [],
      pick(7),
    ];
    let last = new Ring([], 50);
    for (const members of steps) {
      last = new Ring(members, 50, last);
      const fresh = new Ring(members, 50);
      expect([...last.positions]).toEqual([...fresh.positions]);
      expect([...last.owners]).toEqual([...fresh.owners]);
    }
    expect(new Ring(pick(7, 8), 30, last)).toEqual(new Ring(pick(7, 8), 30));
  });

  test('tells the arcs of each worker, which are the circle between them, and who owns what of any arc', () => {
    const ring = new Ring(workers(6, 'arcs'), 20);
    const arcs = ring.workers.flatMap(({ workerId }) =>
      ring.arcsOf(workerId).map((arc) => ({ ...arc, workerId })),
    );
    arcs.sort((a, b) => a.from - b.from);
    expect([arcs[0]?.from, arcs.at(-1)?.to]).toEqual([0, 2 ** 48 - 1]);
    for (const [i, { from, to, workerId }] of arcs.entries()) {
      if (i > 0) expect(arcs[i - 1]?.to).toBe(from - 1);
      for (const position of [from, to]) expect(ring.ownerAt(position)).toBe(workerId);
    }
    for (let i = 0; i < 200; i++) {
      const [from, to] = [i, i + 1000]
        .map((n) => Number.parseInt(hash('sha256', `${n}`, 'hex').slice(0, 12), 16))
        .sort((a, b) => a - b) as [number, number];
      let next = from;
      for (const { arc, workerId } of ring.ownersIn({ from, to })) {
        expect(arc.from).toBe(next);
        next = arc.to + 1;
        for (const position of [arc.from, arc.to]) expect(ring.ownerAt(position)).toBe(workerId);
      }
      expect(next).toBe(to + 1);
    }
    expect(new Ring([]).ownersIn({ from: 0, to: 5 })).toEqual([]);
    expect(ring.arcsOf('nobody')).toEqual([]);
  });
});
