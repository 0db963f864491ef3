import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/common/clock.ts';
import { silentLog } from '../../src/common/log.ts';
import { systemRandom } from '../../src/common/random.ts';
import { createMemoryStore } from '../../src/coord/memory.ts';
import { ClusterMember } from '../../src/ring/cluster-member.ts';
import { nextView } from '../../src/ring/next-view.ts';
import {
  defaultRingSettings,
  type MemberRecord,
  pointerTo,
  type ViewRecord,
} from '../../src/ring/view-record.ts';
import { CountingStore, StoreLoad } from './counting-store.ts';
import { workersOf } from './value.ts';

/** Few, so that many nodes fit into one process: the store is asked for the same. */
const settings = { ...defaultRingSettings, virtualNodes: 4 };
const never = new AbortController().signal;

export interface LoadRow {
  readonly phase: string;
  readonly nodes: number;
  readonly views: number;
  readonly virtualSeconds: number;
  readonly requestsPerNodeAndSecond: number;
  readonly eventsPerNode: number;
  readonly kilobytesPerNode: number;
}

/** A clock that stands still until everything that is due has run. */
class StepClock implements Clock {
  private now = 0;
  private readonly due = new Map<number, (() => void)[]>();

  nowMs(): number {
    return this.now;
  }

  monotonicMs(): number {
    return this.now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const atMs = Math.ceil(this.now + Math.max(1, ms));
      this.due.set(atMs, [...(this.due.get(atMs) ?? []), resolve]);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.now + ms;
    while (this.now < untilMs) {
      this.now += 1;
      const waking = this.due.get(this.now);
      if (!waking) continue;
      this.due.delete(this.now);
      for (const wake of waking) wake();
      await nextTurn();
    }
  }
}

/** What nodes ask of the store: all at once when they join, one more, in steady state, and when one has gone. */
export async function measureLoad(count: number): Promise<LoadRow[]> {
  const clock = new StepClock();
  const inner = createMemoryStore(clock, systemRandom, { rememberedChanges: 100_000 });
  const load = new StoreLoad();
  const rows: LoadRow[] = [];
  const identities = workersOf(count);
  const open = (i: number) => {
    const self = { workerId: identities[i]?.workerId ?? '', incarnation: systemRandom.uuid(), weight: 1 };
    const store = new CountingStore(inner, load);
    const own = createMemoryStore(clock, systemRandom);
    const options = { initial: settings, settlingMs: 30_000 };
    return ClusterMember.open(clock, systemRandom, silentLog(), store, own, self, options);
  };
  const members: ClusterMember[] = [];
  const phase = async (name: string, seconds: number, isDone: () => boolean) => {
    const before = members[0]?.standing.view?.epoch ?? 0;
    let passedMs = 0;
    for (; passedMs < seconds * 1000 || !isDone(); passedMs += 100) await clock.pass(100);
    const virtualSeconds = passedMs / 1000;
    rows.push({
      phase: name,
      nodes: count,
      views: (members[0]?.standing.view?.epoch ?? 0) - before,
      virtualSeconds,
      requestsPerNodeAndSecond: rounded(load.requests / count / virtualSeconds),
      eventsPerNode: rounded(load.events / count),
      kilobytesPerNode: rounded(load.bytes / count / 1000),
    });
    load.reset();
  };
  const all = (size: number) => () =>
    members.every(({ standing }) => standing.view?.members.length === size && standing.isMember);
  for (let i = 0; i < count - 1; i++) {
    const member = await open(i);
    members.push(member);
    void member.join(addressOf(i), never);
  }
  await phase('all join at once', 10, all(count - 1));
  await phase('steady', 30, () => true);
  const last = await open(count - 1);
  members.push(last);
  void last.join(addressOf(count - 1), never);
  await phase('one joins', 10, all(count));
  const gone = members.pop() as ClusterMember;
  const closing = gone.drain(2_000).then(() => gone.close());
  await phase('one drains and goes', 10, all(count - 1));
  await closing;
  return rows;
}

/** Bytes of a view, and of the pointer that tells of one that differs from it by one member. */
export function viewBytes(count: number): { readonly viewKilobytes: number; readonly pointerBytes: number } {
  const records = workersOf(count).map(
    ({ workerId, weight }, i): MemberRecord => ({
      workerId,
      incarnation: systemRandom.uuid(),
      weight,
      ...addressOf(i),
      state: 'joined',
    }),
  );
  const view = (alive: readonly MemberRecord[], before?: ViewRecord) =>
    ({
      ...nextView(before, { settings, alive, suspicions: [], registered: [], lostLately: [], thaw: false }),
      generation: 1,
      epoch: 1000 + alive.length,
      id: systemRandom.uuid(),
      previousId: before?.id ?? '',
    }) as ViewRecord;
  const before = view(records.slice(1));
  const after = view(records, before);
  return {
    viewKilobytes: rounded(JSON.stringify(after).length / 1000),
    pointerBytes: JSON.stringify(pointerTo(after, before)).length,
  };
}

function addressOf(i: number) {
  const host = `10.1.${i >> 8}.${i & 255}`;
  return { host, peerPort: 9002, s3Url: `http://${host}:9000`, adminUrl: `http://${host}:9001` };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
