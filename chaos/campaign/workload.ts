import { setTimeout as sleep } from 'node:timers/promises';
import type { Draws } from '../../fuzz/lib/draws.ts';
import { type Door, isWell } from './door.ts';
import type { ReadQuestion } from './read-answer.ts';
import type { Reads } from './reads.ts';
import type { Record } from './record.ts';
import type { Demand } from './write-answer.ts';
import type { Writes } from './writes.ts';

export const listedPrefix = 'listed/';

/** Keys that everybody reads and writes; some of them are listed. */
export const workloadKeys: readonly string[] = [
  ...Array.from({ length: 12 }, (_, index) => `hot-${index}`),
  ...Array.from({ length: 8 }, (_, index) => `cold-${index}`),
  ...Array.from({ length: 30 }, (_, index) => `${listedPrefix}${String(index).padStart(2, '0')}`),
];

/** Looks that nobody waits for, at once at most. */
const maxFollowing = 40;

export interface WorkloadSettings {
  readonly clients: number;
  /** Operations of all clients together, at most. */
  readonly perSecond: number;
  /** Of a hundred operations so many change something. */
  readonly changes: number;
  /** Behind the nodes' back, of a hundred changes. */
  readonly outside: number;
}

/** What clients do: draws an operation, a key and a door, again and again. */
export class Workload {
  private readonly draws: Draws;
  private readonly record: Record;
  private readonly reads: Reads;
  private readonly writes: Writes;
  /** Of nodes that run, whatever is done to them. */
  private readonly doors: () => readonly Door[];
  private readonly storage: Door;
  private readonly settings: WorkloadSettings;
  private readonly following = new Set<Promise<void>>();
  /** ETags that keys may have by now, for conditions that hold now and then. */
  private readonly etags = new Map<string, string>();

  constructor(
    draws: Draws,
    record: Record,
    reads: Reads,
    writes: Writes,
    doors: () => readonly Door[],
    storage: Door,
    settings: WorkloadSettings,
  ) {
    this.draws = draws;
    this.record = record;
    this.reads = reads;
    this.writes = writes;
    this.doors = doors;
    this.storage = storage;
    this.settings = settings;
    record.onEtag = (key, etag) => this.etags.set(key, etag);
  }

