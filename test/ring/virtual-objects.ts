import type { OwnedWrite, Ownership } from '../../src/ring/ownership.ts';
import type { SeededRandom } from '../worker/seeded.ts';
import { type Machine, settlingMs } from './virtual-node.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What one start of a node has cached: the version of each object, and how often each was invalidated. */
class NodeCache {
  readonly versions = new Map<number, number>();
  readonly tokens = new Map<number, number>();

  constructor(ownership: Ownership) {
    ownership.onView(({ keeps }) => {
      for (const hash of this.tokens.keys()) if (!keeps(hash)) this.invalidate(hash);
    });
  }

  token(hash: number): number {
    const token = this.tokens.get(hash) ?? 0;
    this.tokens.set(hash, token);
    return token;
  }

  invalidate(hash: number): void {
    this.tokens.set(hash, this.token(hash) + 1);
    this.versions.delete(hash);
  }
}

/**
 * Objects whose versions are numbers, on a storage that compares and sets, behind nodes that cache as the rules allow: metadata is used and
 * kept only where `mayKeepMetadata` says so, the storage is sent a change only where `mayAcknowledge` holds, and a write is acknowledged
 * only where it still does. Some changes get no answer, and take effect late or never. No read may give a version from before the last
 * acknowledged write, or from before one that a read has given.
 */
export class VirtualObjects {
  readonly violations: string[] = [];
  readonly counts = { cached: 0, validated: 0, acknowledged: 0, unresolved: 0, late: 0 };
  private readonly time: VirtualTime;
  private readonly random: SeededRandom;
  private readonly stored = new Map<number, number>();
  /** The newest version that no later read may be behind. */
  private readonly least = new Map<number, number>();
  private readonly writing = new WeakMap<Ownership, Map<number, number>>();
  /** Until when a change without an answer may still take effect, as the node that sent it knows. */
  private readonly unresolved = new WeakMap<Ownership, Map<number, number>>();
  private readonly caches = new WeakMap<Ownership, NodeCache>();

  constructor(time: VirtualTime, random: SeededRandom) {
    this.time = time;
    this.random = random;
  }

  /** To be called when a node has started. */
  attach(machine: Machine): void {
    this.caches.set(machine.ownership, new NodeCache(machine.ownership));
    this.unresolved.set(machine.ownership, new Map());
  }

  isAttached({ ownership }: Machine): boolean {
    return this.caches.has(ownership);
  }

  async read(machine: Machine, hash: number): Promise<void> {
    const { ownership } = machine;
    const life = machine.presentLife;
    const cache = this.caches.get(ownership) as NodeCache;
    const least = this.least.get(hash) ?? 0;
    const cached = cache.versions.get(hash);
    if (cached !== undefined && ownership.mayKeepMetadata(hash)) {
      this.counts.cached += 1;
      this.check(machine, hash, cached, least, 'from its cache');
      return;
    }
    const token = cache.token(hash);
    const mayInstall = ownership.mayKeepMetadata(hash);
    await this.storageTime();
    const found = this.storedOf(hash);
    await this.storageTime();
    await machine.awake(life);
    this.counts.validated += 1;
    this.check(machine, hash, found, least, 'from the storage');
    const isUntouched = cache.token(hash) === token && this.writesOf(ownership, hash) === 0;
    const isResolved = (this.unresolved.get(ownership)?.get(hash) ?? 0) <= this.time.monotonicMs();
    if (mayInstall && isUntouched && isResolved && ownership.mayKeepMetadata(hash)) {
      cache.versions.set(hash, found);
    }
  }

  async write(machine: Machine, hash: number): Promise<void> {
    const { ownership } = machine;
    const life = machine.presentLife;
    if (!ownership.mayUseMetadata(hash)) return;
    const write = ownership.beginWrite(hash);
    if (!write) return;
    const cache = this.caches.get(ownership) as NodeCache;
    cache.invalidate(hash);
    this.under(ownership, hash, 1);
    await this.storageTime();
    const replaced = this.storedOf(hash);
    await this.storageTime();
    await machine.awake(life);
    // The last look before it goes out; from here on it reaches the storage though the node may be paused, or gone, by then.
    const isSent = write.mayAcknowledge();
    const isAnswered = this.random.next() < 0.9;
    const inMs = isAnswered ? this.storageMs() : this.random.next() * (settlingMs - 1);
    const isMade = isSent && this.take(hash, replaced, inMs);
    await this.time.sleep(isAnswered ? inMs : 150);
    await this.storageTime();
    await machine.awake(life);
    this.end(ownership, hash, write, cache, isSent && !isAnswered);
    if (!isAnswered || !(await isMade) || !write.mayAcknowledge()) return;
    this.counts.acknowledged += 1;
    this.least.set(hash, Math.max(this.least.get(hash) ?? 0, replaced + 1));
  }

  /** True if the change has had its effect, some time later: what it replaces was still there. */
  private async take(hash: number, replaced: number, inMs: number): Promise<boolean> {
    await this.time.sleep(inMs);
    if (this.storedOf(hash) !== replaced) return false;
    this.stored.set(hash, replaced + 1);
    if (inMs > 250) this.counts.late += 1;
    return true;
  }

  private end(
    ownership: Ownership,
    hash: number,
    write: OwnedWrite,
    cache: NodeCache,
    isUnresolved: boolean,
  ): void {
    cache.invalidate(hash);
    this.under(ownership, hash, -1);
    if (isUnresolved) {
      this.counts.unresolved += 1;
      this.unresolved.get(ownership)?.set(hash, this.time.monotonicMs() + settlingMs);
    }
    write.end(isUnresolved);
  }

  private storedOf(hash: number): number {
    return this.stored.get(hash) ?? 0;
  }

  private writesOf(ownership: Ownership, hash: number): number {
    return this.writing.get(ownership)?.get(hash) ?? 0;
  }

  private under(ownership: Ownership, hash: number, change: number): void {
    const counts = this.writing.get(ownership) ?? new Map<number, number>();
    this.writing.set(ownership, counts.set(hash, (counts.get(hash) ?? 0) + change));
  }

  private check(machine: Machine, hash: number, version: number, least: number, how: string): void {
    this.least.set(hash, Math.max(this.least.get(hash) ?? 0, version));
    if (version >= least) return;
    const at = Math.round(this.time.monotonicMs());
    this.violations.push(
      `at ${at} ms ${machine.workerId} gave version ${version} of ${hash} ${how} after ${least} was acknowledged or given`,
    );
  }

  private storageMs(): number {
    return 2 + this.random.next() ** 3 * 200;
  }

  private storageTime(): Promise<void> {
    return this.time.sleep(this.storageMs());
  }
}
