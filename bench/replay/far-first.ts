/** Numbers, the largest first (a binary heap). */
export class FarFirst {
  private readonly heap: Uint32Array;
  private count = 0;

  constructor(capacity: number) {
    this.heap = new Uint32Array(capacity);
  }

  /** The largest; undefined when there is none. */
  get first(): number | undefined {
    return this.count > 0 ? this.heap[0] : undefined;
  }

  push(value: number): void {
    let hole = this.count++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.at(parent) >= value) break;
      this.heap[hole] = this.at(parent);
      hole = parent;
    }
    this.heap[hole] = value;
  }

  /** Takes the largest out. */
  pop(): void {
    const last = this.at(--this.count);
    let hole = 0;
    for (let child = 1; child < this.count; child = 2 * hole + 1) {
      if (child + 1 < this.count && this.at(child + 1) > this.at(child)) child++;
      if (this.at(child) <= last) break;
      this.heap[hole] = this.at(child);
      hole = child;
    }
    this.heap[hole] = last;
  }

  private at(index: number): number {
    return this.heap[index] ?? 0;
  }
}
