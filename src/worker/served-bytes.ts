import type { Metrics } from '../common/metrics.ts';
import type { Cell } from '../common/plain-metrics.ts';

/** Counts object bytes at the moment they are handed out, by where they came from. */
export class ServedBytes {
  private readonly counters: Record<'hit' | 'fill' | 'bypass', Cell>;

  constructor(metrics: Metrics) {
    const child = (source: string) => metrics.bytesServed.cell({ source });
    this.counters = { hit: child('hit'), fill: child('fill'), bypass: child('bypass') };
  }

  count(source: 'hit' | 'fill' | 'bypass', bytes: number): void {
    this.counters[source].count += bytes;
  }
}
