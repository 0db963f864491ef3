/** `recency`: least recently used goes first. `arrival`: first in, first out. */
export type Order = 'recency' | 'arrival';

/** LRU or FIFO, exact to the byte: unlike a store of regions it loses no room and writes nothing twice. */
export class QueueCache {
  private readonly order: Order;
  private readonly sizes: Uint32Array;
  private readonly capacityBytes: number;
  /** By entry number: its neighbours in the queue. The place behind the last entry is the queue's own: its first, and its last. */
  private readonly after: Int32Array;
  private readonly before: Int32Array;
  private readonly ends: number;
  private usedBytes = 0;

  constructor(order: Order, sizes: Uint32Array, capacityBytes: number) {
    this.order = order;
    this.sizes = sizes;
    this.capacityBytes = capacityBytes;
    this.ends = sizes.length;
    this.after = new Int32Array(sizes.length + 1).fill(-1);
    this.before = new Int32Array(sizes.length + 1).fill(-1);
    this.after[this.ends] = this.ends;
    this.before[this.ends] = this.ends;
  }

  /** True if the entry was there; it is afterwards, if it fits. */
  read(id: number): boolean {
    const bytes = this.sizes[id] ?? 0;
    if (this.after[id] !== -1) {
      if (this.order === 'recency') {
        this.take(id);
        this.append(id);
      }
      return true;
    }
    if (bytes > this.capacityBytes) return false;
    this.append(id);
    this.usedBytes += bytes;
    while (this.usedBytes > this.capacityBytes) {
      const first = this.after[this.ends] ?? 0;
      this.take(first);
      this.usedBytes -= this.sizes[first] ?? 0;
    }
    return false;
  }

  private append(id: number): void {
    const last = this.before[this.ends] ?? 0;
    this.after[last] = id;
    this.before[id] = last;
    this.after[id] = this.ends;
    this.before[this.ends] = id;
  }

  private take(id: number): void {
    const before = this.before[id] ?? 0;
    const after = this.after[id] ?? 0;
    this.after[before] = after;
    this.before[after] = before;
    this.after[id] = -1;
  }
}
