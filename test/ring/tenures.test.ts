import { describe, expect, test } from '@jest/globals';
import { RingView } from '../../src/ring/ring-view.ts';
import { nameOf, type PastView, type Step, Tenures } from '../../src/ring/tenures.ts';
import { defaultRingSettings, type ViewRecord } from '../../src/ring/view-record.ts';

const starts = (...names: string[]) => names.map((workerId) => ({ workerId, incarnation: `${workerId}-1` }));
let made = 0;

/** A view with these workers, each in its first start. */
function viewOf(...names: string[]): RingView {
  const record: ViewRecord = {
    generation: 1,
    epoch: ++made,
    id: `view-${made}`,
    previousId: '',
    settings: { ...defaultRingSettings, virtualNodes: 16 },
    members: starts(...names).map((one) => ({
      ...one,
      host: '',
      peerPort: 0,
      s3Url: '',
      adminUrl: '',
      weight: 1,
      state: 'joined',
    })),
    frozen: false,
  };
  return new RingView(record);
}

const self = nameOf({ workerId: 'self', incarnation: 'self-1' });
const positions = Array.from({ length: 400 }, (_, i) => (i + 0.5) * 2 ** 48 * (1 / 400)).map(Math.floor);

const never = { untilMs: Number.NEGATIVE_INFINITY, settledMs: Number.NEGATIVE_INFINITY };

function step(
  number: number,
  view: RingView,
  pastViews: readonly PastView[],
  changes: Partial<Step> = {},
): Step {
  return {
    step: number,
    arcs: view.writeRing.arcsOf('self'),
    isUnbroken: true,
    pastViews,
    unknown: never,
    nowMs: 0,
    settlingMs: 1_000,
    ...changes,
  };
}

describe('tenures', () => {
  test('are what a node owns, since when it does, and only what is gained is claimed', () => {
    const [one, two] = [viewOf('self', 'b', 'c'), viewOf('self', 'b')];
    const first = new Tenures(self).after(step(1, one, []));
    const second = first.after(step(2, two, [{ view: one, deadAtMs: 100 }]));
    for (const position of positions) {
      expect(first.at(position)?.since).toBe(one.writeRing.ownerAt(position) === 'self' ? 1 : undefined);
      expect(first.at(position)?.claim).toBeUndefined();
      const [before, now] = [one, two].map((view) => view.writeRing.ownerAt(position));
      const tenure = second.at(position);
      expect(tenure?.since).toBe(now === 'self' ? (before === 'self' ? 1 : 2) : undefined);
      const isClaimed = now === 'self' && before !== 'self';
      expect(tenure?.claim !== undefined).toBe(isClaimed);
      if (isClaimed) expect([...(tenure?.claim?.waits().keys() ?? [])]).toEqual(['c/c-1']);
    }
  });

  test('wait for every owner that may still act, each until it has released or its time is over', () => {
    const [a, b, mine] = [viewOf('a'), viewOf('b'), viewOf('self')];
    const past = [
      { view: a, deadAtMs: 100 },
      { view: b, deadAtMs: 200 },
    ];
    const claimOf = () => new Tenures(self).after(step(3, mine, past)).at(7)?.claim;
    const released = claimOf();
    released?.release('b/b-1', 0);
    expect([released?.isReleased(99), released?.isReleased(100)]).toEqual([false, true]);
    const waited = claimOf();
    expect([waited?.isReleased(100), waited?.isReleased(199), waited?.isReleased(200)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(waited?.untilMs()).toBe(Number.NEGATIVE_INFINITY);
    const dead = new Tenures(self).after(step(3, mine, past, { nowMs: 150 })).at(7)?.claim;
    expect([...(dead?.waits().keys() ?? [])]).toEqual(['b/b-1']);
  });

  test('wait for owners that are not known, whoever has released', () => {
    const [b, mine] = [viewOf('b'), viewOf('self')];
    const past = [{ view: b, deadAtMs: 300 }];
    const claim = new Tenures(self)
      .after(step(1, mine, past, { unknown: { untilMs: 250, settledMs: 250 } }))
      .at(7)?.claim;
    claim?.release('b/b-1', 0);
    expect([claim?.isReleased(249), claim?.isReleased(250)]).toEqual([false, true]);
  });

  test('begin anew where views are missing between, and still wait where they had to', () => {
    const [a, mine] = [viewOf('a'), viewOf('self')];
    const first = new Tenures(self).after(step(1, mine, [{ view: a, deadAtMs: 100 }]));
    const kept = first.after(step(2, mine, [{ view: a, deadAtMs: 100 }]));
    expect(kept.at(7)).toMatchObject({ since: 1 });
    expect(kept.at(7)?.claim?.isReleased(50)).toBe(false);
    const broken = first.after(
      step(2, mine, [], { isUnbroken: false, unknown: { untilMs: 80, settledMs: 80 } }),
    );
    expect(broken.at(7)).toMatchObject({ since: 2 });
    expect(broken.openClaims(79)).toHaveLength(1);
    expect(broken.openClaims(80)).toHaveLength(0);
  });

  test('do not wait for the node itself, but for an earlier start of it', () => {
    const mine = viewOf('self');
    const held = new Tenures(self).after(step(1, mine, [{ view: mine, deadAtMs: 100 }]));
    expect(held.openClaims(0)).toHaveLength(0);
    const later = nameOf({ workerId: 'self', incarnation: 'self-2' });
    const restarted = new Tenures(later).after(step(1, mine, [{ view: mine, deadAtMs: 100 }]));
    expect([...(restarted.at(7)?.claim?.waits().keys() ?? [])]).toEqual(['self/self-1']);
  });

  test('are settled when what the owners before them sent can have no effect any more', () => {
    const [a, mine] = [viewOf('a'), viewOf('self')];
    const past = [{ view: a, deadAtMs: 100 }];
    const claimOf = () => new Tenures(self).after(step(2, mine, past)).at(7)?.claim;
    const answered = claimOf();
    answered?.release('a/a-1', 40);
    expect([39, 40].map((nowMs) => answered?.isSettled(nowMs))).toEqual([false, true]);
    const silent = claimOf();
    expect([100, 1_099, 1_100].map((nowMs) => silent?.isSettled(nowMs))).toEqual([false, false, true]);
    const kept = new Tenures(self).after(step(2, mine, past)).after(step(3, mine, [], { nowMs: 500 }));
    expect([kept.openClaims(500).length, kept.at(7)?.claim?.isSettled(1_099)]).toEqual([0, false]);
    expect(kept.settledMs()).toBe(1_100);
  });

  test('of a start that is gone are released at once, and settled when what it sent can have no effect any more', () => {
    const mine = viewOf('self');
    const later = nameOf({ workerId: 'self', incarnation: 'self-2' });
    const restarted = new Tenures(later, [], [self]).after(step(1, mine, [{ view: mine, deadAtMs: 100 }]));
    const claim = restarted.at(7)?.claim;
    expect([claim?.isReleased(0), claim?.isSettled(999), claim?.isSettled(1_000)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('of owners that are not known are settled when what any of them sent can have no effect any more', () => {
    const mine = viewOf('self');
    const lost = { unknown: { untilMs: -1, settledMs: 700 } };
    const claim = new Tenures(self).after(step(1, mine, [], lost)).at(7)?.claim;
    expect([claim?.isReleased(0), claim?.isSettled(699), claim?.isSettled(700)]).toEqual([true, false, true]);
  });
});
