import { assert } from '../common/assert.ts';
import type { Clock } from '../common/clock.ts';
import type { Metrics } from '../common/metrics.ts';
import type { Cell } from '../common/plain-metrics.ts';
import { ageLimitMs, ageMs } from './metadata-age.ts';
import {
  type KnownMeta,
  type LookUpOptions,
  type MetadataSource,
  type MetadataTarget,
  WorkerError,
} from './reader.ts';
import type { SharedCacheMemory } from './shared-cache-memory.ts';
import { SharedCacheView } from './shared-cache-view.ts';
import type { SharedLease } from './shared-lease.ts';
import type { SharedKnowledge } from './shared-metadata.ts';

interface Decoded {
  readonly slot: number;
  readonly version: number;
  readonly known: KnownMeta;
  readonly knowledge: SharedKnowledge;
}

/** Records kept decoded; the newest ones. */
const maxDecoded = 4096;

/** The metadata that the store thread has published, as another thread uses it. What is not there is `not-cached`. */
export class SharedMetadataReader implements MetadataSource {
  private readonly clock: Clock;
  private readonly hits: Cell;
  private readonly view: SharedCacheView;
  private readonly lease: SharedLease | undefined;
  private readonly decoded = new Map<string, Decoded>();

  /**
   * `clock`: its monotonic time is that of the store thread. `thread`: this thread's row of pins. `lease`: in a cluster, under which
   * alone anything may be used.
   */
  constructor(
    clock: Clock,
    metrics: Metrics,
    memory: SharedCacheMemory,
    thread: number,
    lease?: SharedLease,
  ) {
    this.lease = lease;
    this.clock = clock;
    this.hits = metrics.metadataLookups.cell({ result: 'hit' });
    this.view = new SharedCacheView(memory, thread);
  }

  /** What is published leaves no checksum open. */
  peek(
    target: MetadataTarget,
    { maxAgeMs = Number.POSITIVE_INFINITY }: Pick<LookUpOptions, 'maxAgeMs'> = {},
  ): KnownMeta | undefined {
    if (this.lease && !this.lease.isValid(this.clock)) return undefined;
    const found = this.find(`${target.incarnation}\0${target.path}`);
    if (!found) return undefined;
    const { exclusive, validatedMs, monotonicMs } = found.knowledge;
    const limitMs = Math.min(ageLimitMs(exclusive, target.freshness), maxAgeMs);
    if (limitMs !== Number.POSITIVE_INFINITY) {
      const asked = { wallMs: validatedMs, monotonicMs };
      if (ageMs(asked, this.clock) >= limitMs) return undefined;
    }
    this.hits.count++;
    return found.known;
  }

  async get(): Promise<KnownMeta> {
    throw new WorkerError('not-cached', 'its metadata is not at hand in this thread');
  }

  async write(): Promise<never> {
    assert(false, 'only the store thread changes objects');
  }

  invalidate(): void {
    // The store thread, which answers instead, finds out for itself and withdraws.
  }

  private find(name: string): Decoded | undefined {
    const known = this.decoded.get(name);
    if (known && this.view.isStill(known.slot, known.version)) {
      this.view.count(known.slot);
      return known;
    }
    this.decoded.delete(name);
    const found = this.decode(name);
    if (!found) return undefined;
    this.decoded.set(name, found);
    if (this.decoded.size > maxDecoded) {
      const [oldest] = this.decoded.keys();
      if (oldest !== undefined) this.decoded.delete(oldest);
    }
    return found;
  }

  private decode(name: string): Decoded | undefined {
    const { view } = this;
    if (!view.hold(name)) return undefined;
    const { slot, version, segment, start, length } = view;
    const text = (view.segments[segment] as Buffer).toString('utf8', start, start + length);
    view.release(segment);
    view.count(slot);
    const knowledge = JSON.parse(text) as SharedKnowledge;
    return {
      slot,
      version,
      known: { meta: knowledge.meta, validatedMs: knowledge.validatedMs },
      knowledge,
    };
  }
}
