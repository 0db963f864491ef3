import { sampledSum } from './sampled-sum.ts';

/** Which slots of a table belong together, so that a group can be found without a search. Known to the writer alone. */
export class SlotGroups {
  /** The first slot of each group, by the group's number cut to the table's size; -1 for none. */
  private readonly heads: Int32Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly groups: Int32Array;

  /** `slotCount`: a power of two, or 0. */
  constructor(slotCount: number) {
    this.heads = new Int32Array(slotCount).fill(-1);
    this.next = new Int32Array(slotCount);
    this.previous = new Int32Array(slotCount);
    this.groups = new Int32Array(slotCount);
  }

  add(slot: number, group: number): void {
    const head = this.headOf(group);
    const first = this.heads[head] as number;
    this.groups[slot] = group;
    this.next[slot] = first;
    this.previous[slot] = -1;
    if (first >= 0) this.previous[first] = slot;
    this.heads[head] = slot;
  }

  remove(slot: number): void {
    const next = this.next[slot] as number;
    const previous = this.previous[slot] as number;
    if (next >= 0) this.previous[next] = previous;
    if (previous >= 0) this.next[previous] = next;
    else this.heads[this.headOf(this.groups[slot] as number)] = next;
  }

  /** A list of its own, so that the caller may remove while it walks. Other groups' slots may be among them. */
  slotsOf(group: number): number[] {
    const slots: number[] = [];
    if (this.heads.length === 0) return slots;
    for (let slot = this.heads[this.headOf(group)] as number; slot >= 0; slot = this.next[slot] as number) {
      slots.push(slot);
    }
    return slots;
  }

  /** About how many groups have slots. */
  count(): number {
    const { heads, next, groups } = this;
    return sampledSum(heads.length, (head) => {
      const found = new Set<number>();
      for (let slot = heads[head] as number; slot >= 0; slot = next[slot] as number) {
        found.add(groups[slot] as number);
      }
      return found.size;
    });
  }

  private headOf(group: number): number {
    return group & (this.heads.length - 1);
  }
}
