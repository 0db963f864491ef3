import type { MessagePort } from 'node:worker_threads';
import type { MetricValues } from '../common/merged-metrics.ts';
import type { MirrorUpdate } from '../coord/mirror-feed.ts';

/** What every I/O thread is started with, whatever else its entry wants to know. */
export interface IoThreadStart {
  /** From 1; row 0 of everything shared is the store thread's. */
  readonly thread: number;
  /** To and from the store thread. */
  readonly port: MessagePort;
  readonly snapshot: MirrorUpdate;
  /** 0: any. */
  readonly s3Port: number;
}

/** To an I/O thread. */
export type ToIoThread =
  | { readonly kind: 'update'; readonly update: MirrorUpdate }
  | { readonly kind: 'count'; readonly question: number }
  | { readonly kind: 'close'; readonly graceMs: number };

/** From an I/O thread. */
export type FromIoThread =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'counted'; readonly question: number; readonly values: MetricValues }
  | { readonly kind: 'lines'; readonly text: string; readonly count: number };
