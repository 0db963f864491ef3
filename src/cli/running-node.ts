import type { Log } from '../common/log.ts';
import type { Settings } from './settings-table.ts';

/** An access key with its secret, in the clear. Never logged. */
export interface RootCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What a node needs beside its settings. */
export interface NodeSecrets {
  readonly root: RootCredentials;
  /** 32 bytes: seals what is secret in the coordination store. */
  readonly encryptionKey: Buffer;
}

/** Where a node's events go. */
export interface NodeLog {
  readonly log: Log;
  /** Takes lines that have the log's form already, `count` of them. */
  readonly lines: { write(lines: string, count?: number): void };
  /** Lines lost so far. */
  readonly droppedLines: () => number;
}

/** A node that serves: both doors are open and `/readyz` answers 200. */
export interface RunningNode {
  /** Such as `http://127.0.0.1:9000`, with the port that was really taken. */
  readonly s3Url: string;
  readonly adminUrl: string;
  /** Takes no new request, lets those under way end, frees the data folder. Ends within `timeout.shutdown` and a second. */
  close(): Promise<void>;
}

/**
 * Builds a node and opens its doors; what it had opened is closed again if it rejects. The data folder exists.
 * Rejects with `CoordError` kind `locked` (another process holds the data folder), with Node's own error for a port that cannot
 * be had (`code` EADDRINUSE, EACCES …, with `port`), with a `CommandError` or `UfsError` whose message says what to do, or with the
 * reason of `stop` if that is aborted while the node waits for its cluster's coordination store.
 */
export type StartNode = (
  settings: Settings,
  secrets: NodeSecrets,
  log: NodeLog,
  stop?: AbortSignal,
) => Promise<RunningNode>;
