import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { caseSeed, Draws } from '../../fuzz/lib/draws.ts';
import { Client, type Outcome } from '../campaign/client.ts';
import { type FinalState, judgeLog, judgeOrder, type KeyViolation } from './judge-log.ts';
import { type ChangeKind, OperationLog, readLog, type VersionNumber } from './operation-log.ts';
import { etagsIn, PendingClient, type Shared } from './pending-client.ts';
import { lanes } from './pending-faults.ts';
import { bucket, PendingWorld } from './pending-world.ts';

export interface PendingSettings {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  /** The longest that the storage is away. */
  readonly awayMs: number;
}

export interface PendingResult {
  readonly operations: number;
  /** Changes, by kind. */
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  /** How often something was answered with anything else than was hoped for. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly storageChanges: number;
  readonly failedStarts: number;
  /** How long it took until everything was at the storage. */
  readonly flushMs: number;
  readonly violations: readonly KeyViolation[];
  /** What is wrong by itself. */
  readonly complaints: readonly string[];
  /** What was done to node and storage, with times. */
  readonly events: readonly string[];
}

const keysPerClient = 5;
/** Between two operations of a client, on average. */
const pauseMs = 60;
/** After a connection that nobody took. */
const goneMs = 250;
const flushPatienceMs = 180_000;

/**
 * Clients change keys while the node is killed, its disk full and its storage out of order; then all is whole again, everything is brought to the
 * storage, and their logs are compared with what lies there. Rejects if it could not be carried out.
 */
export async function runPendingCampaign(
  settings: PendingSettings,
  signal: AbortSignal,
): Promise<PendingResult> {
  const world = await PendingWorld.start({});
  try {
    return await new Campaign(world, settings).run(signal);
  } finally {
    await world.close();
  }
}

class Campaign implements Shared {
  operations = 0;
  private readonly world: PendingWorld;
  private readonly settings: PendingSettings;
  private readonly startMs = performance.now();
  private readonly complaints: string[] = [];
  private readonly events: string[] = [];
  private readonly faults = new Map<string, number>();
  private readonly refusals = new Map<string, number>();
  private readonly answered = new Map<string, number>();
  private version = 0;

  constructor(world: PendingWorld, settings: PendingSettings) {
    this.world = world;
    this.settings = settings;
  }

  nextVersion(): VersionNumber {
    this.version += 1;
    return this.version;
  }

  complain(what: string): void {
    this.complaints.push(`${this.time()} ${what}`);
  }

  acknowledged(kind: ChangeKind): void {
    this.answered.set(kind, 1 + (this.answered.get(kind) ?? 0));
  }

  refused(what: string): void {
    this.refusals.set(what, 1 + (this.refusals.get(what) ?? 0));
  }

  async run(stopped: AbortSignal): Promise<PendingResult> {
    const { seed, seconds, clients: count } = this.settings;
    const { world } = this;
    const over = AbortSignal.any([AbortSignal.timeout(1_000 * seconds), stopped]);
    const client = new Client('the node', world.node.s3Port, world.plan.root);
    const logs: OperationLog[] = [];
    const clients: PendingClient[] = [];
    for (let index = 0; index < count; index++) {
      const log = await OperationLog.create(join(world.plan.folder, `client-${index}.log`));
      const draws = new Draws(caseSeed(seed, index));
      clients.push(new PendingClient(`w${index}`, keysPerClient, client, draws, log, this));
      logs.push(log);
    }
    await Promise.all([
      ...clients.map((one, index) => this.work(one, new Draws(caseSeed(seed, 1_000 + index)), over)),
      ...lanes.map((_, index) => this.harm(index, over)),
    ]);
    stopped.throwIfAborted();
    const flushMs = await this.settle();
    const finals = await this.look(client, clients);
    for (const log of logs) await log.close();
    client.close();
    const lines = (await Promise.all(logs.map(({ path }) => readLog(path)))).flat();
    const order = judgeOrder(world.applied, lines);
    return {
      operations: this.operations,
      acknowledged: this.answered,
      faults: this.faults,
      refusals: this.refusals,
      storageChanges: world.applied.length,
      failedStarts: world.node.failedStarts,
      flushMs,
      violations: judgeLog(lines, finals),
      complaints: [...this.complaints, ...order],
      events: this.events,
    };
  }

