import type { ProbedAbilities } from './backend.ts';
import type { RetrySettings } from './retry.ts';
import { defaultS3Tuning } from './s3-settings.ts';

export interface HdfsBackendSettings {
  /** `hdfs://name/path/`: `name` as Hadoop's own URIs have it, with or without the port of its RPCs; the path is percent-encoded. */
  readonly uri: string;
  /** `http(s)://host[:port]` of each NameNode, or of HttpFS, parted by commas; absent: port 9870 of the host that the URI names. */
  readonly endpoint?: string;
  /** As whom (`user.name`), where the storage believes what it is told. Absent: the storage's own choice, which is `dr.who`. */
  readonly user?: string;
  /** A delegation token instead, which says who it is. */
  readonly delegationToken?: string;
  /** Certificates (PEM) that are trusted beside the usual ones. */
  readonly caPem?: string;
  /** `http://host:port` of a proxy for all requests but those to the hosts of `noProxy` (parted by commas, as in NO_PROXY). */
  readonly proxyUrl?: string;
  readonly noProxy?: string;
  /** What a probe has shown; absent: no condition counts. */
  readonly abilities?: ProbedAbilities;
  /** Least size of a part that is not the last, bytes; S3's by default. */
  readonly minPartSizeBytes?: number;
  /** As in `HdfsTuning`. */
  readonly minBytesPerSecond?: number;
  /** As in its tuning. */
  readonly settlingMs?: number;
  readonly tuning?: Partial<HdfsTuning>;
}

export interface HdfsTuning {
  readonly connectTimeoutMs: number;
  /** How long the storage may do nothing while it is its turn. */
  readonly idleTimeoutMs: number;
  /** As `idleTimeoutMs`, for an answer that takes the storage work: the end of a file's pipeline, a CONCAT. */
  readonly commitTimeoutMs: number;
  /** A body that comes more slowly than this, over `idleTimeoutMs` of the storage's own time, counts as standing still; 0: none does. */
  readonly minBytesPerSecond: number;
  readonly keepIdleMs: number;
  readonly maxConnections: number;
  readonly initialConcurrency: number;
  readonly minConcurrency: number;
  readonly maxConcurrency: number;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
  readonly settlingMs: number;
  readonly maxHoldMs: number;
  /** Bytes of a read are held back until the file was seen to be the same behind them, so many at once. */
  readonly confirmBytes: number;
  readonly retry: RetrySettings;
}

export const defaultHdfsTuning: HdfsTuning = {
  connectTimeoutMs: defaultS3Tuning.connectTimeoutMs,
  idleTimeoutMs: defaultS3Tuning.idleTimeoutMs,
  commitTimeoutMs: defaultS3Tuning.commitTimeoutMs,
  minBytesPerSecond: defaultS3Tuning.minBytesPerSecond,
  // The web servers of Hadoop keep a connection for 10 s.
  keepIdleMs: defaultS3Tuning.keepIdleMs,
  maxConnections: defaultS3Tuning.maxConnections,
  initialConcurrency: defaultS3Tuning.initialConcurrency,
  minConcurrency: defaultS3Tuning.minConcurrency,
  maxConcurrency: defaultS3Tuning.maxConcurrency,
  maxQueued: defaultS3Tuning.maxQueued,
  maxWaitMs: defaultS3Tuning.maxWaitMs,
  settlingMs: defaultS3Tuning.settlingMs,
  maxHoldMs: defaultS3Tuning.maxHoldMs,
  confirmBytes: 4 * 1024 * 1024,
  retry: defaultS3Tuning.retry,
};
