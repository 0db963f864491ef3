/** An access key with its secret, in the clear. Never logged. */
export interface RootCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A node that serves: both doors are open and `/readyz` answers 200. */
export interface RunningNode {
  /** Such as `http://127.0.0.1:9000`, with the port that was really taken. */
  readonly s3Url: string;
  readonly adminUrl: string;
  /** Settled only if the node cannot go on: rejects with the reason. */
  readonly failed: Promise<never>;
  /** Takes no new request, lets those under way end, and frees the data folder. Ends within `timeout.shutdown` + 1 s. */
  close(): Promise<void>;
}

/** What a node needs beside its settings: read from the data folder by whoever starts it. */
export interface NodeSecrets {
  readonly root: RootCredentials;
  /** 32 bytes: seals what is secret in the coordination store. */
  readonly encryptionKey: Buffer;
}
