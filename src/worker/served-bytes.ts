import type { Metrics } from '../common/metrics.ts';
import type { Cell } from '../common/plain-metrics.ts';
import type { PageFlight } from './page-flight.ts';

/** Counts object bytes at the moment they are handed out, by where they came from. */
export class ServedBytes {
  private readonly counters: Record<'hit' | 'fill' | 'peer' | 'bypass', Cell>;

  /** `to`: whether clients of this node get them, or another node, which counts them as a `peer`'s when it hands them on. */
  constructor(metrics: Metrics, to: 'clients' | 'peers' = 'clients') {
    const counter = to === 'clients' ? metrics.bytesServed : metrics.peerBytes;
    const child = (source: string) => counter.cell({ source });
    this.counters = {
      hit: child('hit'),
      fill: child('fill'),
      peer: child('peer'),
      bypass: child('bypass'),
    };
  }

  count(source: 'hit' | 'fill' | 'peer' | 'bypass', bytes: number): void {
    this.counters[source].count += bytes;
  }

  /** Bytes `[start, end)` of a page that was filled for whoever gets them. */
  countFilled({ peerBytes }: Pick<PageFlight, 'peerBytes'>, start: number, end: number): void {
    const handedOver = Math.max(0, Math.min(end, peerBytes) - start);
    this.count('peer', handedOver);
    this.count('fill', end - start - handedOver);
  }
}
