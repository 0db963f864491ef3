import type { ProbedAbilities } from './backend.ts';
import type { RetrySettings } from './retry.ts';

/** Of a backend that was never probed: no condition counts, and bodies go as S3 itself takes them. */
export const unprobed: ProbedAbilities = {
  conditionalCreate: false,
  conditionalPut: false,
  conditionalCompleteCreate: false,
  conditionalComplete: false,
  conditionalCopy: false,
  conditionalDelete: false,
  checksumTrailers: true,
  signedChunks: true,
};

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface S3BackendSettings {
  /** `s3://bucket` or `s3://bucket/prefix/`; the prefix is percent-encoded. */
  readonly uri: string;
  /** `https://host[:port]`; absent: AWS's own for the region. */
  readonly endpoint?: string;
  /** Absent: the SDK's own search with AWS's endpoint, `us-east-1` with another. */
  readonly region?: string;
  readonly pathStyle?: boolean;
  /** Absent: the SDK's chain (environment, shared files, web identity, container and instance metadata). */
  readonly credentials?: S3Credentials;
  /** Name of a profile in the shared files, for the SDK's chain. */
  readonly profile?: string;
  /** Certificates (PEM) that are trusted beside the usual ones. */
  readonly caPem?: string;
  /** `http://host:port` of a proxy for all requests but those to the hosts of `noProxy` (parted by commas, as in NO_PROXY). */
  readonly proxyUrl?: string;
  readonly noProxy?: string;
  /** What a probe has shown; absent: `unprobed`. */
  readonly abilities?: ProbedAbilities;
  /** As in `S3Tuning`. */
  readonly minBytesPerSecond?: number;
  /** As in its tuning. */
  readonly settlingMs?: number;
  readonly tuning?: Partial<S3Tuning>;
}

export interface S3Tuning {
  readonly connectTimeoutMs: number;
  /** How long the backend may do nothing while a small request, or the next bytes of a body, are its turn. */
  readonly idleTimeoutMs: number;
  /** As `idleTimeoutMs`, for an answer that takes the backend work: a whole PUT, Copy, Complete. */
  readonly commitTimeoutMs: number;
  /** A body that comes more slowly than this, over `idleTimeoutMs` of the backend's own time, counts as standing still; 0: none does. */
  readonly minBytesPerSecond: number;
  /** For what is asked after a write that has succeeded: the write's answer waits for it. */
  readonly afterWriteTimeoutMs: number;
  /** How long a connection is kept that nothing goes over; less than servers keep theirs, so that a request seldom meets a closing one. */
  readonly keepIdleMs: number;
  /** Connections at most. */
  readonly maxConnections: number;
  /** Calls at once, of reads and of writes each; the limit moves between the least and the most. */
  readonly initialConcurrency: number;
  readonly minConcurrency: number;
  readonly maxConcurrency: number;
  readonly maxQueued: number;
  readonly maxWaitMs: number;
  /** How long after a change failed without an answer it may still take effect. */
  readonly settlingMs: number;
  /** How long a later change of its key waits for that; beyond it, the change is refused. */
  readonly maxHoldMs: number;
  /** A body of so many bytes at most is sent in one piece. */
  readonly inlineBodyBytes: number;
  readonly retry: RetrySettings;
}

export const defaultS3Tuning: S3Tuning = {
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 30_000,
  commitTimeoutMs: 300_000,
  minBytesPerSecond: 4_096,
  afterWriteTimeoutMs: 5_000,
  keepIdleMs: 4_000,
  maxConnections: 1_024,
  initialConcurrency: 64,
  minConcurrency: 2,
  maxConcurrency: 256,
  maxQueued: 1_000,
  maxWaitMs: 15_000,
  settlingMs: 30_000,
  maxHoldMs: 30_000,
  inlineBodyBytes: 256 * 1024,
  retry: { attempts: 4, baseMs: 100, capMs: 5_000 },
};
