/**
 * What nodes say to each other: frames over TCP. A frame is a head of 9 bytes (length of what follows the head, 4 bytes; kind, 1; exchange,
 * 4; all big-endian) and its content. An exchange is opened by a request of the side that made the connection; numbers count up from 1.
 *
 * The content of a request or message begins with 16 bytes that prove who wrote it (`frame-mac.ts`). Whoever answers marks its last frame
 * of the exchange as final; the other side marks the last bytes of its body so.
 */
export const frameKinds = {
  hello: 1,
  welcome: 2,
  proof: 3,
  /** Why the other side is not welcome: text, which nobody vouches for. */
  refused: 4,
  /** Opens an exchange. */
  request: 5,
  message: 6,
  /** Bytes of a body. */
  data: 7,
  /** The other side may send so many bytes more (4 bytes). */
  credit: 8,
  /** The exchange is given up: why (1 byte, `resetReasons`). */
  reset: 9,
  ping: 10,
  pong: 11,
} as const;

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export const resetReasons = { overloaded: 1, cancelled: 2 } as const;

/** Added to the kind of a side's last frame of an exchange. */
export const finalFlag = 0x80;

export const frameHeadBytes = 9;
/** Bodies go out in frames of at most so many bytes, so that small answers get in between. */
export const maxDataBytes = 64 * 1024;
/** Metadata of an object of ten thousand parts fits. */
export const maxMessageBytes = 4 * 1024 * 1024;
/** Before the other side has proved who it is. */
export const maxGreetingBytes = 1024;

const greetingKinds: ReadonlySet<number> = new Set([
  frameKinds.hello,
  frameKinds.welcome,
  frameKinds.proof,
  frameKinds.refused,
]);

const maxBytes: readonly number[] = (() => {
  const limits = new Array<number>(12).fill(-1);
  limits[frameKinds.request] = maxMessageBytes;
  limits[frameKinds.message] = maxMessageBytes;
  limits[frameKinds.data] = maxDataBytes;
  limits[frameKinds.credit] = 4;
  limits[frameKinds.reset] = 1;
  limits[frameKinds.ping] = 0;
  limits[frameKinds.pong] = 0;
  return limits;
})();

/** As `maxBytesOf`, before the two sides have proved who they are. */
export function maxGreetingBytesOf(kind: number): number {
  return greetingKinds.has(kind) ? maxGreetingBytes : -1;
}

/** How long the content of a frame of this kind may be, bytes; -1 of what is no kind, once the greetings are over. */
export function maxBytesOf(kind: number): number {
  return maxBytes[kind] ?? -1;
}

/** Only requests, messages and bytes may be final. */
export function mayBeFinal(kind: number): boolean {
  return kind === frameKinds.message || kind === frameKinds.data;
}

export function writeFrameHead(
  into: Buffer,
  at: number,
  kind: number,
  exchange: number,
  length: number,
): number {
  into.writeUInt32BE(length, at);
  into[at + 4] = kind;
  into.writeUInt32BE(exchange, at + 5);
  return at + frameHeadBytes;
}