  private async work(client: PendingClient, draws: Draws, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const isServed = await client.act();
      await sleep(isServed ? draws.below(2 * pauseMs) : goneMs);
    }
  }

  private async harm(lane: number, over: AbortSignal): Promise<void> {
    const draws = new Draws(caseSeed(this.settings.seed, 2_000 + lane));
    const wait = (ms: number) => sleep(ms, undefined, { signal: over }).catch(() => undefined);
    const tell = (what: string) => this.events.push(`${this.time()} ${what}`);
    const { world } = this;
    while (!over.aborted) {
      const name = await lanes[lane]?.({ world, draws, awayMs: this.settings.awayMs, wait, tell });
      // One that began when the campaign ended harmed nobody.
      if (name !== undefined && !over.aborted) this.faults.set(name, 1 + (this.faults.get(name) ?? 0));
    }
  }

  /** Everything is whole; the node is killed a last time, and what is pending then is brought to its storage. */
  private async settle(): Promise<number> {
    const { world } = this;
    await world.proxy.settled();
    await world.node.kill();
    await world.node.start();
    const startMs = performance.now();
    if (!(await world.flushed(flushPatienceMs))) {
      const { changes } = (await world.node.admin('GET', `/v1/pending/${bucket}`)) as { changes: object[] };
      this.complain(`it is not brought to the storage: ${JSON.stringify(changes.slice(0, 5))}`);
    }
    return performance.now() - startMs;
  }

  /** What lies there in the end: by the storage itself, and by the node; by GET and by LIST. */
  private async look(client: Client, clients: readonly PendingClient[]): Promise<FinalState[]> {
    const { world } = this;
    const direct = new Client('the storage', world.plan.storagePort, world.plan.storage);
    const doors = [
      {
        by: 'the storage',
        door: direct,
        pathOf: (key: string) => world.pathAtStorage(key),
        ...world.listAtStorage,
      },
      {
        by: 'the node',
        door: client,
        pathOf: (key: string) => `/${bucket}/${key}`,
        path: `/${bucket}`,
        prefix: '',
      },
    ];
    const finals: FinalState[] = [];
    for (const { by, door, pathOf, path, prefix } of doors) {
      const query = [
        ['list-type', '2'],
        ['prefix', prefix],
      ] as const;
      const listed = etagsIn(bodyOf(await door.send({ method: 'GET', path, query })), prefix);
      const [gets, lists] = [new Map<string, VersionNumber>(), new Map<string, VersionNumber>()];
      for (const one of clients) {
        for (const key of one.keys) {
          const version = one.versionOf(key, by, await door.send({ method: 'GET', path: pathOf(key) }));
          if (version === undefined) this.complain(`${by} does not say what ${key} is in the end`);
          gets.set(key, version ?? -1);
          lists.set(key, one.listedVersion(key, listed));
          listed.delete(key);
        }
      }
      // What the storage is tried with stays where the node is killed while it tries.
      for (const key of listed.keys()) if (key.startsWith('.forebay-check-')) listed.delete(key);
      if (listed.size > 0) this.complain(`${by} lists ${[...listed.keys()].join(', ')}, which nobody wrote`);
      finals.push({ by: `GET of ${by}`, versions: gets }, { by: `LIST of ${by}`, versions: lists });
    }
    direct.close();
    return finals;
  }

  private time(): string {
    return `${((performance.now() - this.startMs) / 1_000).toFixed(2)} s:`;
  }
}

function bodyOf(outcome: Outcome): string {
  return outcome.kind === 'answer' ? outcome.answer.body.toString() : '';
}
