import { setTimeout as sleep } from 'node:timers/promises';
import { Draws } from '../../fuzz/lib/draws.ts';
import { checkKey, type KeyViolation } from '../checker/check-key.ts';
import { describeHistory } from '../checker/describe-history.ts';
import { shrinkHistory } from '../checker/shrink-history.ts';
import { storageBucket } from '../cluster/storage-process.ts';
import type { FaultScene } from '../faults/fault.ts';
import { lookAfter } from '../faults/raise-generation.ts';
import { allFaults, Schedule } from '../faults/schedule.ts';
import { flushed, mountBack } from '../world/pending-sets.ts';
import { World, type WorldOptions } from '../world/world.ts';
import type { WorldNode } from '../world/world-node.ts';
import { Availability } from './availability.ts';
import { Client } from './client.ts';
import type { Door } from './door.ts';
import { agree, heal } from './final-check.ts';
import { Reads } from './reads.ts';
import { type Complaint, Record } from './record.ts';
import { Stillness } from './stillness.ts';
import { Workload, type WorkloadSettings, workloadKeys } from './workload.ts';
import { Writes } from './writes.ts';

export interface CampaignSettings extends WorldOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly workload: WorkloadSettings;
  /** Nodes take it that a change without an answer comes no later than after so many milliseconds. */
  readonly settlingMs: number;
  /** How old what nodes answer may be, milliseconds; undefined: not at all. */
  readonly freshMs?: number;
  /** `back`: writes are acknowledged before the storage has them. */
  readonly mode: 'through' | 'back';
  /** Faults that are done, by name; all of them if undefined. */
  readonly only?: readonly string[];
}

export interface CampaignResult {
  readonly operations: number;
  /** What histories are made of: a page of a list tells of several keys. */
  readonly observations: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly overlaps: number;
  readonly availability: Availability;
  readonly complaints: readonly Complaint[];
  readonly violations: readonly (KeyViolation & {
    readonly history: string;
    readonly storage: readonly string[];
  })[];
  /** What was done, in order. */
  readonly events: readonly string[];
  /** How often the machine stood still. */
  readonly stills: number;
  /** Nodes that ended before they were ready, and were started again. */
  readonly failedStarts: number;
  /** Requests that reached the storage. */
  readonly storageRequests: number;
  /** Connections between nodes. */
  readonly peerConnections: number;
  /** Bytes between nodes that met a cut. */
  readonly cutBytes: number;
}

const bucket = 'chaos';
/** Nodes that nothing is done to, so that the others are found wanting. */
const leftAlone = 2;

/**
 * One cluster, its clients and its faults for a while; then everything is undone, and what clients saw is judged. With the signal it rejects
 * with its reason, when all that it started is ended.
 */
export async function runCampaign(settings: CampaignSettings, stop: AbortSignal): Promise<CampaignResult> {
  const world = await World.start(settings);
  const stopped = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => reject(stop.reason));
  });
  try {
    stop.throwIfAborted();
    return await Promise.race([new Campaign(world, settings).run(), stopped]);
  } finally {
    await world.close();
  }
}

class Campaign {
  private readonly world: World;
  private readonly settings: CampaignSettings;
  private readonly record = new Record(workloadKeys);
  private readonly availability = new Availability();
  private readonly reads: Reads;
  private readonly workload: Workload;
  private readonly schedule: Schedule;
  private readonly doors = new Map<WorldNode, Door>();
  private readonly storage: Door;
  private readonly stillness = new Stillness();
  private readonly events: string[] = [];
  private readonly ended = new AbortController();

  constructor(world: World, settings: CampaignSettings) {
    this.world = world;
    this.settings = settings;
    const { plan } = world;
    const client = new Client('the storage', plan.storagePort, plan.storage);
    this.storage = {
      name: 'the storage',
      client,
      wasStill: (ms) => this.stillness.wasSince(ms),
      base: `/${storageBucket}/${bucket}/`,
    };
    // Faults and clients draw apart, so that an answer that comes later changes no fault.
    const draws = new Draws(settings.seed);
    // What is pending is told by who keeps it, so that reads wait for another one to take it over.
    this.reads = new Reads(this.record, this.availability, draws, settings.freshMs, settings.mode !== 'back');
    const writes = new Writes(this.record, this.availability);
    const doors = () => world.members.map((node) => this.doorOf(node));
    this.workload = new Workload(
      draws,
      this.record,
      this.reads,
      writes,
      doors,
      this.storage,
      settings.workload,
    );
    const { only, mode } = settings;
    const faults = allFaults({ back: mode === 'back' }).filter(({ name }) => only?.includes(name) ?? true);
    this.schedule = new Schedule(faults, new Draws(settings.seed ^ 0x5eed));
  }

