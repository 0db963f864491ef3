import { describe, expect, test } from '@jest/globals';
import { type ClusterState, nextView, type ViewContent } from '../../src/ring/next-view.ts';
import { RingView } from '../../src/ring/ring-view.ts';
import {
  defaultRingSettings,
  type MemberRecord,
  pointerTo,
  type ViewRecord,
  viewAfter,
} from '../../src/ring/view-record.ts';

const member = (n: number, changes: Partial<MemberRecord> = {}): MemberRecord => ({
  workerId: `worker-${n}`,
  incarnation: `start-${n}`,
  host: '10.0.0.1',
  peerPort: 9002,
  s3Url: 'http://10.0.0.1:9000',
  adminUrl: 'http://10.0.0.1:9001',
  weight: 1,
  state: 'joined',
  ...changes,
});
const members = (...numbers: number[]) => numbers.map((n) => member(n));
const suspicion = (accused: number, by: number) => ({
  workerId: `worker-${accused}`,
  incarnation: `start-${accused}`,
  by: `worker-${by}`,
});
const state = (alive: readonly MemberRecord[], changes: Partial<ClusterState> = {}): ClusterState => ({
  settings: { ...defaultRingSettings, virtualNodes: 32 },
  alive,
  suspicions: [],
  registered: [],
  lostLately: [],
  thaw: false,
  ...changes,
});
let made = 0;
const recordOf = (content: ViewContent | undefined, before?: ViewRecord): ViewRecord => ({
  ...(content as ViewContent),
  generation: 1,
  epoch: (before?.epoch ?? 0) + 1,
  id: `view-${++made}`,
  previousId: before?.id ?? '',
});
const first = (...numbers: number[]) => recordOf(nextView(undefined, state(members(...numbers))));
const placed = (content: ViewContent | undefined) => content?.placement?.map(({ workerId }) => workerId);
const statesOf = (content: ViewContent | undefined) => content?.members.map((one) => one.state);

describe('the next view', () => {
  test('has those that are alive in order, and is not written where it would be the same', () => {
    const view = first(3, 1, 2);
    expect(view.members.map(({ workerId }) => workerId)).toEqual(['worker-1', 'worker-2', 'worker-3']);
    expect(nextView(view, state(members(2, 3, 1)))).toBeUndefined();
  });

  test.each<[string, MemberRecord]>([
    ['another start of a worker', member(2, { incarnation: 'later' })],
    ['another address', member(2, { host: '10.0.0.9' })],
    ['another weight', member(2, { weight: 2 })],
    ['a node that drains', member(2, { state: 'draining' })],
  ])('is written for %s', (_, changed) => {
    expect(nextView(first(1, 2), state([member(1), changed]))?.members[1]).toEqual(changed);
  });

  test.each([
    [10, 3, false],
    [10, 4, true],
    [9, 3, false],
    [9, 4, true],
    [3, 2, false],
    [4, 2, true],
  ])('of %i workers that lose %i at once: pages stay placed on all of them: %s', (count, lost, isFrozen) => {
    const all = Array.from({ length: count }, (_, i) => i);
    const content = nextView(first(...all), state(members(...all.slice(lost))));
    expect(content?.frozen).toBe(isFrozen);
    expect(placed(content)?.length).toBe(isFrozen ? count : undefined);
  });

  test('counts losses together that came one after the other, and no node that said goodbye', () => {
    const view = recordOf(nextView(undefined, state(members(3, 4, 5, 6))));
    const lostLately = members(1, 2);
    expect(placed(nextView(view, state(members(4, 5, 6), { lostLately })))).toHaveLength(6);
    const drained = members(1, 2, 3, 4, 5, 6).map((one) =>
      one.workerId < 'worker-4' ? { ...one, state: 'draining' as const } : one,
    );
    const draining = recordOf(nextView(first(1, 2, 3, 4, 5, 6), state(drained)));
    expect(draining.frozen).toBe(false);
    expect(nextView(draining, state(members(4, 5, 6)))?.frozen).toBe(false);
  });

  test('thaws when enough workers are back, or an operator says so; until then new ones get no pages', () => {
    const frozen = recordOf(nextView(first(1, 2, 3, 4, 5, 6), state(members(1, 2, 3))));
    expect(frozen.frozen).toBe(true);
    const joined = nextView(frozen, state(members(1, 2, 3, 9)));
    expect(placed(joined)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `worker-${n}`));
    expect(nextView(frozen, state(members(1, 2, 3, 4)))).toMatchObject({ frozen: false });
    expect(nextView(frozen, state(members(1, 2, 3), { thaw: true }))).toMatchObject({ frozen: false });
    expect(new RingView(frozen).writeRing.workers).toHaveLength(3);
  });

  test('takes ownership from who is suspected by a member, by that start of it alone', () => {
    const alive = members(1, 2, 3, 4);
    const of = (...suspicions: ClusterState['suspicions']) =>
      statesOf(nextView(first(1, 2), state(alive, { suspicions })));
    expect(of(suspicion(2, 1))).toEqual(['joined', 'suspect', 'joined', 'joined']);
    expect(of({ ...suspicion(2, 1), incarnation: 'earlier' })).not.toContain('suspect');
    expect(of(suspicion(2, 9))).not.toContain('suspect');
    expect(of(suspicion(2, 2))).not.toContain('suspect');
  });

  test('believes nothing of one that suspects over a third of the others', () => {
    const alive = members(1, 2, 3, 4, 5, 6, 7);
    const of = (accused: number[]) =>
      statesOf(nextView(first(1), state(alive, { suspicions: accused.map((n) => suspicion(n, 1)) })));
    expect(of([2, 3])).toContain('suspect');
    expect(of([2, 3, 4])).not.toContain('suspect');
  });

  test('lets all that are there own what nobody else can', () => {
    const draining = members(1, 2).map((one) => ({ ...one, state: 'draining' as const }));
    const view = new RingView(recordOf(nextView(undefined, state(draining))));
    expect(view.writeRing.workers).toHaveLength(2);
    expect(view.metadataOwnerOf(5)).toMatch(/^worker-/);
  });
});

