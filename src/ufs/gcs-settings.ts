import type { ProbedAbilities } from './backend.ts';
import type { RetrySettings } from './retry.ts';
import { defaultS3Tuning } from './s3-settings.ts';

/** Whose rights the requests have. */
export type GcsCredentials =
  /** The search of Google's library: a file that the environment names, gcloud's own, the machine's or the pod's metadata server. */
  | { readonly kind: 'default' }
  /** Nobody's: buckets that are open to all. */
  | { readonly kind: 'anonymous' }
  /** The text of a key file of a service account, or of a configuration of workload identity federation (JSON). */
  | { readonly kind: 'file'; readonly text: string };

export interface GcsBackendSettings {
  /** `gs://bucket` or `gs://bucket/prefix/`; the prefix is percent-encoded. */
  readonly uri: string;
  /** `https://host[:port]`; absent: Google's own. */
  readonly endpoint?: string;
  readonly credentials?: GcsCredentials;
  /** Certificates (PEM) that are trusted beside the usual ones. */
  readonly caPem?: string;
  /** `http://host:port` of a proxy for all requests but those to the hosts of `noProxy` (parted by commas, as in NO_PROXY). */
  readonly proxyUrl?: string;
  readonly noProxy?: string;
  /** What a probe has shown; absent: no condition counts. */
  readonly abilities?: ProbedAbilities;
  /** Least size of a part that is not the last, bytes; S3's by default. */
  readonly minPartSizeBytes?: number;
  /** As in `GcsTuning`. */
  readonly minBytesPerSecond?: number;
  /** As in its tuning. */
  readonly settlingMs?: number;
  readonly tuning?: Partial<GcsTuning>;
}

export interface GcsTuning {
  readonly connectTimeoutMs: number;
  /** How long the storage may do nothing while it is its turn. */
  readonly idleTimeoutMs: number;
  /** As `idleTimeoutMs`, for an answer that takes the storage work: a whole upload, compose, rewrite. */
  readonly commitTimeoutMs: number;
  /** A body that comes more slowly than this, over `idleTimeoutMs` of the storage's own time, counts as standing still; 0: none does. */
  readonly minBytesPerSecond: number;
  /** For what is asked to learn how a change ended whose answer was lost. */
  readonly afterWriteTimeoutMs: number;
  readonly keepIdleMs: number;
  readonly maxConnections: number;
  readonly initialConcurrency: number;
  readonly minConcurrency: number;
  readonly maxConcurrency: number;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
  readonly settlingMs: number;
  readonly maxHoldMs: number;
  /**
   * A body of so many bytes at most is gathered and goes up in one request; a larger one in pieces of this size. A multiple of 256 KiB
   * (Cloud Storage documentation, "Resumable uploads", chunk sizes).
   */
  readonly pieceBytes: number;
  /** A body of so many bytes at most does not count for `maxLargeUploads`. */
  readonly smallBodyBytes: number;
  /** Larger bodies on their way at once, each of which holds one piece. */
  readonly maxLargeUploads: number;
  readonly retry: RetrySettings;
}

export const defaultGcsTuning: GcsTuning = {
  connectTimeoutMs: defaultS3Tuning.connectTimeoutMs,
  idleTimeoutMs: defaultS3Tuning.idleTimeoutMs,
  commitTimeoutMs: defaultS3Tuning.commitTimeoutMs,
  minBytesPerSecond: defaultS3Tuning.minBytesPerSecond,
  afterWriteTimeoutMs: defaultS3Tuning.afterWriteTimeoutMs,
  // Google's front ends keep a connection for minutes.
  keepIdleMs: 30_000,
  maxConnections: defaultS3Tuning.maxConnections,
  initialConcurrency: defaultS3Tuning.initialConcurrency,
  minConcurrency: defaultS3Tuning.minConcurrency,
  maxConcurrency: defaultS3Tuning.maxConcurrency,
  maxQueued: defaultS3Tuning.maxQueued,
  maxWaitMs: defaultS3Tuning.maxWaitMs,
  settlingMs: defaultS3Tuning.settlingMs,
  maxHoldMs: defaultS3Tuning.maxHoldMs,
  pieceBytes: 8 * 1024 * 1024,
  smallBodyBytes: 256 * 1024,
  maxLargeUploads: 32,
  retry: defaultS3Tuning.retry,
};
