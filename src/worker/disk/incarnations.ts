import { maxIncarnations } from './page-table.ts';
import type { PageTableWriter } from './page-table-writer.ts';

interface Counted {
  readonly name: string;
  pages: number;
  bytes: number;
  removed: boolean;
}

/** Numbers for incarnations that have pages, so that an entry names its own in a word, and all of them are forgotten by one bit. */
export class Incarnations {
  private readonly table: PageTableWriter;
  private readonly numbers = new Map<string, number>();
  private readonly counted: (Counted | undefined)[] = [];
  private readonly free: number[] = [];
  private pages = 0;
  private bytes = 0;
  private removedPages = 0;

  constructor(table: PageTableWriter) {
    this.table = table;
  }

  /** Pages of incarnations that are there, and the bytes of their records. */
  get usage(): { pages: number; bytes: number } {
    return { pages: this.pages, bytes: this.bytes };
  }

  get hasRoom(): boolean {
    return this.free.length > 0 || this.counted.length < maxIncarnations;
  }

  /** True if entries of removed incarnations are to be swept out of the table. */
  get needsSweep(): boolean {
    return this.removedPages > 0;
  }

  has(name: string): boolean {
    return this.numbers.has(name);
  }

  /** Those that have pages and were not removed. */
  names(): string[] {
    return [...this.numbers.keys()];
  }

  nameOf(number: number): string {
    return this.counted[number]?.name ?? '';
  }

  /** The incarnation's number, a new one if it has no page. */
  numberOf(name: string): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const number = this.free.pop() ?? this.counted.length;
    this.counted[number] = { name, pages: 0, bytes: 0, removed: false };
    this.numbers.set(name, number);
    return number;
  }

  count(number: number, pages: number, bytes: number): void {
    const counted = this.counted[number] as Counted;
    counted.pages += pages;
    counted.bytes += bytes;
    if (counted.removed) this.removedPages += pages;
    else {
      this.pages += pages;
      this.bytes += bytes;
    }
    if (counted.pages === 0) this.release(number, counted);
  }

  /** Makes all pages of the incarnation absent at once; their entries are swept later. False if it has none. */
  remove(name: string): boolean {
    const number = this.numbers.get(name);
    const counted = number === undefined ? undefined : this.counted[number];
    if (number === undefined || !counted) return false;
    this.table.setRemoved(number, true);
    this.numbers.delete(name);
    counted.removed = true;
    this.pages -= counted.pages;
    this.bytes -= counted.bytes;
    this.removedPages += counted.pages;
    return true;
  }

  private release(number: number, counted: Counted): void {
    if (counted.removed) this.table.setRemoved(number, false);
    else this.numbers.delete(counted.name);
    this.counted[number] = undefined;
    this.free.push(number);
  }
}