describe('a pointer to a view', () => {
  test('tells how it differs from the one before, so that it need not be loaded', () => {
    const before = first(1, 2, 3);
    const changed = [member(1), member(3, { incarnation: 'later' }), member(4)];
    const after = recordOf(nextView(before, state(changed)), before);
    const pointer = JSON.parse(JSON.stringify(pointerTo(after, before)));
    expect(viewAfter(before, pointer)).toEqual(after);
    expect(viewAfter(first(1, 2, 3), pointer)).toBeUndefined();
    expect(viewAfter(undefined, pointer)).toBeUndefined();
  });

  test('does not where that would be long, or more than members changed', () => {
    const before = first(1);
    const many = Array.from({ length: 40 }, (_, i) => i);
    expect(
      pointerTo(recordOf(nextView(before, state(members(...many))), before), before).change,
    ).toBeUndefined();
    const settings = { ...defaultRingSettings, mode: 'static' as const };
    const other = recordOf(nextView(before, state(members(1), { settings })), before);
    expect(pointerTo(other, before).change).toBeUndefined();
  });
});

describe('the rings of a view', () => {
  test('remember where pages lay before, among members, through changes that move none', () => {
    const one = new RingView(first(1, 2, 3));
    const joined = recordOf(nextView(one.record, state(members(1, 2, 3, 4))), one.record);
    const two = new RingView(joined, one);
    const suspicions = [suspicion(3, 1)];
    const three = new RingView(
      recordOf(nextView(joined, state(members(1, 2, 3, 4), { suspicions })), joined),
      two,
    );
    let moved = 0;
    for (let hash = 1; hash < 2 ** 48; hash += 2 ** 39) {
      const before = one.placementOwnerOf(hash, 1);
      const isMoved = two.placementOwnerOf(hash, 1) !== before;
      if (isMoved) moved += 1;
      for (const view of [two, three]) {
        expect(view.previousPlacementOwnerOf(hash, 1)).toBe(isMoved ? before : undefined);
      }
      expect(three.metadataOwnerOf(hash)).not.toBe('worker-3');
    }
    expect(moved).toBeGreaterThan(50);
  });

  test('remember where pages lay that nobody has asked for since an earlier change', () => {
    const one = new RingView(first(1, 2, 3));
    const joined = recordOf(nextView(one.record, state(members(1, 2, 3, 4))), one.record);
    const two = new RingView(joined, one);
    const leaving = [member(1, { state: 'draining' }), ...members(2, 3, 4)];
    const three = new RingView(recordOf(nextView(joined, state(leaving)), joined), two);
    let waiting = 0;
    for (let hash = 1; hash < 2 ** 48; hash += 2 ** 39) {
      const owners = [one, two, three].map((view) => view.placementOwnerOf(hash, 1));
      const before = owners[1] === owners[2] ? owners[0] : owners[1];
      if (owners[1] === owners[2] && owners[0] !== owners[1]) waiting += 1;
      expect(three.previousPlacementOwnerOf(hash, 1)).toBe(before === owners[2] ? undefined : before);
    }
    expect(waiting).toBeGreaterThan(50);
  });
});
