import type { Freshness } from '../common/freshness.ts';
import type { CacheRule, PolicyInForce, Priority, Quota } from '../common/policy.ts';
import { matchesWildcard } from '../s3api/policy/wildcard.ts';
import type { PolicyFieldName, PolicyFields, PolicyRow } from './policy.ts';

/** Where paths lie in a bucket: a path that begins with `pathPrefix` has the key that begins with `keyPrefix` instead. */
export interface PathBase {
  readonly keyPrefix: string;
  readonly pathPrefix: string;
}

/** A field's value, and which row it comes from. */
export interface Chosen<T> {
  readonly value: T;
  readonly row: PolicyRow;
}

export type ChosenFields = { readonly [K in PolicyFieldName]?: Chosen<NonNullable<PolicyFields[K]>> };

/** Patterns, and where in a path the text begins that they are matched with. */
interface Patterns {
  readonly globs: readonly string[];
  /** What stands before that text, of a prefix that the path itself does not have. */
  readonly lead: string;
  readonly from: number;
}

interface Node {
  /** In terms of paths. */
  readonly prefix: string;
  readonly policy: PolicyInForce;
  /** The nearest prefix around it. */
  readonly outer: Node | undefined;
}

/** Of each field, the value of the longest prefix that sets it. `rows` hold for one key, the shortest prefix first. */
export function chooseFields(rows: readonly PolicyRow[]): ChosenFields {
  const chosen: Record<string, Chosen<unknown>> = {};
  for (const row of rows) {
    const { bucket: _, prefix: __, ...fields } = row;
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) chosen[name] = { value, row };
    }
  }
  return chosen as ChosenFields;
}

/**
 * The policies of one incarnation's paths, put together for each prefix that something was set for. A look-up is a binary search among the
 * prefixes, and takes no memory.
 */
export class PolicyTree {
  /** By prefix, in the order of code units. */
  private readonly nodes: readonly Node[];

  /** `rows`: those of the bucket, in any order. */
  constructor(rows: readonly PolicyRow[], base: PathBase, quotaOf: (row: PolicyRow) => Quota | undefined) {
    const near = rows.filter(
      ({ prefix }) => prefix.startsWith(base.keyPrefix) || base.keyPrefix.startsWith(prefix),
    );
    const byPath = new Map<string, PolicyRow[]>();
    for (const row of near) {
      const path = pathOf(row, base);
      byPath.set(path, [...(byPath.get(path) ?? []), row]);
    }
    const paths = [...byPath.keys()].sort();
    const nodes: Node[] = [];
    for (const path of paths) {
      let outer = nodes.at(-1);
      while (outer && !path.startsWith(outer.prefix)) outer = outer.outer;
      const around = near
        .filter((row) => path.startsWith(pathOf(row, base)))
        .sort((a, b) => a.prefix.length - b.prefix.length);
      nodes.push({ prefix: path, policy: inForce(around, base, quotaOf), outer });
    }
    this.nodes = nodes;
  }

  get isEmpty(): boolean {
    return this.nodes.length === 0;
  }

  of(path: string): PolicyInForce | undefined {
    const { nodes } = this;
    let low = 0;
    let high = nodes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((nodes[middle] as Node).prefix <= path) low = middle + 1;
      else high = middle;
    }
    // Whatever the path begins with stands before it, and the longest such prefix is the last one there or lies around that.
    let node = low === 0 ? undefined : nodes[low - 1];
    while (node && !path.startsWith(node.prefix)) node = node.outer;
    return node?.policy;
  }
}

function pathOf({ prefix }: PolicyRow, { keyPrefix, pathPrefix }: PathBase): string {
  return prefix.startsWith(keyPrefix) ? pathPrefix + prefix.slice(keyPrefix.length) : pathPrefix;
}

function inForce(
  rows: readonly PolicyRow[],
  base: PathBase,
  quotaOf: (row: PolicyRow) => Quota | undefined,
): PolicyInForce {
  const chosen = chooseFields(rows);
  const quotaRow = rows.findLast(({ quotaBytes }) => quotaBytes !== undefined);
  return new Compiled(chosen, base, quotaRow && quotaOf(quotaRow));
}

class Compiled implements PolicyInForce {
  readonly ttlMs: number | undefined;
  readonly isPinned: boolean;
  readonly priority: Priority;
  readonly quota: Quota | undefined;
  readonly freshness: Freshness | undefined;
  readonly cache: CacheRule;
  readonly #include: Patterns | undefined;
  readonly #exclude: Patterns | undefined;
  readonly #minSizeBytes: number;
  readonly #maxSizeBytes: number;

  constructor(chosen: ChosenFields, base: PathBase, quota: Quota | undefined) {
    this.ttlMs = chosen.ttlMs?.value || undefined;
    this.isPinned = chosen.pin?.value ?? false;
    this.priority = chosen.priority?.value ?? 'normal';
    this.quota = quota;
    this.freshness = chosen.freshness?.value;
    this.cache = chosen.cache?.value ?? 'always';
    this.#include = patternsOf(chosen.include, base);
    this.#exclude = patternsOf(chosen.exclude, base);
    this.#minSizeBytes = chosen.minSizeBytes?.value ?? 0;
    this.#maxSizeBytes = chosen.maxSizeBytes?.value ?? Number.POSITIVE_INFINITY;
  }

  keeps(path: string, sizeBytes?: number): CacheRule {
    if (sizeBytes !== undefined && (sizeBytes < this.#minSizeBytes || sizeBytes > this.#maxSizeBytes)) {
      return 'never';
    }
    if (this.#include && !matchesOne(this.#include, path)) return 'never';
    if (this.#exclude && matchesOne(this.#exclude, path)) return 'never';
    return this.cache;
  }
}

function patternsOf(chosen: Chosen<readonly string[]> | undefined, base: PathBase): Patterns | undefined {
  if (!chosen || chosen.value.length === 0) return undefined;
  const { prefix } = chosen.row;
  const isInside = prefix.startsWith(base.keyPrefix);
  return {
    globs: chosen.value,
    lead: isInside ? '' : base.keyPrefix.slice(prefix.length),
    from: pathOf(chosen.row, base).length,
  };
}

function matchesOne({ globs, lead, from }: Patterns, path: string): boolean {
  // A version of an object is kept as the object is.
  const end = path.indexOf('\0');
  const text = lead + path.slice(from, end < 0 ? undefined : end);
  return globs.some((glob) => matchesWildcard(glob, text));
}
