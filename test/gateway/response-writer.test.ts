import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { IncomingBody } from '../../src/gateway/incoming-body.ts';
import { writeResponse } from '../../src/gateway/response-writer.ts';
import { UnreadBodies } from '../../src/gateway/unread-bodies.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

const chunkBytes = 100_000;
const chunkCount = 200;

/** Chunks out of memory that is used again as soon as the next one is asked for. */
async function* lentChunks(onAsked: (count: number) => void): AsyncGenerator<Buffer> {
  for (let i = 0; i < chunkCount; i++) {
    onAsked(i);
    const chunk = Buffer.alloc(chunkBytes, i);
    yield chunk;
    chunk.fill(0xff);
  }
}

/** Serves one long answer, and gives the port. */
async function serve(highWaterMark: number, onAsked: (count: number) => void): Promise<number> {
  const unread = new UnreadBodies();
  server = createServer({ highWaterMark }, (req, res) => {
    const headers = { 'content-length': String(chunkBytes * chunkCount) };
    const response = { status: 200, headers, body: lentChunks(onAsked) };
    void writeResponse(new IncomingBody(req, res, false), res, response, [], unread);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('a long answer', () => {
  for (const highWaterMark of [64 * 1024, 1024 * 1024]) {
    test(`asks for the next chunk when the network has the last one, on connections that take ${highWaterMark} bytes ahead`, async () => {
      let asked = 0;
      const port = await serve(highWaterMark, (count) => {
        asked = count;
      });
      const socket = connect(port, '127.0.0.1');
      socket.pause();
      socket.write('GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n');
      // The network takes some, and no more, since nobody reads it.
      for (let before = -1; before < asked || asked === 0; ) {
        before = asked;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(asked).toBeLessThan(chunkCount - 1);
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      const all = Buffer.concat(chunks);
      const body = all.subarray(all.indexOf('\r\n\r\n') + 4);
      expect(body.length).toBe(chunkBytes * chunkCount);
      const wrong = Array.from({ length: chunkCount }, (_, i) => i).filter(
        (i) => !body.subarray(i * chunkBytes, (i + 1) * chunkBytes).equals(Buffer.alloc(chunkBytes, i)),
      );
      expect(wrong).toEqual([]);
    });
  }
});
