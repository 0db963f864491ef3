import type { IncomingMessage } from 'node:http';

/**
 * Waits until an answer is over whose body says nothing, so that the next request finds its connection. How it ends is no matter: its head
 * has said everything.
 */
export function drained(body: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    body
      .once('end', resolve)
      .once('close', resolve)
      .on('error', () => resolve())
      .resume();
  });
}

/** The whole body of an answer. Rejects where it breaks off, or has more than `maxBytes`. */
export async function gathered(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
