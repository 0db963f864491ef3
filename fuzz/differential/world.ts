import { offeredOperations } from '../../src/s3api/operation-table.ts';
import type { Draws } from '../lib/draws.ts';

/** An upload that a step before has asked for. */
export interface DrawnUpload {
  readonly stepId: number;
  readonly bucket: string;
  readonly key: string;
  readonly parts: Map<number, { stepId: number; large: boolean }>;
}

/** What the other server can do, so that not every sequence ends at what is known of it. */
export interface WorldSettings {
  readonly keys: readonly string[];
  /** Whether buckets may come and go. */
  readonly ownBuckets: boolean;
  /** Whether buckets keep versions, and what else may be set of them. */
  readonly settings: boolean;
  /** Operations and options that are not drawn. */
  readonly without: ReadonlySet<string>;
}

/** What a sequence has done so far, as far as its next steps are drawn from it: names of things, never answers. */
export class World {
  readonly draws: Draws;
  readonly settings: WorldSettings;
  /** Few, so that steps meet. */
  readonly keys: readonly string[];
  readonly uploads: DrawnUpload[] = [];
  readonly puts: { stepId: number; bucket: string; key: string }[] = [];
  nextId = 1;

  constructor(draws: Draws, settings: WorldSettings) {
    this.draws = draws;
    this.settings = settings;
    this.keys = draws.shuffled(settings.keys).slice(0, 3 + draws.below(4));
  }

  allows(what: string): boolean {
    return !this.settings.without.has(what);
  }

  offers(operation: string): boolean {
    return this.allows(operation) && offeredOperations.some((route) => route.operation === operation);
  }

  key(): string {
    return this.draws.pick(this.keys);
  }

  bucket(): string {
    const extra = this.settings.ownBuckets ? 'fuzz-new' : 'fuzz-none';
    return this.draws.weighted([
      [80, 'fuzz-one'],
      [15, 'fuzz-two'],
      [3, extra],
      [2, 'fuzz-none'],
    ]);
  }

  /** Where something was put, most of the time. */
  place(): { bucket: string; key: string } {
    if (this.puts.length > 0 && this.draws.chance(0.75)) return this.draws.pick(this.puts);
    return { bucket: this.bucket(), key: this.key() };
  }

  /** An ETag as a client could know it: this object's, another's, or nobody's. */
  etag(bucket: string, key: string): string {
    const same = this.puts.filter((put) => put.bucket === bucket && put.key === key);
    const last = same.at(-1);
    if (last !== undefined && this.draws.chance(0.6)) return `«etag:${last.stepId}»`;
    if (this.puts.length > 0 && this.draws.chance(0.5)) return `«etag:${this.draws.pick(this.puts).stepId}»`;
    return '"0123456789abcdef0123456789abcdef"';
  }
}
