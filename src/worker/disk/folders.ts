import type { HeldPages } from '../../common/held-pages.ts';
import { noPolicies, notBeforeSeconds, type Policies, type PolicyInForce } from '../../common/policy.ts';
import { maxFolders } from './page-table.ts';
import type { PageTableWriter } from './page-table-writer.ts';

/** Where pages belong: an incarnation, and the part of their path up to its last slash. */
export interface FolderName {
  readonly incarnation: string;
  /** '' or ending with `/`. */
  readonly folder: string;
}

/** What a quota's pages take on this node. */
export interface QuotaUse {
  readonly name: string;
  /** Of all nodes. */
  limitBytes: number;
  usedBytes: number;
  /** On their way to the disk. */
  comingBytes: number;
}

interface Counted extends FolderName {
  pages: number;
  /** Of their records. */
  recordBytes: number;
  /** Of the pages alone. */
  pageBytes: number;
  removed: boolean;
  policy: PolicyInForce | undefined;
  quotas: readonly QuotaUse[];
}

const noQuotas: readonly QuotaUse[] = Object.freeze([]);
/** Folders that are told apart. Beyond, pages are counted for the prefix that their policy was set for, or their incarnation. */
const mostToldApart = 128 * 1024;

/** The folder of a page's path. Of a version, that of its object: its id stands behind a NUL. */
export function folderOf(path: string): string {
  const end = path.indexOf('\0');
  const slash = end < 0 ? path.lastIndexOf('/') : path.lastIndexOf('/', end);
  return path.slice(0, slash + 1);
}

/**
 * Numbers for the folders that have pages, so that an entry of the table names its own in a word. What they sum up to, and what policies say of
 * them, is known without a look at any page.
 */
export class Folders {
  private readonly table: PageTableWriter;
  private readonly policies: Policies;
  private readonly mostToldApart: number;
  private readonly numbers = new Map<string, Map<string, number>>();
  private readonly counted: (Counted | undefined)[] = [];
  private readonly free: number[] = [];
  private readonly quotas = new Map<string, QuotaUse>();
  private pages = 0;
  private bytes = 0;
  private removedPages = 0;
  private pinned = 0;

  constructor(table: PageTableWriter, policies: Policies = noPolicies, toldApart = mostToldApart) {
    this.table = table;
    this.policies = policies;
    this.mostToldApart = toldApart;
  }

  /** Pages that were not removed, and the bytes of their records. */
  get usage(): { pages: number; bytes: number } {
    return { pages: this.pages, bytes: this.bytes };
  }

  /** Bytes of records that policies pin. */
  get pinnedBytes(): number {
    return this.pinned;
  }

  get hasRoom(): boolean {
    return this.free.length > 0 || this.counted.length < maxFolders;
  }

  /** True if entries of removed incarnations are to be swept out of the table. */
  get needsSweep(): boolean {
    return this.removedPages > 0;
  }

  /** True while some pages are to go for their age, or because they are not to be kept. */
  get hasUnwanted(): boolean {
    return this.counted.some((one) => one?.policy?.ttlMs !== undefined || one?.policy?.cache === 'never');
  }

  /** Those that have pages and were not removed. */
  incarnations(): string[] {
    return [...this.numbers.keys()];
  }

  nameOf(number: number): FolderName {
    return this.counted[number] ?? { incarnation: '', folder: '' };
  }

  policyOf(number: number): PolicyInForce | undefined {
    return this.counted[number]?.policy;
  }

  /** What its pages count for, from the innermost on. */
  quotasOf(number: number): readonly QuotaUse[] {
    return this.counted[number]?.quotas ?? noQuotas;
  }

  /** Every quota that pages count for. */
  quotaUses(): QuotaUse[] {
    return [...this.quotas.values()];
  }

  /** The same of a folder that has no page yet. */
  quotasFor(policy: PolicyInForce | undefined): readonly QuotaUse[] {
    if (!policy?.quota) return noQuotas;
    const uses: QuotaUse[] = [];
    for (let quota = policy.quota as typeof policy.quota | undefined; quota; quota = quota.outer) {
      const { name, bytes: limitBytes } = quota;
      const use = this.quotas.get(name) ?? { name, limitBytes, usedBytes: 0, comingBytes: 0 };
      use.limitBytes = limitBytes;
      this.quotas.set(name, use);
      uses.push(use);
    }
    return uses;
  }

  /** True if a page that was filled then is absent by its folder's policy. */
  isUnwanted(number: number, filledSeconds: number, nowMs: number): boolean {
    const policy = this.counted[number]?.policy;
    if (!policy) return false;
    return policy.cache === 'never' || filledSeconds < (notBeforeSeconds(policy, nowMs) ?? 0);
  }

