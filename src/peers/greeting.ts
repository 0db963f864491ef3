import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../common/clock.ts';
import type { Random } from '../common/random.ts';
import type { Session } from './connection.ts';
import { otherSecret, PeerError, ProtocolError } from './errors.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { frameHeadBytes, frameKinds, maxBytesOf, maxGreetingBytesOf, writeFrameHead } from './frames.ts';
import {
  type ClusterSecret,
  type Expected,
  type Greeting,
  nonceBytes,
  type PeerIdentity,
  parseGreeting,
  proofBytes,
  protocolName,
  Transcript,
} from './handshake.ts';
import { QuestionAges } from './question-ages.ts';

/** What a node says of itself and expects of others. */
export interface GreetingParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly secret: ClusterSecret;
  readonly cluster: string;
  readonly self: PeerIdentity;
  readonly maxClockDifferenceMs: number;
}

const bindingLabel = 'EXPORTER-Channel-Binding';

/**
 * The beginning of a connection that this node made to `workerId`: hello, the other's welcome with its proof, this node's proof.
 * Rejects with `PeerError`; the socket is the caller's to destroy then, and when the time is up.
 */
export async function greetAsCaller(
  parts: GreetingParts,
  socket: Duplex,
  workerId: string,
): Promise<Session> {
  const frames = new GreetingFrames(socket);
  const hello = greetingOf(parts, workerId);
  sendGreeting(socket, frameKinds.hello, hello);
  const { kind, content } = await frames.next();
  if (kind === frameKinds.refused) throw new PeerError('refused', `it says: ${wordsOf(content)}`);
  if (kind !== frameKinds.welcome) throw new ProtocolError('the peer does not answer the greeting');
  const proof = content.subarray(0, proofBytes);
  const welcome = content.subarray(proofBytes);
  const transcript = new Transcript(hello, welcome, bindingOf(socket));
  if (!parts.secret.accepts('answerer', transcript, proof)) throw new PeerError('refused', otherSecret);
  const greeting = parseGreeting(welcome, expectedOf(parts, { from: workerId }));
  sendGreeting(socket, frameKinds.proof, parts.secret.prove('caller', transcript));
  return sessionOf(parts, socket, frames, greeting, transcript, 'caller');
}

/** The other side's part: the same, from the answerer's view. A caller that is refused is told why, but nothing secret. */
export async function greetAsAnswerer(parts: GreetingParts, socket: Duplex): Promise<Session> {
  const frames = new GreetingFrames(socket);
  const { kind, content: hello } = await frames.next();
  if (kind !== frameKinds.hello) throw new ProtocolError('the peer does not greet');
  const greeting = parseOrTell(parts, socket, hello);
  const welcome = greetingOf(parts);
  const transcript = new Transcript(hello, welcome, bindingOf(socket));
  const proof = parts.secret.prove('answerer', transcript);
  sendGreeting(socket, frameKinds.welcome, Buffer.concat([proof, welcome]));
  const answer = await frames.next();
  if (answer.kind !== frameKinds.proof || !parts.secret.accepts('caller', transcript, answer.content)) {
    throw new PeerError('refused', otherSecret);
  }
  return sessionOf(parts, socket, frames, greeting, transcript, 'answerer');
}

function parseOrTell(parts: GreetingParts, socket: Duplex, hello: Buffer): Greeting {
  try {
    return parseGreeting(hello, expectedOf(parts, { to: parts.self.workerId }));
  } catch (error) {
    if (error instanceof PeerError) sendGreeting(socket, frameKinds.refused, Buffer.from(error.message));
    throw error;
  }
}

function expectedOf(parts: GreetingParts, whom: { readonly from?: string; readonly to?: string }): Expected {
  const { clock, cluster, maxClockDifferenceMs } = parts;
  return { ...whom, cluster, maxClockDifferenceMs, nowMs: clock.nowMs() };
}

function greetingOf({ clock, random, cluster, self }: GreetingParts, to?: string): Buffer {
  const greeting: Greeting = {
    protocol: protocolName,
    cluster,
    from: self,
    to,
    nonce: random.bytes(nonceBytes).toString('base64'),
    timeMs: clock.nowMs(),
    steadyMs: clock.monotonicMs(),
  };
  return Buffer.from(JSON.stringify(greeting));
}

/** From here on what comes is the connection's; what has come already waits in the socket until then. */
function sessionOf(
  { secret, clock }: GreetingParts,
  socket: Duplex,
  frames: GreetingFrames,
  greeting: Greeting,
  transcript: Transcript,
  side: Session['side'],
): Session {
  const { workerId, incarnation } = greeting.from;
  const keys = secret.keysOf(transcript);
  const ages = new QuestionAges(clock, greeting.steadyMs);
  return { socket, decoder: frames.end(), peer: { workerId, incarnation }, keys, side, ages };
}

function sendGreeting(socket: Duplex, kind: number, content: Buffer): void {
  const frame = Buffer.alloc(frameHeadBytes + content.length);
  content.copy(frame, writeFrameHead(frame, 0, kind, 0, content.length));
  if (!socket.destroyed) socket.write(frame);
}

function bindingOf(socket: Duplex): Buffer {
  return socket instanceof TLSSocket
    ? socket.exportKeyingMaterial(32, bindingLabel, Buffer.alloc(0))
    : Buffer.alloc(0);
}

function wordsOf(content: Buffer): string {
  return JSON.stringify(content.toString('utf8').slice(0, 300));
}

/** Takes the greetings from the network one by one, and not a byte more than they have. */
class GreetingFrames {
  private readonly socket: Duplex;
  private readonly decoder: FrameDecoder;
  private taken: { readonly kind: number; readonly content: Buffer } | undefined;

  constructor(socket: Duplex) {
    this.socket = socket;
    const sink = {
      onFrame: (kind: number, _exchange: number, _isFinal: boolean, content: Buffer) => {
        this.taken = { kind, content: Buffer.from(content) };
      },
      onData: () => {
        throw new ProtocolError('bytes before the greetings are over');
      },
    };
    this.decoder = new FrameDecoder(sink, maxGreetingBytesOf);
  }

  /** Rejects with `PeerError` if the connection ends before. */
  async next(): Promise<{ readonly kind: number; readonly content: Buffer }> {
    for (;;) {
      this.read();
      const { taken } = this;
      if (taken) {
        this.taken = undefined;
        return taken;
      }
      if (this.socket.destroyed || this.socket.readableEnded) {
        throw new PeerError('unreachable', 'the connection ended before the greetings did');
      }
      await readable(this.socket);
    }
  }

  /** The decoder, for whoever takes the rest. */
  end(): FrameDecoder {
    this.decoder.limitOf = maxBytesOf;
    return this.decoder;
  }

  private read(): void {
    while (!this.taken) {
      const chunk: Buffer | null = this.socket.read(this.decoder.wantedBytes);
      if (chunk === null) return;
      this.decoder.push(chunk);
    }
  }
}

function readable(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['readable', 'end', 'close', 'error']) socket.off(event, done);
      resolve();
    };
    for (const event of ['readable', 'end', 'close', 'error']) socket.on(event, done);
  });
}
