import type { Clock } from '../../../src/common/clock.ts';
import { silentLog } from '../../../src/common/log.ts';
import type { CoordStore } from '../../../src/coord/store.ts';
import { RingStanding } from '../../../src/gateway/routing/ring-standing.ts';
import type { KeptSet } from '../../../src/pending/sets/kept-set.ts';
import { PendingSets } from '../../../src/pending/sets/pending-sets.ts';
import type { SetQuestion } from '../../../src/pending/sets/set-wire.ts';
import { WriteBack } from '../../../src/pending/write-back.ts';
import { hashObject } from '../../../src/ring/ring.ts';
import { waitMsFor } from '../../../src/ring/view-lease.ts';
import type { Backend } from '../../../src/ufs/backend.ts';
import type { OpenFile } from '../../../src/ufs/file-system.ts';
import { type Life, type Machine, testSettings } from '../../ring/virtual-node.ts';
import type { VirtualTime } from '../../ring/virtual-time.ts';
import type { Disk } from '../../support/fault-disk.ts';
import { FaultFileSystem } from '../../support/fault-file-system.ts';
import type { VirtualLinks } from './virtual-links.ts';

export const place = 'memory:';
export const incarnation = 'mount';
export const settleMs = 3_000;

export function hashOf(key: string): number {
  return hashObject(incarnation, key);
}

export interface VirtualStoreNodeOptions {
  readonly copies: number;
  readonly whenFull: 'through' | 'slow-down';
  /** As `PersisterSettings.delayMs`. */
  readonly delayMs: number;
  /** As `PendingSetsSettings.wantedCopies`, where it is not `copies`. */
  readonly wanted?: () => number;
  /** As `AttemptSettings.settleMs`. */
  readonly settleMs?: number;
  /** As `SetUploadsSettings`. */
  readonly maxUploadIdleMs?: number;
}

/** One start of a process on a machine: a storage with what is pending for it in the whole cluster. */
export class VirtualStoreNode {
  readonly machine: Machine;
  readonly life: Life;
  readonly fs: FaultFileSystem;
  readonly sets: PendingSets;
  readonly backend: Backend;
  /** Keys of changes that nobody waited for any more when they came to be pending. */
  readonly appeared: readonly string[];

  private constructor(
    machine: Machine,
    fs: FaultFileSystem,
    sets: PendingSets,
    backend: Backend,
    appeared: readonly string[],
  ) {
    this.appeared = appeared;
    this.machine = machine;
    this.life = machine.presentLife;
    this.fs = fs;
    this.sets = sets;
    this.backend = backend;
  }

  /** The machine's node is to be started already. `storage`: as this process sees it. */
  static async open(
    time: VirtualTime,
    machine: Machine,
    links: VirtualLinks,
    disk: Disk,
    storage: Backend,
    options: VirtualStoreNodeOptions,
  ): Promise<VirtualStoreNode> {
    const life = machine.presentLife;
    const clock = machine.clock as Clock;
    const fs = new FaultFileSystem(disk);
    const slow = slowly(fs, time, machine, life);
    const { random } = machine;
    const settings = {
      path: '/node',
      capacityBytes: 1e9,
      whenFull: options.whenFull,
      barrierMs: 10_000,
      settleMs: options.settleMs ?? settleMs,
      overwrites: false,
      concurrency: 4,
      delayMs: options.delayMs,
      retryMs: [50, 1_000],
      minPartSizeBytes: 5,
      maxUploadIdleMs: options.maxUploadIdleMs ?? 1e9,
    } as const;
    const events = { attempted: () => {} };
    const own = await WriteBack.open(
      slow,
      clock,
      random,
      silentLog(),
      {
        ...settings,
        path: '/node/own',
        hasCopies: () => false,
      },
      events,
    );
    const standing = new RingStanding(clock, machine.ownership, waitMsFor(testSettings.leaseMs));
    const sets = await PendingSets.open(
      slow,
      clock,
      random,
      silentLog(),
      machine.reached as CoordStore,
      links.from(machine),
      standing,
      {
        ...settings,
        origin: 'cluster',
        wantedCopies: () => options.wanted?.() ?? options.copies,
        isUsed: () => true,
        knows: () => true,
        openPlace: () => {},
      },
      events,
    );
    links.answers.set(machine.workerId, {
      life,
      answer: (request, exchange) => sets.answer(JSON.parse(request.toString()) as SetQuestion, exchange),
    });
    const appeared: string[] = [];
    const bare = own.over(place, storage, () => false);
    const backend = sets.over(place, storage, bare, {
      isBack: () => true,
      wasBack: () => true,
      copies: () => options.copies,
      hashOf,
      appeared: (key) => appeared.push(key),
    });
    return new VirtualStoreNode(machine, fs, sets, backend, appeared);
  }

  get kept(): KeptSet[] {
    return [...this.sets.kept];
  }

  get pending(): number {
    let count = 0;
    for (const set of this.sets.kept) count += [...set.entries()].length;
    return count;
  }

  /** The process is gone. */
  kill(): void {
    this.fs.stopAfter(0);
    this.machine.kill();
  }
}

/** What a disk takes its time for. */
const slowCalls: Readonly<Record<string, string>> = {
  createFile: 'sync',
  openForReading: 'sync',
  createDurableFile: 'write',
};

/** A disk that takes time to make anything durable, on a machine that may stand still meanwhile. */
function slowly(fs: FaultFileSystem, time: VirtualTime, machine: Machine, life: Life): FaultFileSystem {
  const wait = async () => {
    await time.sleep(machine.delayMs());
    await machine.awake(life);
  };
  const file = (inner: OpenFile, slowCall: string): OpenFile =>
    new Proxy(inner, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        if (name !== slowCall) return value.bind(target);
        return async (...all: unknown[]) => {
          await wait();
          await (value as (...all: unknown[]) => Promise<void>).apply(target, all);
          await wait();
        };
      },
    });
  return new Proxy(fs, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      const slowCall = slowCalls[String(name)];
      if (slowCall !== undefined) {
        return async (...all: unknown[]) =>
          file(await (value as (...all: unknown[]) => Promise<OpenFile>).apply(target, all), slowCall);
      }
      return value.bind(target);
    },
  });
}