  /** Goes on until the signal; resolves when each client has its last answer. */
  async run(signal: AbortSignal): Promise<void> {
    const { clients, perSecond } = this.settings;
    const everyMs = (1000 * clients) / perSecond;
    const client = async () => {
      for (
        let nextMs = this.record.nowMs() + this.draws.next() * everyMs;
        !signal.aborted;
        nextMs += everyMs
      ) {
        const waitMs = nextMs - this.record.nowMs();
        if (waitMs > 0) await sleep(waitMs);
        // What a slow answer made late is not made up for.
        else nextMs -= waitMs;
        if (!signal.aborted) await this.once();
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    await Promise.all(this.following);
  }

  /** A PUT whose body comes over so long. */
  async slowPut(door: Door, overMs: number): Promise<void> {
    await this.writes.put(door, this.draws.pick(workloadKeys), 200_000, undefined, overMs);
  }

  /** A node that runs; more often than not one that nothing is done to, since clients that wait ask for nothing. */
  door(): Door {
    const doors = this.doors();
    const well = this.draws.chance(0.7) ? this.wellDoor() : undefined;
    return well ?? (doors.length > 0 ? this.draws.pick(doors) : this.storage);
  }

  private readonly wellDoor = (): Door | undefined => {
    const doors = this.doors().filter(isWell);
    return doors.length > 0 ? this.draws.pick(doors) : undefined;
  };

  private key(): string {
    const group = this.draws.weighted([
      [5, 'hot'],
      [1, 'cold'],
      [3, 'listed'],
    ]);
    return this.draws.pick(workloadKeys.filter((key) => key.startsWith(group)));
  }

  private sizeBytes(): number {
    const { draws } = this;
    return draws.weighted([
      [1, 0],
      [8, 1 + draws.below(4_000)],
      [4, 1 + draws.below(100_000)],
      [1, 100_000 + draws.below(400_000)],
    ]);
  }

  /** Mostly one operation; now and then several at once on one key, or a change and a look at it through another node. */
  private async once(): Promise<void> {
    const key = this.key();
    const { draws } = this;
    if (draws.chance(0.06)) {
      await Promise.all(draws.list(2 + draws.below(3), () => this.operation(this.door(), key)));
      return;
    }
    await this.operation(this.door(), key);
    if (draws.chance(0.5)) this.follow(key);
  }

  /** A look at what was just done, without waiting for it, if possible through a node that something is done to. */
  private follow(key: string): void {
    if (this.following.size >= maxFollowing) return;
    const troubled = this.doors().filter((door) => !isWell(door) || door.node?.isHeld);
    const door = troubled.length > 0 ? this.draws.pick(troubled) : this.door();
    const looking = this.read(door, { method: 'GET', key }).finally(() => this.following.delete(looking));
    this.following.add(looking);
  }

  private operation(door: Door, key: string): Promise<void> {
    const isChange = this.draws.chance(this.settings.changes / 100);
    const operation = this.draws.weighted<() => Promise<void>>(
      isChange
        ? [
            [18, () => this.put(door, key)],
            [8, () => this.put(door, key, this.demand(key))],
            [6, () => this.writes.remove(this.changeDoor(door), key)],
            [2, () => this.writes.remove(door, key, this.ifMatch(key))],
            [5, () => this.copy(door, key)],
            [4, () => this.upload(door, key)],
          ]
        : [
            [26, () => this.read(door, { method: 'GET', key })],
            [10, () => this.read(door, { method: 'HEAD', key })],
            [10, () => this.read(door, { method: 'GET', key, range: this.range() })],
            [6, () => this.read(door, { method: 'GET', key, ...this.condition(key) })],
            [5, () => this.reads.list(() => this.door(), this.wellDoor, listedPrefix)],
          ],
    );
    return operation();
  }

  private read(door: Door, question: ReadQuestion): Promise<void> {
    return this.reads.read(door, this.wellDoor, question);
  }

  private put(door: Door, key: string, demand?: Demand): Promise<void> {
    return this.writes.put(this.changeDoor(door), key, this.sizeBytes(), demand);
  }

  private upload(door: Door, key: string): Promise<void> {
    const demand = this.draws.chance(0.3) ? this.demand(key) : undefined;
    return this.writes.upload(door, this.door(), key, this.sizeBytes() + 1, demand);
  }

  private async copy(door: Door, key: string): Promise<void> {
    const source = this.key();
    if (source !== key) await this.writes.copy(door, source, key);
  }

  /** The same, or none at all. */
  private changeDoor(door: Door): Door {
    return this.draws.chance(this.settings.outside / 100) ? this.storage : door;
  }

  private range(): { readonly from: number; readonly to: number } {
    const from = this.draws.below(this.draws.pick([600, 5_000, 100_000, 300_000]));
    return { from, to: from + this.draws.below(this.draws.pick([10, 2_000, 150_000])) };
  }

  private condition(key: string): Pick<ReadQuestion, 'ifMatch' | 'ifNoneMatch'> {
    const etag = this.etags.get(key);
    if (etag === undefined) return {};
    return this.draws.chance(0.5) ? { ifMatch: etag } : { ifNoneMatch: etag };
  }

  private demand(key: string): Demand {
    return this.draws.chance(0.5) ? { kind: 'absent' } : (this.ifMatch(key) ?? { kind: 'absent' });
  }

  private ifMatch(key: string): Demand | undefined {
    const etag = this.etags.get(key);
    return etag === undefined ? undefined : { kind: 'etag', etag };
  }
}