  /** The pages below a prefix of an incarnation's paths that is '' or ends with a slash. */
  heldBelow(incarnation: string, prefix: string): HeldPages {
    let pages = 0;
    let bytes = 0;
    for (const [folder, number] of this.numbers.get(incarnation) ?? []) {
      if (!folder.startsWith(prefix)) continue;
      const counted = this.counted[number] as Counted;
      pages += counted.pages;
      bytes += counted.pageBytes;
    }
    return { pages, bytes };
  }

  /** The folder's number, a new one if it has no page. */
  numberOf({ incarnation, folder }: FolderName): number {
    const known = this.numbers.get(incarnation)?.get(folder);
    if (known !== undefined) return known;
    if (this.counted.length - this.free.length < this.mostToldApart || folder === '') {
      return this.take(incarnation, folder);
    }
    const coarse = this.coarseOf(incarnation, folder);
    return this.numbers.get(incarnation)?.get(coarse) ?? this.take(incarnation, coarse);
  }

  count(number: number, pages: number, recordBytes: number, pageBytes: number): void {
    const counted = this.counted[number] as Counted;
    counted.pages += pages;
    counted.recordBytes += recordBytes;
    counted.pageBytes += pageBytes;
    if (counted.removed) this.removedPages += pages;
    else {
      this.pages += pages;
      this.bytes += recordBytes;
      if (counted.policy?.isPinned) this.pinned += recordBytes;
      for (const quota of counted.quotas) quota.usedBytes += pageBytes;
    }
    if (counted.pages === 0) this.release(number, counted);
  }

  /** Makes all pages of the incarnation absent at once; their entries are swept later. False if it has none. */
  removeIncarnation(incarnation: string): boolean {
    const numbers = this.numbers.get(incarnation);
    if (!numbers) return false;
    for (const number of numbers.values()) {
      const counted = this.counted[number] as Counted;
      this.table.setRemoved(number, true);
      this.countPolicy(counted, -1);
      counted.removed = true;
      this.pages -= counted.pages;
      this.bytes -= counted.recordBytes;
      this.removedPages += counted.pages;
    }
    this.numbers.delete(incarnation);
    return true;
  }

  /** Asks for each folder's policy anew. */
  policiesChanged(): void {
    for (const [name, use] of this.quotas) {
      use.usedBytes = 0;
      // One that pages are coming for is theirs until they are there.
      if (use.comingBytes === 0) this.quotas.delete(name);
    }
    this.pinned = 0;
    for (const counted of this.counted) {
      if (!counted || counted.removed) continue;
      this.judge(counted);
      this.countPolicy(counted, 1);
    }
  }

  private take(incarnation: string, folder: string): number {
    const number = this.free.pop() ?? this.counted.length;
    const counted: Counted = {
      incarnation,
      folder,
      pages: 0,
      recordBytes: 0,
      pageBytes: 0,
      removed: false,
      policy: undefined,
      quotas: noQuotas,
    };
    this.judge(counted);
    this.counted[number] = counted;
    const numbers = this.numbers.get(incarnation) ?? new Map<string, number>();
    this.numbers.set(incarnation, numbers.set(folder, number));
    return number;
  }

  private judge(counted: Counted): void {
    counted.policy = this.policies.of(counted.incarnation, counted.folder);
    counted.quotas = this.quotasFor(counted.policy);
  }

  private countPolicy(counted: Counted, sign: 1 | -1): void {
    if (counted.policy?.isPinned) this.pinned += sign * counted.recordBytes;
    for (const quota of counted.quotas) quota.usedBytes += sign * counted.pageBytes;
  }

  /** The shortest folder around this one that the same policy holds for. */
  private coarseOf(incarnation: string, folder: string): string {
    const policy = this.policies.of(incarnation, folder);
    for (let slash = -1; slash < folder.length - 1; slash = folder.indexOf('/', slash + 1)) {
      const outer = folder.slice(0, slash + 1);
      if (this.policies.of(incarnation, outer) === policy) return outer;
    }
    return folder;
  }

  private release(number: number, counted: Counted): void {
    if (counted.removed) this.table.setRemoved(number, false);
    else {
      const numbers = this.numbers.get(counted.incarnation);
      numbers?.delete(counted.folder);
      if (numbers?.size === 0) this.numbers.delete(counted.incarnation);
    }
    this.counted[number] = undefined;
    this.free.push(number);
  }
}
