/**
 * Decides what stays in a cache of limited size: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction",
 * SOSP 2023). Newcomers pass through a small queue; only what is used again there, or comes back soon after it was dropped
 * (the ghost queue remembers names), reaches the main queue. A scan therefore flows through the small queue and leaves
 * the main one alone. All operations take constant time, spread over many.
 */

interface Node<T> {
  readonly name: string;
  readonly value: T;
  readonly sizeBytes: number;
  queue: Queue<T>;
  uses: number;
  newer: Node<T> | undefined;
  older: Node<T> | undefined;
}

class Queue<T> {
  newest: Node<T> | undefined;
  oldest: Node<T> | undefined;
  bytes = 0;

  push(node: Node<T>): void {
    node.queue = this;
    node.older = this.newest;
    node.newer = undefined;
    if (this.newest) this.newest.newer = node;
    else this.oldest = node;
    this.newest = node;
    this.bytes += node.sizeBytes;
  }

  take(node: Node<T>): void {
    if (node.newer) node.newer.older = node.older;
    else this.newest = node.older;
    if (node.older) node.older.newer = node.newer;
    else this.oldest = node.newer;
    this.bytes -= node.sizeBytes;
  }
}

export interface CachePolicySettings {
  readonly capacityBytes: number;
  readonly maxEntries: number;
}

/** Share of the capacity that newcomers may take, as in the paper. */
const smallShare = 0.1;
const maxUses = 3;
/** Uses in the small queue that earn a place in the main queue: one use after the first fill may be chance. */
const usesToStay = 2;

export class CachePolicy<T> {
  private readonly capacityBytes: number;
  private readonly maxEntries: number;
  private readonly nodes = new Map<string, Node<T>>();
  private readonly small = new Queue<T>();
  private readonly main = new Queue<T>();
  private readonly ghosts = new Set<string>();

  constructor(settings: CachePolicySettings) {
    this.capacityBytes = settings.capacityBytes;
    this.maxEntries = settings.maxEntries;
  }

  get count(): number {
    return this.nodes.size;
  }

  get usedBytes(): number {
    return this.small.bytes + this.main.bytes;
  }

  /** The value of an entry, without counting a use. */
  get(name: string): T | undefined {
    return this.nodes.get(name)?.value;
  }

  /** Counts a use. */
  touch(name: string): void {
    const node = this.nodes.get(name);
    if (node && node.uses < maxUses) node.uses++;
  }

  /** True if an entry of this size could be kept at all. */
  fits(sizeBytes: number): boolean {
    return sizeBytes <= this.capacityBytes && this.maxEntries > 0;
  }

  /** Keeps an entry that is not there yet and that fits; gives back what has to go for it. */
  admit(name: string, sizeBytes: number, value: T): T[] {
    const returning = this.ghosts.delete(name);
    return this.insert(name, sizeBytes, value, returning ? this.main : this.small);
  }

  /** As `admit`, for what an earlier process had kept: straight to the main queue. */
  restore(name: string, sizeBytes: number, value: T): T[] {
    return this.insert(name, sizeBytes, value, this.main);
  }

  remove(name: string): T | undefined {
    const node = this.nodes.get(name);
    if (!node) return undefined;
    node.queue.take(node);
    this.nodes.delete(name);
    return node.value;
  }

  names(): IterableIterator<string> {
    return this.nodes.keys();
  }

  values(): IterableIterator<T> {
    return this.nodes.values().map((node) => node.value);
  }

  private insert(name: string, sizeBytes: number, value: T, queue: Queue<T>): T[] {
    const evicted: T[] = [];
    while (this.usedBytes + sizeBytes > this.capacityBytes || this.nodes.size >= this.maxEntries) {
      const dropped = this.evictOne();
      if (dropped === undefined) break;
      evicted.push(dropped.value);
    }
    const node: Node<T> = { name, value, sizeBytes, queue, uses: 0, newer: undefined, older: undefined };
    this.nodes.set(name, node);
    queue.push(node);
    return evicted;
  }

  private evictOne(): Node<T> | undefined {
    for (;;) {
      const fromSmall = this.small.bytes > this.capacityBytes * smallShare || !this.main.oldest;
      const node = (fromSmall ? this.small.oldest : this.main.oldest) ?? this.small.oldest;
      if (!node) return undefined;
      node.queue.take(node);
      if (node.queue === this.small && node.uses >= usesToStay) {
        node.uses = 0;
        this.main.push(node);
      } else if (node.queue === this.main && node.uses > 0) {
        node.uses--;
        this.main.push(node);
      } else {
        this.nodes.delete(node.name);
        if (node.queue === this.small) this.remember(node.name);
        return node;
      }
    }
  }

  /** As many ghosts as there are entries: enough to notice a return within one turn of the cache. */
  private remember(name: string): void {
    this.ghosts.add(name);
    while (this.ghosts.size > Math.max(this.nodes.size, 16)) {
      const oldest = this.ghosts.values().next();
      if (oldest.done) return;
      this.ghosts.delete(oldest.value);
    }
  }
}
