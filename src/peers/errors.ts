export type PeerErrorKind =
  /** There is no connection to the peer, so nothing was sent. */
  | 'unreachable'
  /** One side would not have the other: another secret, another version, clocks that differ; nothing was sent. */
  | 'refused'
  /** The peer has too much to do, and did nothing. */
  | 'overloaded'
  /** The connection broke, or fell silent, after the question had gone out: nobody knows what became of it. */
  | 'lost'
  /** The peer gave the exchange up. */
  | 'reset'
  /** It was given up here. */
  | 'cancelled';

/** What went wrong between two nodes. The message may be logged, and shown to operators. */
export class PeerError extends Error {
  override name = 'PeerError';
  readonly kind: PeerErrorKind;

  constructor(kind: PeerErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }

  /** Whether the peer surely did nothing of what it was asked. */
  get hadNoEffect(): boolean {
    return this.kind === 'unreachable' || this.kind === 'refused' || this.kind === 'overloaded';
  }
}

/** What a side says that finds the other one's proof wrong. */
export const otherSecret = 'it does not have the secret of this cluster';

/** Whether this is why the two sides would not have each other. */
export function isOtherSecret({ kind, message }: PeerError): boolean {
  return kind === 'refused' && message.includes(otherSecret);
}

/** Bytes that no peer sends which keeps to the protocol: the connection is given up. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}
