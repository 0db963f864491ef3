import type { HandOverPath } from '../gateway/carried-request.ts';
import type { SharedCacheMemory } from '../worker/shared-cache-memory.ts';
import type { SharedDisk } from '../worker/shared-disk-reader.ts';
import type { NodeSecrets } from './running-node.ts';
import type { Settings } from './settings-table.ts';

/** What the store thread gives an I/O thread to work with: plain data and shared memory. */
export interface IoThreadJob {
  readonly settings: Settings;
  readonly secrets: NodeSecrets;
  readonly rootUser: string;
  readonly rootUri: string;
  readonly workerId: string;
  /** Where the store thread's monotonic time begins (`monotonicOriginMs`). */
  readonly clockOriginMs: number;
  /** A `ThreadBoard`'s. */
  readonly board: SharedArrayBuffer;
  readonly pages: SharedCacheMemory;
  readonly metadata: SharedCacheMemory;
  readonly disk?: SharedDisk;
  /** A `SharedLease`'s, in a cluster. */
  readonly lease?: SharedArrayBuffer;
  readonly handOver: HandOverPath;
}