  async run(): Promise<CampaignResult> {
    if (this.settings.mode === 'back') await mountBack(this.world, bucket);
    else await this.makeBucket();
    const over = new AbortController();
    const operator = lookAfter(this.world, over.signal, (what) => this.tell(what));
    try {
      await Promise.race([this.untilHealed(), operator]);
    } finally {
      over.abort();
    }
    await operator;
    await agree(this.record, this.reads, [
      ...this.world.members.map((node) => this.doorOf(node)),
      this.storage,
    ]);
    for (const { client } of [...this.doors.values(), this.storage]) client.close();
    return this.judge();
  }

  private async untilHealed(): Promise<void> {
    const timer = setTimeout(() => this.ended.abort(), 1000 * this.settings.seconds);
    try {
      const { signal } = this.ended;
      await Promise.all([this.workload.run(signal), this.schedule.run(this.scene(), signal)]);
    } finally {
      clearTimeout(timer);
      this.ended.abort();
      this.stillness.end();
    }
    this.tell('everything is undone');
    await heal(this.world, this.record);
    this.tell('all nodes are ready');
    if (this.settings.mode !== 'back') return;
    const problem = await flushed(this.world, bucket);
    if (problem !== undefined) this.record.complain(problem);
    this.tell(problem ?? 'nothing is pending');
  }

  private judge(): CampaignResult {
    const violations = this.record.keys.flatMap((key) => {
      const history = this.record.historyOf(key);
      const violation = checkKey(history);
      if (!violation) return [];
      const seen = this.world.storage.of(violation.key, this.record.startedMs, violation.at);
      // To be judged again, with more patience.
      const whole = violation.kind === 'undecided' ? { operations: history.operations } : {};
      return [{ ...violation, history: describeHistory(shrinkHistory(history)), storage: seen, ...whole }];
    });
    return {
      operations: this.availability.asked,
      observations: this.record.observations,
      faults: this.schedule.counts,
      overlaps: this.schedule.overlaps,
      availability: this.availability,
      complaints: this.record.complaints,
      violations,
      events: this.events,
      stills: this.stillness.count,
      failedStarts: this.world.nodes.reduce((sum, node) => sum + node.process.failedStarts, 0),
      storageRequests: this.world.storage.requestCount,
      peerConnections: this.world.links.opened,
      cutBytes: this.world.links.cutBytes,
    };
  }

  private scene(): FaultScene {
    const { world } = this;
    const draws = new Draws(this.settings.seed ^ 0xfa17);
    return {
      world,
      draws,
      settlingMs: this.settings.settlingMs,
      wait: (ms) => sleep(ms, undefined, { signal: this.ended.signal }).catch(() => {}),
      withNode: async (work) => {
        const free = world.members.filter((node) => !node.isHeld);
        if (free.length <= leftAlone) return false;
        const node = draws.pick(free);
        node.isHeld = true;
        try {
          await work(node);
        } finally {
          node.isHeld = false;
        }
        return true;
      },
      doorOf: (node) => this.doorOf(node),
      slowPut: (door, overMs) => this.workload.slowPut(door, overMs),
      complain: (what) => this.record.complain(what),
      tell: (what) => this.tell(what),
    };
  }

  private tell(what: string): void {
    this.events.push(`${(this.record.nowMs() / 1000).toFixed(2)} s: ${what}`);
  }

  private doorOf(node: WorldNode): Door {
    const known = this.doors.get(node);
    if (known) return known;
    const client = new Client(node.name, node.process.place.s3Port, this.world.plan.root);
    const wasStill = (ms: number) => this.stillness.wasSince(ms);
    const door: Door = { name: node.name, client, node, wasStill, base: `/${bucket}/` };
    this.doors.set(node, door);
    return door;
  }

  /** Resolves when every node knows it. */
  private async makeBucket(): Promise<void> {
    for (const node of this.world.members) {
      const { client } = this.doorOf(node);
      for (let attempt = 1; ; attempt++) {
        const outcome = await client.send({ method: 'PUT', path: `/${bucket}` });
        if (outcome.kind === 'answer' && (outcome.answer.status === 200 || outcome.answer.status === 409))
          break;
        if (attempt === 20) throw new Error(`${node.name} makes no bucket: ${JSON.stringify(outcome)}`);
        await sleep(500);
      }
    }
  }
}
