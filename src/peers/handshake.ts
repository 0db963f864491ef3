import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { PeerError } from './errors.ts';

/** Who a node is: its worker's stable UUID, and a UUID of this start of its process. */
export interface PeerIdentity {
  readonly workerId: string;
  readonly incarnation: string;
}

/** What each side says first of itself; JSON of at most a kilobyte. */
export interface Greeting {
  readonly protocol: string;
  readonly cluster: string;
  readonly from: PeerIdentity;
  /** The worker that the connection is meant for; absent in the answer. */
  readonly to?: string;
  /** 32 bytes that were never used before, base64. */
  readonly nonce: string;
  /** By this side's wall clock, ms since the Unix epoch. */
  readonly timeMs: number;
  /** By its monotonic clock, ms. */
  readonly steadyMs: number;
}

export interface SessionKeys {
  /** Of the side that made the connection. */
  readonly caller: Buffer;
  readonly answerer: Buffer;
}

export const protocolName = 'forebay-peer/1';
export const proofBytes = 32;
export const nonceBytes = 32;
/** A secret out of fewer bytes could be guessed by whoever has seen a connection begin. */
export const minSecretBytes = 16;

/** The cluster's secret, as proofs and keys are made from it. Never logged. */
export class ClusterSecret {
  private readonly key: Buffer;

  /** Throws RangeError if there are too few bytes for a secret. */
  constructor(bytes: Uint8Array) {
    if (bytes.length < minSecretBytes)
      throw new RangeError(`the secret of a cluster has at least ${minSecretBytes} bytes`);
    this.key = Buffer.from(hkdfSync('sha256', bytes, '', protocolName, 32));
  }

  /** That whoever wrote it has the secret and has seen these very greetings: 32 bytes. */
  prove(side: 'caller' | 'answerer', transcript: Transcript): Buffer {
    return transcript.digest(this.key, `proof ${side}`);
  }

  accepts(side: 'caller' | 'answerer', transcript: Transcript, proof: Buffer): boolean {
    return proof.length === proofBytes && timingSafeEqual(this.prove(side, transcript), proof);
  }

  keysOf(transcript: Transcript): SessionKeys {
    return {
      caller: transcript.digest(this.key, 'key caller'),
      answerer: transcript.digest(this.key, 'key answerer'),
    };
  }
}

/**
 * Both greetings as they were sent and, over TLS, what only the two ends of this very connection know of it (RFC 9266): so nobody
 * who stands between two TLS connections can hand proofs on from one to the other, whatever certificates are in use.
 */
export class Transcript {
  private readonly caller: Buffer;
  private readonly answerer: Buffer;
  private readonly binding: Buffer;

  constructor(caller: Buffer, answerer: Buffer, binding: Buffer = Buffer.alloc(0)) {
    this.caller = Buffer.from(caller);
    this.answerer = Buffer.from(answerer);
    this.binding = binding;
  }

  /** Each part stands behind its length, so that no two transcripts read alike. */
  digest(key: Buffer, label: string): Buffer {
    const hmac = createHmac('sha256', key);
    for (const part of [Buffer.from(label), this.caller, this.answerer, this.binding]) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      hmac.update(length).update(part);
    }
    return hmac.digest();
  }
}

/** What this node expects of another one. */
export interface Expected {
  readonly cluster: string;
  /** How far the other's wall clock may be from this one, ms. */
  readonly maxClockDifferenceMs: number;
  readonly nowMs: number;
  /** Who the other must be, or whom it must have meant; absent: anybody. */
  readonly from?: string;
  readonly to?: string;
}

/** Throws `PeerError` kind `refused`, which says why. */
export function parseGreeting(bytes: Buffer, expected: Expected): Greeting {
  const greeting = readGreeting(bytes);
  if (greeting.protocol !== protocolName) {
    throw refused(`it speaks ${quote(greeting.protocol)} where this node speaks ${protocolName}`);
  }
  if (greeting.cluster !== expected.cluster) {
    throw refused(`it belongs to the cluster ${quote(greeting.cluster)}, this node to ${expected.cluster}`);
  }
  if (expected.from !== undefined && greeting.from.workerId !== expected.from) {
    throw refused(`worker ${quote(greeting.from.workerId)} answers where ${expected.from} was asked for`);
  }
  if (expected.to !== undefined && greeting.to !== expected.to) {
    throw refused(`worker ${quote(greeting.to ?? '')} was asked for where ${expected.to} answers`);
  }
  const differenceMs = Math.abs(greeting.timeMs - expected.nowMs);
  if (differenceMs > expected.maxClockDifferenceMs) {
    throw refused(
      `its clock and this node's differ by ${Math.round(differenceMs)} ms, more than ${expected.maxClockDifferenceMs} ms: set the clocks`,
    );
  }
  return greeting;
}

function readGreeting(bytes: Buffer): Greeting {
  let greeting: Partial<Greeting> | null;
  try {
    greeting = JSON.parse(bytes.toString('utf8')) as Partial<Greeting> | null;
  } catch (cause) {
    throw refused('its greeting cannot be read', cause);
  }
  const { protocol, cluster, from, to, nonce, timeMs, steadyMs } = greeting ?? {};
  const areTexts = [protocol, cluster, from?.workerId, from?.incarnation, nonce, to ?? ''].every(
    (text) => typeof text === 'string',
  );
  if (!areTexts || typeof timeMs !== 'number' || typeof steadyMs !== 'number')
    throw refused('its greeting cannot be read');
  if (Buffer.from(nonce as string, 'base64').length !== nonceBytes) throw refused('its nonce is none');
  return greeting as Greeting;
}

function refused(message: string, cause?: unknown): PeerError {
  return new PeerError('refused', message, cause);
}

function quote(text: unknown): string {
  return JSON.stringify(String(text).slice(0, 100));
}
