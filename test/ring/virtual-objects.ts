import type { OwnedWrite, Ownership } from '../../src/ring/ownership.ts';
import type { SeededRandom } from '../worker/seeded.ts';
import type { Machine } from './virtual-node.ts';
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
 * Objects whose versions are numbers, on a storage that orders writes, behind nodes that cache as the rules allow: metadata is used only
 * where `mayUseMetadata` says so, and a write is acknowledged only where `mayAcknowledge` does. No read may give a version from before
 * the last acknowledged write.
 */
export class VirtualObjects {
  readonly violations: string[] = [];
  readonly counts = { cached: 0, validated: 0, acknowledged: 0, unresolved: 0 };
  private readonly time: VirtualTime;
  private readonly random: SeededRandom;
  private readonly stored = new Map<number, number>();
  private readonly acknowledged = new Map<number, number>();
  private readonly writing = new WeakMap<Ownership, Map<number, number>>();
  private readonly caches = new WeakMap<Ownership, NodeCache>();

  constructor(time: VirtualTime, random: SeededRandom) {
    this.time = time;
    this.random = random;
  }

  /** To be called when a node has started. */
  attach(machine: Machine): void {
    this.caches.set(machine.ownership, new NodeCache(machine.ownership));
  }

  isAttached({ ownership }: Machine): boolean {
    return this.caches.has(ownership);
  }

  async read(machine: Machine, hash: number): Promise<void> {
    const { ownership } = machine;
    const life = machine.presentLife;
    const cache = this.caches.get(ownership) as NodeCache;
    const least = this.acknowledged.get(hash) ?? 0;
    const cached = cache.versions.get(hash);
    if (cached !== undefined && ownership.mayUseMetadata(hash)) {
      this.counts.cached += 1;
      this.check(machine, hash, cached, least);
      return;
    }
    const token = cache.token(hash);
    const mayInstall = ownership.mayUseMetadata(hash);
    await this.storageTime();
    const found = this.stored.get(hash) ?? 0;
    await this.storageTime();
    await machine.awake(life);
    this.counts.validated += 1;
    this.check(machine, hash, found, least);
    const isUntouched = cache.token(hash) === token && this.writesOf(ownership, hash) === 0;
    if (mayInstall && isUntouched && ownership.mayUseMetadata(hash)) cache.versions.set(hash, found);
  }

  async write(machine: Machine, hash: number): Promise<void> {
    const { ownership } = machine;
    const life = machine.presentLife;
    const write = ownership.beginWrite(hash);
    if (!write) return;
    const cache = this.caches.get(ownership) as NodeCache;
    cache.invalidate(hash);
    this.under(ownership, hash, 1);
    await this.storageTime();
    // It reaches the storage though the node may be paused, or gone, by then.
    const version = (this.stored.get(hash) ?? 0) + 1;
    this.stored.set(hash, version);
    await this.storageTime();
    await machine.awake(life);
    this.end(ownership, hash, write, version, cache);
  }

  private end(
    ownership: Ownership,
    hash: number,
    write: OwnedWrite,
    version: number,
    cache: NodeCache,
  ): void {
    cache.invalidate(hash);
    this.under(ownership, hash, -1);
    if (write.mayAcknowledge()) {
      this.counts.acknowledged += 1;
      this.acknowledged.set(hash, Math.max(this.acknowledged.get(hash) ?? 0, version));
    } else this.counts.unresolved += 1;
    write.end();
  }

  private writesOf(ownership: Ownership, hash: number): number {
    return this.writing.get(ownership)?.get(hash) ?? 0;
  }

  private under(ownership: Ownership, hash: number, change: number): void {
    const counts = this.writing.get(ownership) ?? new Map<number, number>();
    this.writing.set(ownership, counts.set(hash, (counts.get(hash) ?? 0) + change));
  }

  private check(machine: Machine, hash: number, version: number, least: number): void {
    if (version >= least) return;
    const at = Math.round(this.time.monotonicMs());
    this.violations.push(
      `at ${at} ms ${machine.workerId} gave version ${version} of ${hash} after ${least} was acknowledged`,
    );
  }

  private storageTime(): Promise<void> {
    return this.time.sleep(2 + this.random.next() ** 3 * 200);
  }
}
