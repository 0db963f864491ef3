import type { HeldPages, Holdings, HoldingsTarget } from '../common/held-pages.ts';
import type { MountedRange, MountTable } from '../mounts/mount-table.ts';
import type { PageStore } from '../worker/page-store.ts';
import type { BucketLookup } from './namespace.ts';

/** Tells what this node holds of buckets and prefixes, as its pages say, whatever the storage has by now. */
export class OwnHoldings {
  readonly #table: () => MountTable;
  readonly #buckets: BucketLookup;
  readonly #pages: Pick<PageStore, 'heldBelow' | 'usage' | 'pathCount'>;
  readonly #goesBy: () => string;

  constructor(
    table: () => MountTable,
    buckets: BucketLookup,
    pages: Pick<PageStore, 'heldBelow' | 'usage' | 'pathCount'>,
    goesBy: () => string,
  ) {
    this.#table = table;
    this.#buckets = buckets;
    this.#pages = pages;
    this.#goesBy = goesBy;
  }

  async of(targets: readonly HoldingsTarget[]): Promise<Holdings> {
    const held: HeldPages[] = [];
    for (const target of targets) held.push(await this.#below(target));
    const { bytes: usedBytes, capacityBytes } = this.#pages.usage;
    return { held, usedBytes, capacityBytes, objects: this.#pages.pathCount(), goesBy: this.#goesBy() };
  }

  async #below({ bucket, prefix }: HoldingsTarget): Promise<HeldPages> {
    let pages = 0;
    let bytes = 0;
    for (const range of this.#table().rangesFor(bucket, prefix)) {
      const incarnation = this.#incarnationOf(bucket, range);
      if (incarnation === undefined) continue;
      const held = await this.#pages.heldBelow(incarnation, pathPrefixOf(range, prefix));
      pages += held.pages;
      bytes += held.bytes;
    }
    return { pages, bytes };
  }

  #incarnationOf(bucket: string, { mount }: MountedRange): string | undefined {
    return mount === 'root' ? this.#buckets.get(bucket)?.incarnation : mount.incarnation;
  }
}

function pathPrefixOf({ bucketPrefix, pathPrefix }: MountedRange, prefix: string): string {
  return prefix.startsWith(bucketPrefix) ? pathPrefix + prefix.slice(bucketPrefix.length) : pathPrefix;
}
