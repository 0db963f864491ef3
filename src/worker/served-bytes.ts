import type { Metrics } from '../common/metrics.ts';

/** Counts object bytes at the moment they are handed out, by where they came from. */
export class ServedBytes {
  private readonly counters: Record<'hit' | 'fill' | 'bypass', { inc(bytes: number): void }>;

  constructor(metrics: Metrics) {
    const child = (source: string) => metrics.bytesServed.labels({ source });
    this.counters = { hit: child('hit'), fill: child('fill'), bypass: child('bypass') };
  }

  count(source: 'hit' | 'fill' | 'bypass', bytes: number): void {
    if (bytes > 0) this.counters[source].inc(bytes);
  }
}
